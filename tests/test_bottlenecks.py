"""Every bottleneck of configs/bottleneck: codes name vectors and back, evaluation is pure, dead codes come to life."""

import pytest
import torch
from small_quantizer import build

from lapa.doors import configs_dir
from quantizer.bottlenecks import Vq

NAMES = sorted(path.stem for path in (configs_dir() / "bottleneck").glob("*.yaml"))


@pytest.fixture(params=NAMES)
def bottleneck(request):
    return build(bottleneck=request.param).bottleneck


def latents(bottleneck, count=64):
    return torch.randn(count, 4, bottleneck.dim, generator=torch.Generator().manual_seed(1))


def test_codes_name_the_vectors_they_came_with(bottleneck):
    bottleneck.eval()
    found = bottleneck(latents(bottleneck))
    assert found.codes.shape == (64, 4) and found.codes.dtype == torch.int64
    assert 0 <= found.codes.min() and found.codes.max() < bottleneck.num_codes
    assert found.loss.shape == () and found.vectors.shape == (64, 4, bottleneck.dim)
    assert torch.allclose(bottleneck.lookup(found.codes), found.vectors, atol=1e-5)


def test_evaluation_changes_nothing(bottleneck):
    bottleneck(latents(bottleneck))  # a training step first: the codebook moves
    bottleneck.eval()
    state = {name: tensor.clone() for name, tensor in bottleneck.state_dict().items()}
    first, second = (bottleneck(latents(bottleneck)).codes for _ in range(2))
    assert torch.equal(first, second)
    assert all(torch.equal(tensor, state[name]) for name, tensor in bottleneck.state_dict().items())


def test_gradients_reach_the_latents(bottleneck):
    inputs = latents(bottleneck).requires_grad_()
    bottleneck(inputs).vectors.square().sum().backward()
    assert inputs.grad is not None and inputs.grad.abs().sum() > 0


def test_codes_outside_the_codebook_are_refused(bottleneck):
    with pytest.raises(ValueError, match=f"0 … {bottleneck.num_codes - 1}"):
        bottleneck.lookup(torch.full((1, 4), bottleneck.num_codes))


def test_dead_codes_come_to_life():
    torch.manual_seed(0)
    vq = Vq(num_codes=8, dim=4, decay=0.9, commitment=0.25, least_uses=2, kmeans_iters=0)
    for step in range(30):  # far from where the codebook began
        rng = torch.Generator().manual_seed(step)
        codes = vq(5 + 0.3 * torch.randn(64, 4, 4, generator=rng)).codes
    assert len(codes.unique()) == 8
