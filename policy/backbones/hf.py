"""Any image-text model of transformers, by its name on the hub or a local folder, as a backbone."""

from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForImageTextToText, AutoTokenizer

from policy.backbone import Words
from policy.backbones.look import Seen
from policy.decoder import Before, Decoding
from policy.readers import ModelWords
from policy.sequence import real_tokens

Look = Callable[[Any, Tensor], Seen]


class HFBackbone(Decoding):
    """Its own image features and word embeddings, then our queries, through its own decoder: [images, words, queries].

    Nothing is done by name of a family: `get_image_features`, `get_input_embeddings` and `get_decoder` are what
    transformers 5 gives every such model, and no placeholder tokens are needed. The processor is left out, because many
    need torchvision: `image_px`, `mean` and `std` are those of its preprocessor_config.json.
    pretrained: false builds from the configuration alone, with random weights.
    look: how the family takes pixels, a function of policy.backbones.look.
    attention: "sdpa" or, for families that know no other, "eager": both take a mask of our own.
    both_ways: whether pictures and words see each other whole or causally, as the family was pretrained.
    max_words, pad_words: see policy.readers.Reader.
    unused: patterns of parameters that no result depends on: kept, but not trained, as DDP waits for every gradient.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, *, name: str, pretrained: bool, num_cameras: int, image_px: int, mean: Sequence[float],
        std: Sequence[float], look: Look, attention: str, both_ways: bool, unused: Sequence[str], max_words: int,
        pad_words: int,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_cameras, self.image_px, self.look = num_cameras, image_px, look
        tokenizer, self.model = _load(name, attention, pretrained=pretrained)
        self.words = ModelWords(tokenizer=tokenizer, max_words=max_words, pad_words=pad_words)
        _keep_from_training(self.model, unused)
        self.width, self.both_ways = int(self.decoder().config.hidden_size), both_ways
        for key, values in (("mean", mean), ("std", std)):
            self.register_buffer(key, torch.tensor(list(values))[:, None, None], persistent=False)

    def tokenise(self, texts: list[str], device: torch.device) -> Words:
        """The model's own tokenizer, padded on the right; ValueError when a text has more than `max_words` tokens."""
        words = self.words.tokenise(texts)
        return Words(words.tokens.to(device), words.mask.to(device))

    def prepare(self, images: UInt8[Tensor, "b c 3 h w"]) -> Float[Tensor, "b c 3 p p"]:
        """Resized with antialiasing and normalised, on the images' device; ValueError on another number of cameras."""
        if images.shape[1] != self.num_cameras:
            raise ValueError(f"{images.shape[1]} cameras given; this backbone reads {self.num_cameras}")
        flat = rearrange(images, "b c p h w -> (b c) p h w").float() / 255
        size = (self.image_px, self.image_px)
        flat = nn.functional.interpolate(flat, size=size, mode="bilinear", antialias=True, align_corners=False)
        return rearrange((flat - self.mean) / self.std, "(b c) p h w -> b c p h w", c=self.num_cameras)

    def before(self, pixels: Float[Tensor, "b c 3 p p"], words: Words) -> Before:
        """[images, words]; padding is hidden and takes no position."""
        embedded = self.model.get_input_embeddings()(words.tokens)
        seen = self.look(self.model, rearrange(pixels, "b c p h w -> (b c) p h w").to(self.model.dtype))
        levels = [rearrange(level, "(b c) t d -> b (c t) d", c=self.num_cameras) for level in (seen.tokens, *seen.deep)]
        tokens, *deep = (level.to(embedded.dtype) for level in levels)
        places, first = _places(seen, self.num_cameras)
        words_at = first + (words.mask.long().cumsum(dim=1) - 1).clamp(min=0)
        rows = places.shape[:-2]
        places = torch.cat([each.expand(*rows, len(tokens), -1) for each in (places, words_at)], dim=-1)
        after = (first + words.mask.sum(dim=1, keepdim=True)).expand(*rows, -1, -1)
        sequence, real = torch.cat([tokens, embedded], dim=1), torch.cat([real_tokens(tokens), words.mask], dim=1)
        return Before(sequence, real, places, after, torch.zeros_like(sequence[:, :1]), tuple(deep))

    def decoder(self) -> Any:
        """The language model inside."""
        return self.model.get_decoder()

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """language: the decoder and its embeddings; vision: everything before it, the projector among it."""
        language = list(self.model.get_decoder().parameters())
        inside = {id(parameter) for parameter in language}
        return {"vision": [p for p in self.model.parameters() if id(p) not in inside], "language": language}


def _places(seen: Seen, num_cameras: int) -> tuple[Int64[Tensor, "*r 1 n"], int]:
    """Positions of all cameras' tokens, and the first one after them.

    In a square a token has three (time, row, column; M-RoPE of Qwen2-VL, arXiv 2409.12191): a picture is one moment,
    and what follows it goes on behind its longest side.
    """
    side, device = seen.side, seen.tokens.device
    if not side:
        total = num_cameras * seen.tokens.shape[1]
        return torch.arange(total, device=device)[None], total
    index = torch.arange(num_cameras * side * side, device=device)
    camera, row, column = index // side**2, index // side % side, index % side
    start = camera * side
    return torch.stack([start, start + row, start + column])[:, None], num_cameras * side


def _keep_from_training(model: nn.Module, unused: Sequence[str]) -> None:
    """Parameters that fit a pattern become buffers: saved and moved as before. ValueError when none fits one."""
    for pattern in unused:
        names = [name for name, _ in model.named_parameters() if fnmatch(name, pattern)]
        if not names:
            raise ValueError(f"no parameter of this model is called {pattern!r} (unused)")
        for name in names:
            parent, _, last = name.rpartition(".")
            module = model.get_submodule(parent)
            tensor = getattr(module, last).detach()
            delattr(module, last)
            module.register_buffer(last, tensor)


def _load(name: str, attention: str, *, pretrained: bool) -> tuple[Any, Any]:
    """Tokenizer and the model without its language head; ValueError when there is no such model."""
    ours = {"trust_remote_code": False}  # never a repository's own, not even after asking
    options: dict[str, Any] = {"dtype": torch.float32, "attn_implementation": attention}
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, **ours)
        if pretrained:
            whole = AutoModelForImageTextToText.from_pretrained(name, use_safetensors=True, **ours, **options)
        else:
            whole = AutoModelForImageTextToText.from_config(AutoConfig.from_pretrained(name, **ours), **ours, **options)
    except OSError as error:
        raise ValueError(f"no image-text model {name!r} here or on the hub: {str(error).splitlines()[0]}") from error
    return tokenizer, whole.model
