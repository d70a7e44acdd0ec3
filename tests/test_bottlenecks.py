"""Every bottleneck of configs/bottleneck: codes name vectors and back, evaluation is pure, dead codes come to life."""

import pytest
import torch
from small_quantizer import build

from lapa.doors import configs_dir
from quantizer.bottlenecks import Gaussian, Nsvq, Vq

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
    if bottleneck.num_codes > 1:  # one code says nothing: a continuous bottleneck
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


@pytest.mark.parametrize(
    ("bottleneck", "steps"),
    [
        (Vq(num_codes=8, dim=4, decay=0.9, commitment=0.25, least_uses=2, kmeans_iters=0), 30),
        (Nsvq(num_codes=8, dim=4, decay=0.9, least_uses=2), 60),  # a row that was much in use is found dead later
    ],
    ids=["vq", "nsvq"],
)
def test_dead_codes_come_to_life(bottleneck, steps):
    torch.manual_seed(0)
    for step in range(steps):  # far from where the codebook began
        rng = torch.Generator().manual_seed(step)
        codes = bottleneck(5 + 0.3 * torch.randn(64, 4, 4, generator=rng)).codes
    assert len(codes.unique()) == 8


def test_nsvq_restarts_on_different_live_latents():
    torch.manual_seed(0)
    nsvq = Nsvq(num_codes=4, dim=2, decay=0.0, least_uses=1)  # a row unused once is dead
    live = torch.randn(32, 1, 2)
    with torch.no_grad():
        nsvq.rows.copy_(torch.tensor([[0.0, 0.0], [90.0, 0.0], [90.0, 1.0], [90.0, 2.0]]))
    nsvq(live)
    rows = nsvq.rows.detach()
    assert torch.equal(rows[0], torch.zeros(2))  # in use: left alone
    assert all((live[:, 0] == row).all(1).any() for row in rows[1:]) and len(rows.unique(dim=0)) == 4


def test_gaussian_pays_for_what_it_carries():
    torch.manual_seed(0)
    gaussian = Gaussian(dim=4, beta=1.0)
    little, much = (gaussian(scale * torch.randn(256, 2, 4)).loss.item() for scale in (0.1, 10.0))
    assert 0 < little < much
    gaussian.train()
    first, second = (gaussian(torch.zeros(1, 2, 4)).vectors for _ in range(2))
    assert not torch.equal(first, second)  # noise while training
    gaussian.eval()
    assert torch.equal(gaussian(torch.ones(1, 2, 4)).vectors, gaussian(torch.ones(1, 2, 4)).vectors)
