"""policy.backbones: every yaml of configs/backbone, at toy size, has what a backbone needs and obeys its laws."""

import pytest
import torch

from policy.backbone import Backbone
from policy.backbones.hf import HFBackbone
from policy.backbones.look import pictures
from tests.backbone_toys import NAMES, build, picture

PAIR = ["push red", "reach the blue block the red block"]


@pytest.fixture(scope="module", params=NAMES)
def backbone(request, tmp_path_factory):
    return build(request.param, tmp_path_factory.mktemp(request.param))


def queries_of(backbone, seed=0, count=1):
    return torch.randn(count, 3, backbone.width, generator=torch.Generator().manual_seed(seed))


def inputs(backbone, images, texts):
    return backbone.prepare(images), backbone.tokenise(texts, images.device)


def states(backbone, images, texts, queries=None):
    queries = queries_of(backbone, count=len(images)) if queries is None else queries
    with torch.no_grad():
        return backbone(*inputs(backbone, images, texts), queries)


def test_what_every_backbone_needs(backbone):
    assert isinstance(backbone, Backbone)
    assert states(backbone, picture(0), ["reach the red block"]).shape == (1, 3, backbone.width)


def test_groups_hold_every_parameter_once(backbone):
    groups = [id(p) for members in backbone.parameter_groups().values() for p in members]
    assert sorted(groups) == sorted(id(p) for p in backbone.parameters())


def test_pictures_and_words_both_matter(backbone):
    base = states(backbone, picture(0), ["reach the red block"])
    assert not torch.allclose(base, states(backbone, picture(1), ["reach the red block"]), atol=1e-4)
    assert not torch.allclose(base, states(backbone, picture(0), ["reach the blue block"]), atol=1e-4)


def test_a_sample_does_not_feel_its_neighbours_or_their_padding(backbone):
    queries = queries_of(backbone, count=2)
    alone = states(backbone, picture(0), PAIR[:1], queries[:1])
    pair = states(backbone, torch.cat([picture(0), picture(1)]), PAIR, queries)
    torch.testing.assert_close(pair[:1], alone, atol=1e-5, rtol=1e-4)


def test_queries_see_each_other_causally(backbone):
    queries = queries_of(backbone)
    last, first = queries.clone(), queries.clone()
    last[:, 2] += 1
    first[:, 0] += 1
    base, after_last, after_first = (states(backbone, picture(0), PAIR[:1], q) for q in (queries, last, first))
    torch.testing.assert_close(base[:, :2], after_last[:, :2], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(base[:, 2], after_last[:, 2], atol=1e-3)
    assert not torch.allclose(base[:, 2], after_first[:, 2], atol=1e-4)


def test_behind_a_cached_prefix_queries_are_what_they_are_in_one_pass(backbone):
    images = torch.cat([picture(0), picture(1)])
    with torch.no_grad():
        prefix = backbone.prefix(*inputs(backbone, images, PAIR))
        for seed in (0, 1, 0):  # it can be gone on from again: nobody writes into it
            queries = queries_of(backbone, seed, count=2)
            whole = states(backbone, images, PAIR, queries)
            torch.testing.assert_close(backbone.go_on(prefix, queries), whole, atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(backbone.go_on(prefix, queries[:, :1]), whole[:, :1], atol=1e-5, rtol=1e-4)


def test_every_parameter_learns(backbone):
    backbone.zero_grad()
    images = torch.cat([picture(0), picture(1)])
    backbone(*inputs(backbone, images, PAIR), queries_of(backbone, count=2)).square()[..., 0].sum().backward()
    still = [name for name, p in backbone.named_parameters() if p.grad is None or not p.grad.abs().sum()]
    backbone.zero_grad()
    assert still == []


def test_bf16_is_near_fp32(backbone):
    exact = states(backbone, picture(0), PAIR[:1])
    with torch.autocast("cpu", torch.bfloat16):
        rough = states(backbone, picture(0), PAIR[:1])
    assert 1 - torch.cosine_similarity(rough.float().flatten(), exact.flatten(), dim=0) < 0.01


def test_blocks_are_parts_of_it_and_end_with_the_language_models_last(backbone):
    blocks = backbone.blocks()
    language = {id(p) for p in backbone.parameter_groups()["language"]}
    assert {id(p) for p in blocks[-1].parameters()} <= language
    assert len({id(block) for block in blocks}) == len(blocks) >= 2


def test_too_many_words(backbone):
    with pytest.raises(ValueError, match="max_words=8"):
        backbone.tokenise(["the red block " * 4], torch.device("cpu"))


def test_no_words_are_no_fault(tmp_path):
    assert torch.isfinite(states(build("tiny", tmp_path), picture(0), [""])).all()


def test_two_cameras(tmp_path):
    backbone = build("tiny", tmp_path, num_cameras=2)
    assert states(backbone, picture(0, cameras=2), ["push red"]).shape == (1, 3, 32)
    with pytest.raises(ValueError, match=r"\(1, 3, 32, 32\).*\(2, 3, 32, 32\)"):
        states(backbone, picture(0), ["push red"])


def test_unknown_model():
    with pytest.raises(ValueError, match="no image-text model '/no/such'"):
        HFBackbone(
            name="/no/such", pretrained=True, num_cameras=1, image_px=32, mean=[0.5] * 3, std=[0.5] * 3,
            look=pictures, attention="sdpa", both_ways=False, unused=[], max_words=8, pad_words=0,
        )  # fmt: skip
