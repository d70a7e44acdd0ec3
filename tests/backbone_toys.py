"""Every yaml of configs/backbone at toy size: random weights, a few words, nothing downloaded."""

from pathlib import Path

import torch
from omegaconf import OmegaConf
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoConfig, AutoModelForImageTextToText, PreTrainedTokenizerFast

from lapa import checkpoint
from lapa.config import compose
from lapa.doors import configs_dir

NAMES = sorted(path.stem for path in (configs_dir() / "backbone").glob("*.yaml"))
PX, IMAGE_TOKEN = 32, 19
WORDS = ["[PAD]", "[UNK]", "reach", "push", "the", "red", "blue", "block"]
EYES = {"image_px": PX, "channels": [8, 16], "strides": [2, 2], "num_points": 4, "pointer_hidden": 16}
TINY = {"width": 32, "depth": 2, "num_heads": 2, "feed_forward": 64}
SMOLLM = {"width": 32, "depth": 2, "num_heads": 2, "num_kv_heads": 1, "feed_forward": 64, "vocabulary": 4096}
HASHED = {"_target_": "policy.readers.HashedWords", "buckets": 4096, "max_words": 8, "pad_words": 0}
TEXT = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 20}
TEXT |= {"num_key_value_heads": 2, "head_dim": 16, "pad_token_id": 0, "bos_token_id": None, "eos_token_id": None}
STRONG = {"initializer_range": 0.2}  # so that every position and every mask matters
TEXT |= STRONG
ROPE = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 3, 3]}
VISION = {"hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
VISION |= {"image_size": PX, "patch_size": 8} | STRONG
QWEN = {"patch_size": 8, "spatial_merge_size": 2, "temporal_patch_size": 2, "depth": 2, "num_heads": 2}
QWEN |= {"hidden_size": 24, "intermediate_size": 48, "out_hidden_size": 32} | STRONG
QWEN_TOKENS = {"image_token_id": IMAGE_TOKEN, "video_token_id": 18, "vision_start_token_id": 17}
FAMILIES = {
    "hf": ("smolvlm", {
        "vision_config": VISION | {"model_type": "smolvlm_vision"}, "text_config": TEXT | {"model_type": "llama"},
        "scale_factor": 2, "image_token_id": IMAGE_TOKEN,
    }),
    "hf_paligemma": ("paligemma", {
        "vision_config": VISION | {"model_type": "siglip_vision_model", "vision_use_head": False, "projection_dim": 32},
        "text_config": TEXT | {"model_type": "gemma2", "query_pre_attn_scalar": 16}, "projection_dim": 32,
        "image_token_index": IMAGE_TOKEN,
    }),
    "hf_llava": ("llava", {
        "vision_config": VISION | {"model_type": "clip_vision_model"}, "text_config": TEXT | {"model_type": "llama"},
        "image_token_index": IMAGE_TOKEN,
    }),
    "hf_internvl": ("internvl", {
        "vision_config": VISION | {"model_type": "internvl_vision", "image_size": [PX, PX], "patch_size": [8, 8]},
        "text_config": TEXT | {"model_type": "qwen2"}, "image_token_id": IMAGE_TOKEN,
    }),
    "hf_qwen2_5_vl": ("qwen2_5_vl", {
        "vision_config": QWEN | {"fullatt_block_indexes": [1], "window_size": 16},
        "text_config": TEXT | {"rope_parameters": ROPE}, **QWEN_TOKENS,
    }),
    "hf_qwen3_vl": ("qwen3_vl", {
        "vision_config": QWEN | {"deepstack_visual_indexes": [0], "num_position_embeddings": 16},
        "text_config": TEXT | {"rope_parameters": ROPE}, **QWEN_TOKENS,
    }),
}  # fmt: skip
CHANGES = {
    "tiny": EYES | TINY | {"words": HASHED},
    "smollm": EYES | {"weights": "random", "sizes": SMOLLM, "max_words": 8},
    "hf_llava": {"unused": ["vision_tower.*layers.1.*", "vision_tower.*post_layernorm.*"]},
}


def family_folder(name: str, folder: Path) -> Path:
    """A model folder as the hub has them, of random weights."""
    kind, sizes = FAMILIES[name]
    torch.manual_seed(0)
    AutoModelForImageTextToText.from_config(AutoConfig.for_model(kind, **sizes)).save_pretrained(folder)
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(folder)
    return folder


def settings(name: str, folder: Path, **changes):
    """The yaml `name` with toy sizes; a model of transformers is written into `folder` first."""
    overrides = ["experiment=latent_policy", "clips=-", "codes=-", "out=-", f"backbone@model.backbone={name}"]
    rows = OmegaConf.to_container(compose("train", overrides).model.backbone, resolve=True)
    if name in FAMILIES:
        rows |= {"name": str(family_folder(name, folder)), "image_px": PX, "max_words": 8}
    return rows | CHANGES.get(name, {}) | changes


def build(name: str, folder: Path, **changes):
    """A backbone in evaluation mode."""
    torch.manual_seed(0)
    return stir(checkpoint.build(settings(name, folder, **changes), allowed=("policy.",))).eval()


def stir(module):
    """Give branches that start at zero some weight, so that there is something for laws to break."""
    for parameter in module.parameters():
        if parameter.abs().max() == 0:
            torch.nn.init.normal_(parameter, std=0.2)
    return module


def picture(seed: int, cameras: int = 1):
    """UInt8[1 c 3 h w]."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (1, cameras, 3, PX, PX), dtype=torch.uint8, generator=generator)
