"""Any image-text model of transformers, by its name on the hub or a local folder, as a backbone."""

from collections.abc import Sequence
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForImageTextToText, AutoTokenizer

from policy.backbone import Words
from policy.sequence import real_tokens, who_sees_whom


class HFBackbone(nn.Module):
    """Its own image features and word embeddings, then our queries, through its own decoder: [images, words, queries].

    Nothing is done by name of a family: `get_image_features`, `get_input_embeddings` and `get_decoder` are what
    transformers 5 gives every such model, and no placeholder tokens are needed. The processor is left out, because many
    need torchvision: `image_px`, `mean` and `std` are those of its preprocessor_config.json.
    pretrained: false builds from the configuration alone, with random weights.
    image_axis: the family takes pixels as [b, images, 3, h, w] (Idefics3, SmolVLM) rather than [b, 3, h, w].
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, *, name: str, pretrained: bool, num_cameras: int, image_px: int, mean: Sequence[float],
        std: Sequence[float], image_axis: bool, max_words: int,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_cameras, self.image_px, self.image_axis, self.max_words = num_cameras, image_px, image_axis, max_words
        self.tokenizer, self.model = _load(name, pretrained=pretrained)
        decoder = self.model.get_decoder().config
        # PaliGemma's decoder reads pictures and words both ways, others causally: as each was pretrained.
        self.width, self.causal = int(decoder.hidden_size), getattr(decoder, "is_causal", True)
        for key, values in (("mean", mean), ("std", std)):
            self.register_buffer(key, torch.tensor(list(values))[:, None, None], persistent=False)

    def tokenise(self, texts: list[str], device: torch.device) -> Words:
        """The model's own tokenizer, padded on the right; ValueError when a text has more than `max_words` tokens."""
        batch = self.tokenizer(texts, padding=True, padding_side="right", return_tensors="pt")
        if batch["input_ids"].shape[1] > self.max_words:
            longest = max(texts, key=len)
            raise ValueError(f"{longest!r} has more tokens than this backbone reads: max_words={self.max_words}")
        return Words(batch["input_ids"].long().to(device), batch["attention_mask"].bool().to(device))

    def prepare(self, images: UInt8[Tensor, "b c 3 h w"]) -> Float[Tensor, "b c 3 p p"]:
        """Resized with antialiasing and normalised, on the images' device; ValueError on another number of cameras."""
        if images.shape[1] != self.num_cameras:
            raise ValueError(f"{images.shape[1]} cameras given; this backbone reads {self.num_cameras}")
        flat = rearrange(images, "b c p h w -> (b c) p h w").float() / 255
        size = (self.image_px, self.image_px)
        flat = nn.functional.interpolate(flat, size=size, mode="bilinear", antialias=True, align_corners=False)
        return rearrange((flat - self.mean) / self.std, "(b c) p h w -> b c p h w", c=self.num_cameras)

    def forward(
        self, pixels: Float[Tensor, "b c 3 p p"], words: Words, queries: Float[Tensor, "b q d"]
    ) -> Float[Tensor, "b q d"]:
        """Hidden states of the queries; padding is hidden and takes no position."""
        embedded = self.model.get_input_embeddings()(words.ids)
        seen = self._see(pixels).to(embedded.dtype)
        sequence = torch.cat([seen, embedded, queries.to(embedded.dtype)], dim=1)
        real = torch.cat([real_tokens(seen), words.mask, real_tokens(queries)], dim=1)
        prefix = real.shape[1] - queries.shape[1]
        hidden = self.model.get_decoder()(
            inputs_embeds=sequence,
            attention_mask=who_sees_whom(real, both_ways=0 if self.causal else prefix),
            position_ids=(real.long().cumsum(dim=1) - 1).clamp(min=0),
            use_cache=False,
        ).last_hidden_state
        return hidden[:, -queries.shape[1] :]

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """language: the decoder and its embeddings; vision: everything before it, the projector among it."""
        language = list(self.model.get_decoder().parameters())
        inside = {id(parameter) for parameter in language}
        return {"vision": [p for p in self.model.parameters() if id(p) not in inside], "language": language}

    def _see(self, pixels: Float[Tensor, "b c 3 p p"]) -> Float[Tensor, "b t d"]:
        flat = rearrange(pixels, "b c p h w -> (b c) p h w")
        features = self.model.get_image_features(flat[:, None] if self.image_axis else flat).pooler_output
        tokens = features if isinstance(features, Tensor) else torch.stack(list(features))
        return rearrange(tokens, "(b c) t d -> b (c t) d", c=self.num_cameras)


def _load(name: str, *, pretrained: bool) -> tuple[Any, Any]:
    """Tokenizer and the model without its language head; ValueError when there is no such model."""
    options: dict[str, Any] = {"dtype": torch.float32, "attn_implementation": "sdpa"}  # takes a mask of our own
    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
        if pretrained:
            whole = AutoModelForImageTextToText.from_pretrained(name, use_safetensors=True, **options)
        else:
            whole = AutoModelForImageTextToText.from_config(AutoConfig.from_pretrained(name), **options)
    except OSError as error:
        raise ValueError(f"no image-text model {name!r} here or on the hub: {str(error).splitlines()[0]}") from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer, whole.model
