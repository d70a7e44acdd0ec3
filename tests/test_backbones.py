"""policy.backbones: every one has the five needs and their laws; hf on tiny random instances of two real families."""

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoConfig, AutoModelForImageTextToText, PreTrainedTokenizerFast

from policy.backbone import Backbone
from policy.backbones.hf import HFBackbone
from policy.backbones.tiny import TinyBackbone

TEXT = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 20}
TEXT |= {"num_key_value_heads": 2, "head_dim": 16, "pad_token_id": 0, "bos_token_id": None, "eos_token_id": None}
VISION = {"hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
VISION |= {"image_size": 32, "patch_size": 8}
FAMILIES = {
    "smolvlm": {
        "vision_config": VISION | {"model_type": "smolvlm_vision"}, "text_config": TEXT | {"model_type": "llama"},
        "scale_factor": 2, "image_token_id": 19,
    },
    "paligemma": {
        "vision_config": VISION | {"model_type": "siglip_vision_model", "vision_use_head": False, "projection_dim": 32},
        "text_config": TEXT | {"model_type": "gemma"}, "image_token_index": 19, "projection_dim": 32,
    },
}  # fmt: skip
WORDS = ["[PAD]", "[UNK]", "reach", "push", "the", "red", "blue", "block"]


def hf_folder(family, folder):
    """A model folder as the hub has them, of random weights."""
    torch.manual_seed(0)
    AutoModelForImageTextToText.from_config(AutoConfig.for_model(family, **FAMILIES[family])).save_pretrained(folder)
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(folder)
    return str(folder)


def tiny(**changes):
    torch.manual_seed(0)
    sizes = {
        "image_px": 32, "num_cameras": 1, "channels": [8, 16], "strides": [2, 2], "num_points": 4, "width": 32,
        "depth": 2, "num_heads": 2, "feed_forward": 64, "pointer_hidden": 16, "buckets": 4096, "max_words": 8,
    }  # fmt: skip
    return stir(TinyBackbone(**(sizes | changes)))


def stir(module):
    """Give branches that start at zero some weight, so that the laws below have something to break."""
    for parameter in module.parameters():
        if parameter.abs().max() == 0:
            torch.nn.init.normal_(parameter, std=0.2)
    return module.eval()


@pytest.fixture(params=["tiny", *FAMILIES])
def backbone(request, tmp_path):
    if request.param == "tiny":
        return tiny()
    name = hf_folder(request.param, tmp_path)
    facts = {"mean": [0.5] * 3, "std": [0.5] * 3, "image_axis": request.param == "smolvlm"}
    return HFBackbone(name=name, pretrained=True, num_cameras=1, image_px=32, max_words=8, **facts).eval()


def picture(seed, cameras=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (1, cameras, 3, 32, 32), dtype=torch.uint8, generator=generator)


def states(backbone, images, texts, queries=None):
    if queries is None:
        queries = torch.linspace(-1, 1, 3 * backbone.width).reshape(1, 3, -1).expand(len(images), -1, -1)
    words = backbone.tokenise(texts, images.device)
    return backbone(backbone.prepare(images), words, queries)


def test_the_five_needs(backbone):
    assert isinstance(backbone, Backbone)
    assert states(backbone, picture(0), ["reach the red block"]).shape == (1, 3, backbone.width)


def test_groups_hold_every_parameter_once(backbone):
    groups = [id(p) for members in backbone.parameter_groups().values() for p in members]
    assert sorted(groups) == sorted(id(p) for p in backbone.parameters())


def test_pictures_and_words_both_matter(backbone):
    base = states(backbone, picture(0), ["reach the red block"])
    assert not torch.allclose(base, states(backbone, picture(1), ["reach the red block"]), atol=1e-5)
    assert not torch.allclose(base, states(backbone, picture(0), ["reach the blue block"]), atol=1e-5)


def test_a_sample_does_not_feel_its_neighbours_or_their_padding(backbone):
    alone = states(backbone, picture(0), ["push red"])
    pair = states(backbone, torch.cat([picture(0), picture(1)]), ["push red", "reach the blue block the red block"])
    torch.testing.assert_close(pair[:1], alone, atol=1e-5, rtol=1e-4)


def test_queries_see_each_other_causally(backbone):
    queries = torch.randn(1, 3, backbone.width, generator=torch.Generator().manual_seed(0))
    other = queries.clone()
    other[:, 2] += 1
    one, two = (states(backbone, picture(0), ["push red"], q) for q in (queries, other))
    torch.testing.assert_close(one[:, :2], two[:, :2], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(one[:, 2], two[:, 2], atol=1e-3)
    first = queries.clone()
    first[:, 0] += 1
    assert not torch.allclose(states(backbone, picture(0), ["push red"], first)[:, 2], one[:, 2], atol=1e-5)


def test_too_many_words(backbone):
    with pytest.raises(ValueError, match="max_words=8"):
        backbone.tokenise(["the red block " * 4], torch.device("cpu"))


def test_no_words_are_no_fault():
    assert torch.isfinite(states(tiny(), picture(0), [""])).all()


def test_two_cameras():
    backbone = tiny(num_cameras=2)
    assert states(backbone, picture(0, cameras=2), ["push red"]).shape == (1, 3, 32)
    with pytest.raises(ValueError, match=r"\(1, 3, 32, 32\).*\(2, 3, 32, 32\)"):
        states(backbone, picture(0), ["push red"])


def test_unknown_model():
    with pytest.raises(ValueError, match="no image-text model '/no/such'"):
        HFBackbone(
            name="/no/such", pretrained=True, num_cameras=1, image_px=32, mean=[0.5] * 3, std=[0.5] * 3,
            image_axis=True, max_words=8,
        )  # fmt: skip
