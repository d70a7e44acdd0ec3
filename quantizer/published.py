"""LAPA's published checkpoint (`laq_*.pt` or safetensors) and its settings in, a quantizer with LAPA's own codes out."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from lapa.checkpoint import check_fit, read_tensors
from quantizer.blocks import patchify, unpatchify
from quantizer.published_blocks import PositionBias, Transformer

Images = UInt8[Tensor, "b 3 h w"]

CODEBOOK = "vq.codebooks"  # every quantizer of LAPA has this tensor once: what stands before the name is a wrapper's
WRAPPERS = {"module", "_orig_mod"}  # what DistributedDataParallel and torch.compile put into names
TRAINING_ONLY = ("vq.codebooks_used", "discr.", "vgg.")  # how often codes were used, critics: nothing of the model
IGNORED = {"channels", "attn_dropout", "ff_dropout"}  # LAPA's other constructor arguments: always 3, and for training

# Codes a step: the sides of the patch grid that give so many (the first convolution halves the side, rounding up), and
# the second convolution, where there is one.
HEADS: dict[int, tuple[range, dict[str, Any]]] = {
    1: (range(7, 9), dict(kernel_size=4)),
    2: (range(7, 9), dict(kernel_size=(3, 4))),
    4: (range(7, 9), dict(kernel_size=3)),
    16: (range(13, 17), dict(kernel_size=3, stride=2, padding=1)),
    64: (range(15, 17), {}),
    256: (range(31, 33), {}),
}


class Settings(NamedTuple):
    """LAPA's constructor arguments, by its names; sizes in pixels, images and patches square."""

    dim: int
    quant_dim: int
    codebook_size: int
    image_size: int
    patch_size: int
    spatial_depth: int
    temporal_depth: int
    dim_head: int
    heads: int
    code_seq_len: int


class Codebook(nn.Module):
    """From the two frames' tokens to codes, and from codes to what the decoder is told."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        size, dim, width = settings.codebook_size, settings.dim, settings.quant_dim
        self.grid = settings.image_size // settings.patch_size
        self.codebooks = nn.Parameter(torch.zeros(size, width))
        self.project_in, self.project_out = nn.Linear(dim, width), nn.Linear(width, dim)
        second = HEADS[settings.code_seq_len][1]
        rest = (nn.ReLU(), nn.Conv2d(width, width, **second)) if second else ()
        self.cnn_encoder = nn.Sequential(nn.Conv2d(width, width, kernel_size=3, stride=2, padding=1), *rest)

    def latents(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b k q"]:
        """What one frame has to say; an action is the difference of two frames' latents."""
        image = rearrange(self.project_in(tokens), "b (h w) q -> b q h w", h=self.grid)
        return rearrange(self.cnn_encoder(image), "b q h w -> b (h w) q")

    def nearest(self, latents: Float[Tensor, "b k q"]) -> Int64[Tensor, "b k"]:
        """The nearest row of each latent, the first of equally near ones."""
        # Written out as LAPA does: far from the codebook these sums round, and the rounding decides near ties.
        rows = rearrange(latents, "b k q -> (b k) q")
        inner = rows @ self.codebooks.t()
        distances = rows.square().sum(1, keepdim=True) - 2 * inner + self.codebooks.square().sum(1)
        return rearrange(distances.argmin(1), "(b k) -> b k", b=len(latents))

    def context(self, codes: Int64[Tensor, "b k"]) -> Float[Tensor, "b k d"]:
        """The rows of some codes for the decoder, their numbers mixed as in LAPA: [k q] memory is read as [q k]."""
        memory = rearrange(self.codebooks[codes], "b k q -> b (k q)")
        return self.project_out(rearrange(memory, "b (q k) -> b k q", k=codes.shape[1]))


class PublishedQuantizer(nn.Module):
    """LAPA's quantizer for inference: the codebook's own rows, no noise. Attributes are named as in its checkpoints."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.image_px, self.patch_px = settings.image_size, settings.patch_size
        self.num_codes, self.codes_per_step = settings.codebook_size, settings.code_seq_len
        self.grid = grid = settings.image_size // settings.patch_size
        dim, heads, numbers = settings.dim, settings.heads, 3 * settings.patch_size**2
        shared: dict[str, Any] = dict(dim=dim, dim_head=settings.dim_head, heads=heads, grid=grid)
        spatial = shared | {"depth": settings.spatial_depth}
        self.spatial_rel_pos_bias = PositionBias(dim=dim, heads=heads)
        embed = (nn.LayerNorm(numbers), nn.Linear(numbers, dim), nn.LayerNorm(dim))
        self.to_patch_emb_first_frame = nn.Sequential(nn.Identity(), *embed)  # both frames'; place 0 cuts the patches
        self.enc_spatial_transformer = Transformer(**spatial, frames=2, crossed=False)
        self.enc_temporal_transformer = Transformer(**shared, depth=settings.temporal_depth, frames=2, crossed=False)
        self.vq = Codebook(settings)
        self.dec_spatial_transformer = Transformer(**spatial, frames=1, crossed=True)
        self.to_pixels_first_frame = nn.Sequential(nn.Linear(dim, numbers))

    def encode(self, before: Images, after: Images) -> Float[Tensor, "b k q"]:
        """The latents before quantisation; ValueError for frames that are not uint8 [b 3 image_px image_px]."""
        return self._latents(self._embed(before, after), self.spatial_rel_pos_bias(self.grid))

    def codes(self, before: Images, after: Images) -> Int64[Tensor, "b k"]:
        """LAPA's latent action of each pair, in [0, num_codes). Errors as `encode`."""
        return self.vq.nearest(self.encode(before, after))

    def reconstruct(self, before: Images, after: Images) -> Float[Tensor, "b 3 h w"]:
        """The second frame by LAPA's decoder in LAPA's units: [0, 1] where it is right, not clamped. Errors as `encode`."""
        patches, bias = self._embed(before, after), self.spatial_rel_pos_bias(self.grid)
        return self._paint(patches[:, 0], self.vq.nearest(self._latents(patches, bias)), bias)

    def decode(self, before: Images, codes: Int64[Tensor, "b k"]) -> Float[Tensor, "b 3 h w"]:
        """The second frame as far as first frame and codes tell, in [0, 255]; ValueError for codes that do not exist."""
        if codes.shape != (len(before), self.codes_per_step):
            raise ValueError(f"codes have shape {tuple(codes.shape)}; expected {(len(before), self.codes_per_step)}")
        if codes.numel() and not 0 <= int(codes.min()) <= int(codes.max()) < self.num_codes:
            raise ValueError(f"codes lie in [{codes.min()}, {codes.max()}]; there are 0 … {self.num_codes - 1}")
        return self._paint(self._embed(before)[:, 0], codes, self.spatial_rel_pos_bias(self.grid)).clamp(0, 1) * 255

    def _embed(self, *frames: Images) -> Float[Tensor, "b t n d"]:
        wanted = (len(frames[0]), 3, self.image_px, self.image_px)
        for images in frames:
            if images.shape != wanted or images.dtype != torch.uint8:
                raise ValueError(
                    f"frames are {images.dtype} {tuple(images.shape)}; this quantizer reads uint8 {wanted}"
                )
        video = rearrange(list(frames), "t b c h w -> (b t) c h w").float().div(255)
        tokens = self.to_patch_emb_first_frame(patchify(video, self.patch_px))
        return rearrange(tokens, "(b t) n d -> b t n d", t=len(frames))

    def _latents(self, patches: Float[Tensor, "b 2 n d"], bias: Float[Tensor, "heads n n"]) -> Float[Tensor, "b k q"]:
        tokens = rearrange(patches, "b t n d -> (b t) n d")
        tokens = self.enc_spatial_transformer(tokens, bias=bias, context=None)
        tokens = rearrange(tokens, "(b t) n d -> (b n) t d", t=2)
        tokens = self.enc_temporal_transformer(tokens, bias=None, context=None)
        first, second = rearrange(tokens, "(b n) t d -> t b n d", b=len(patches))
        return self.vq.latents(second) - self.vq.latents(first)

    def _paint(self, first: Float[Tensor, "b n d"], codes: Int64[Tensor, "b k"], bias: Tensor) -> Tensor:
        tokens = self.dec_spatial_transformer(first, bias=bias, context=self.vq.context(codes))
        return unpatchify(self.to_pixels_first_frame(tokens), self.patch_px, self.image_px)


def load(weights: Path, settings: Mapping[str, Any]) -> PublishedQuantizer:
    """LAPA's quantizer in `eval` mode, on the CPU, float32. Of an averaged copy beside the trained one, the average.

    ValueError names the settings or tensors that do not fit, or says why the file cannot be read.
    """
    known = _known(settings)
    with torch.device("meta"):  # nothing is drawn at random only to be overwritten
        model = PublishedQuantizer(known)
    tensors = _bare(dict(_tensors(_read(Path(weights)), ())))
    check_fit(tensors, model, origin=weights)
    model.load_state_dict(tensors, assign=True)
    return model.requires_grad_(False).eval()


def _known(settings: Mapping[str, Any]) -> Settings:
    """The settings, each present, possible and known."""
    choices = f"LAPA's settings are {', '.join(Settings._fields)}"
    if missing := [name for name in Settings._fields if name not in settings]:
        raise ValueError(f"settings lack {', '.join(missing)}; {choices}")
    if unknown := sorted(map(str, settings.keys() - set(Settings._fields) - IGNORED)):
        raise ValueError(f"settings have unknown {', '.join(unknown)}; {choices}")
    known = Settings(**{name: settings[name] for name in Settings._fields})
    for name, value in known._asdict().items():
        least = 0 if name.endswith("depth") else 1
        if type(value) is not int or value < least:
            raise ValueError(f"{name} is {value!r}; it must be a whole number of at least {least}")
    if settings.get("channels", 3) != 3:
        raise ValueError(f"channels is {settings['channels']!r}; frames have 3")
    _check_grid(known)
    return known


def _check_grid(settings: Settings) -> None:
    image, patch, length = settings.image_size, settings.patch_size, settings.code_seq_len
    if image % patch:
        raise ValueError(f"image_size {image} is no multiple of patch_size {patch}")
    if length not in HEADS:
        raise ValueError(f"code_seq_len is {length}; LAPA has {', '.join(map(str, HEADS))}")
    sides = HEADS[length][0]
    if image // patch not in sides:
        wanted = " or ".join(map(str, sides))
        raise ValueError(
            f"{image // patch} patches a side do not make {length} codes; image_size / patch_size must be {wanted}"
        )


def _read(path: Path) -> Any:
    """What a checkpoint file holds, without running any of it."""
    if not path.is_file():
        raise ValueError(f"{path} is no file")
    if path.suffix == ".safetensors":
        return read_tensors(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # ten kinds of them, as a damaged file goes
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path} is no PyTorch file of tensors alone, or damaged: {reason}") from error


def _tensors(node: Any, place: tuple[str, ...]) -> Iterator[tuple[str, Tensor]]:
    """Every tensor in nested dicts under its dotted name, without the wrappers' parts."""
    if isinstance(node, Tensor):
        yield ".".join(part for part in ".".join(place).split(".") if part not in WRAPPERS), node.detach().float()
    elif isinstance(node, Mapping):
        for name, child in node.items():
            yield from _tensors(child, (*place, str(name)))


def _bare(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The quantizer's tensors under their own names; ValueError when there are no tensors, or several quantizers."""
    if not tensors:
        raise ValueError("the checkpoint is no state dict: there is no tensor under any name in it")
    prefixes = [name.removesuffix(CODEBOOK) for name in tensors if f".{name}".endswith(f".{CODEBOOK}")]
    averaged = [prefix for prefix in prefixes if prefix.split(".")[-2:][0].startswith("ema")]
    chosen, *others = averaged or prefixes or [""]
    if others:
        raise ValueError(f"the checkpoint holds several quantizers: {', '.join([chosen, *others])}")
    inside = {name.removeprefix(chosen): tensor for name, tensor in tensors.items() if name.startswith(chosen)}
    return {name: tensor for name, tensor in inside.items() if not name.startswith(TRAINING_ONLY)}
