"""policy.heads.codes: autoregressive codes behind a cached prefix are those of whole passes."""

import torch

from policy.models import LatentModel
from tests import backbone_toys as toys


def latent_model(folder):
    torch.manual_seed(0)
    head = {"_target_": "policy.heads.codes.AutoregressiveCodes", "_partial_": True}
    sizes = {"num_codes": 8, "codes_per_step": 4, "cameras": ["front"], "gaps_s": [0.5], "future": None}
    model = toys.stir(LatentModel(backbone=toys.settings("tiny", folder), head=head, **sizes)).eval()
    model.trunk.backbone.stem.standardise.running_var.fill_(1e-4)  # codes must differ, or they could not be wrong
    return model


@torch.no_grad()
def by_whole_passes(model, images, texts):
    """One pass over everything for each code."""
    codes = torch.zeros(len(images), 4, dtype=torch.int64)
    for i in range(4):
        codes[:, i] = model.codes.logits(model.trunk, images, texts, codes)[:, i].argmax(dim=-1)
    return codes


def test_codes_behind_a_cached_prefix(tmp_path):
    model = latent_model(tmp_path)
    images = torch.cat([toys.picture(seed) for seed in range(16)])
    texts = ["reach the red block", "push blue"] * 8
    with torch.no_grad():
        codes = model.predict({"front": images[:, 0]}, texts)
    assert torch.equal(codes, by_whole_passes(model, images, texts))
    assert len({tuple(row) for row in codes.tolist()}) > 4  # they are not all one answer


def test_the_trunk_goes_on_from_its_prefix(tmp_path):
    trunk = latent_model(tmp_path).trunk
    images, hints = torch.cat([toys.picture(0), toys.picture(1)]), torch.randn(2, 4, 32)
    with torch.no_grad():
        prefix = trunk.prefix(images, ["push red", "reach the blue block"])
        for added in (None, hints):
            whole = trunk(images, ["push red", "reach the blue block"], added)
            torch.testing.assert_close(trunk.go_on(prefix, added), whole, atol=1e-5, rtol=1e-4)
    assert trunk.blocks() == list(trunk.backbone.language.layers)
