"""policy.backbones.hf: on tiny random instances of each family it computes what transformers' own forward computes."""

import json

import pytest
import torch
from einops import rearrange
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from lapa import checkpoint
from policy.backbones.hf import _places
from policy.backbones.look import Seen
from tests.backbone_toys import FAMILIES, IMAGE_TOKEN, build, picture, settings

LAST = torch.tensor([[3, 5, 7]])  # words that we give as queries


def theirs(backbone, images, text):
    """Hidden states of LAST by the model's own forward, with placeholders for image tokens."""
    words = backbone.tokenise([text], images.device).tokens
    pixels = rearrange(backbone.prepare(images), "1 c p h w -> c p h w")
    seen = backbone.look(backbone.model, pixels)
    pictures = torch.full((1, seen.tokens.shape[0] * seen.tokens.shape[1]), IMAGE_TOKEN)
    ids = torch.cat([pictures, words, LAST], dim=1)
    more = {"pixel_values": pixels}
    if seen.side:
        more = own_patches(backbone, images) | {"mm_token_type_ids": (ids == IMAGE_TOKEN).int()}
    if backbone.look.func.__name__ == "lists":
        more = {"pixel_values": pixels[None]}
    if backbone.both_ways:
        more["token_type_ids"] = torch.tensor([[0] * (ids.shape[1] - 3) + [1] * 3])
    return backbone.model(input_ids=ids, attention_mask=torch.ones_like(ids), **more).last_hidden_state[:, -3:]


def own_patches(backbone, images):
    """What Qwen-VL's own processor makes of pictures."""
    vision = backbone.model.config.vision_config
    processor = Qwen2VLImageProcessorPil(
        do_resize=False, patch_size=vision.patch_size, merge_size=vision.spatial_merge_size,
        temporal_patch_size=vision.temporal_patch_size, image_mean=backbone.mean.flatten().tolist(),
        image_std=backbone.std.flatten().tolist(),
    )  # fmt: skip
    rows = processor(list(rearrange(images[0], "c p h w -> c h w p").numpy()), return_tensors="pt")
    return {"pixel_values": rows["pixel_values"].float(), "image_grid_thw": rows["image_grid_thw"]}


# transformers takes two pictures of Qwen-VL that touch for one; its processor never lets them.
CASES = [(name, cameras) for name in FAMILIES for cameras in (1, 2) if cameras == 1 or "qwen" not in name]


@pytest.mark.parametrize(("name", "cameras"), CASES)
@torch.no_grad()
def test_our_queries_get_what_the_models_own_forward_gives_words(name, cameras, tmp_path):
    backbone = build(name, tmp_path, num_cameras=cameras)
    images, text = picture(0, cameras=cameras), "reach the blue block"
    words = backbone.tokenise([text], images.device)
    ours = backbone(backbone.prepare(images), words, backbone.model.get_input_embeddings()(LAST))
    torch.testing.assert_close(ours, theirs(backbone, images, text), atol=1e-5, rtol=1e-4)


def test_a_pictures_tokens_stand_in_rows_and_columns_of_one_moment():
    seen = Seen(torch.zeros(2, 4, 8), (), side=2)
    places, first = _places(seen, num_cameras=2)
    assert places[:, 0].tolist() == [[0, 0, 0, 0, 2, 2, 2, 2], [0, 0, 1, 1, 2, 2, 3, 3], [0, 1, 0, 1, 2, 3, 2, 3]]
    assert first == 4


def test_what_nothing_depends_on_is_kept_but_not_trained(tmp_path):
    some, every = build("hf_llava", tmp_path), build("hf_llava", tmp_path, unused=[])
    left = dict(every.named_parameters()).keys() - dict(some.named_parameters()).keys()
    assert any("layers.1." in name for name in left) and any("post_layernorm" in name for name in left)
    assert some.state_dict().keys() == every.state_dict().keys()
    with pytest.raises(ValueError, match="no parameter of this model is called 'no.such'"):
        build("hf_llava", tmp_path, unused=["no.such"])


def test_a_repositorys_own_code_is_not_even_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked"))
    rows, folder = settings("hf_llava", tmp_path), tmp_path
    found = json.loads((folder / "config.json").read_text()) | {
        "model_type": "own",
        "auto_map": {"AutoConfig": "own.Own"},
    }
    (folder / "config.json").write_text(json.dumps(found))
    (folder / "own.py").write_text("raise SystemExit('ran')")
    for pretrained in (False, True):
        with pytest.raises(ValueError, match="trust_remote_code"):
            checkpoint.build(rows | {"pretrained": pretrained}, allowed=("policy.",))


def test_weights_in_bf16(tmp_path):
    backbone = build("hf_llava", tmp_path).bfloat16()
    words = backbone.tokenise(["push red"], torch.device("cpu"))
    assert backbone(backbone.prepare(picture(0)), words, torch.zeros(1, 3, 32)).dtype == torch.bfloat16


def test_a_size_that_patches_do_not_fill(tmp_path):
    backbone = build("hf_qwen3_vl", tmp_path, image_px=40)
    words = backbone.tokenise(["push red"], torch.device("cpu"))
    with pytest.raises(ValueError, match="image_px=40 is no multiple of 16"):
        backbone(backbone.prepare(picture(0)), words, torch.zeros(1, 3, 32))
