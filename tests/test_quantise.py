"""policy.quantise: 8 bits act nearly like 32 and take less room; what a platform cannot is told."""

import pytest
import torch

from policy.models import ActionModel
from policy.quantise import quantise
from tests import backbone_toys
from tests.test_cells import settings


def model(folder, backbone="tiny", head="chunk"):
    toys = backbone_toys.settings(backbone, folder)
    return backbone_toys.stir(ActionModel(**settings(toys, head))).eval()


def act(policy):
    torch.manual_seed(1)
    images = torch.cat([backbone_toys.picture(seed) for seed in range(8)])
    return policy.act({"front": images[:, 0]}, ["reach the red block"] * 8, torch.randn(8, 3))


@pytest.mark.parametrize("backbone", ["tiny", "hf"])
def test_eight_bits_act_nearly_alike(tmp_path, backbone):
    exact = act(model(tmp_path, backbone))
    small = quantise(model(tmp_path, backbone), bits=8)
    error = (act(small) - exact).abs().mean() / exact.abs().mean()
    assert 0 < error < 0.1
    assert not any(type(module) is torch.nn.Linear for module in small.modules())


def test_four_bits_without_a_gpu(tmp_path):
    with pytest.raises(ValueError, match="4 bits need an NVIDIA GPU and the library bitsandbytes"):
        quantise(model(tmp_path), bits=4)


def test_other_bits_and_other_places(tmp_path):
    with pytest.raises(ValueError, match=r"no quantisation to 3 bits; there are 8 \(CPU\) and 4 \(NVIDIA GPU\)"):
        quantise(model(tmp_path), bits=3)
    with pytest.raises(ValueError, match="8 bits are for the CPU; this policy is on 'meta'"):
        quantise(model(tmp_path).to("meta"), bits=8)
