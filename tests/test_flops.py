"""lapa.flops, lapa.scale: FLOPs are the model's own, watching and recomputing change nothing but time and memory."""

import pytest
import torch
from ranks_job import fit
from small_quantizer import build
from sprites import sprites
from torch import nn

from lapa.checkpoint import read_weights
from lapa.flops import Flops, matmul_peak
from lapa.metrics import read_metrics
from lapa.scale import recompute
from quantizer.blocks import Block


def test_a_linear_layer_costs_two_flops_a_weight_and_sample_and_twice_that_backwards():
    layer, rows = nn.Linear(24, 40), torch.randn(7, 24, requires_grad=True)
    with Flops() as forward:
        out = layer(rows)
    with Flops() as backward:
        out.sum().backward()
    assert forward.total == 2 * 7 * 24 * 40 and backward.total == 2 * forward.total


def step(block: nn.Module) -> tuple[int, int, list[torch.Tensor]]:
    """FLOPs of forward and backward, numbers kept between them, gradients."""
    kept = 0

    def count(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal kept
        kept += tensor.numel()
        return tensor

    tokens = torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(0), requires_grad=True)
    with Flops() as work:
        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            out = block(tokens)
        out.square().sum().backward()
    return work.total, kept, [tokens.grad, *(p.grad.clone() for p in block.parameters())]


def test_a_recomputed_block_gives_the_same_keeps_less_and_counts_the_same():
    torch.manual_seed(0)
    block = Block(dim=16, num_heads=2)
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.2)
    flops, kept, gradients = step(block)
    block.zero_grad()
    recompute(block)
    flops_again, kept_again, gradients_again = step(block)
    assert flops == flops_again > 0 and kept_again < kept / 4
    assert all(torch.equal(one, other) for one, other in zip(gradients, gradients_again, strict=True))


def test_watching_and_measuring_leave_results_and_random_state_alone():
    before, after, _ = sprites(4, 24, seed=0)
    losses = []
    for watched in (False, True):
        model = build()
        torch.manual_seed(1)
        if watched:
            assert matmul_peak(torch.device("cpu"), torch.float32) > 1e8
            with Flops() as work:
                losses.append(model.loss(model(before, after, None)))
            assert work.total > 1e6
        else:
            losses.append(model.loss(model(before, after, None)))
    assert torch.equal(*losses)


def test_switches_change_no_result_and_speed_is_logged(tmp_path):
    fit(tmp_path, "plain")
    fit(tmp_path, "thrifty", "trainer.checkpoint_activations=true")
    plain, thrifty = (read_weights(tmp_path / name) for name in ("plain", "thrifty"))
    assert all(torch.equal(plain[name], thrifty[name]) for name in plain)
    curves = read_metrics(tmp_path / "plain")
    assert {"speed/samples_per_s", "speed/tflops"} <= curves.keys() and min(curves["speed/mfu"].values()) > 0
    assert all(0 <= share < 1 for share in curves["speed/data_wait"].values())


@pytest.mark.slow
def test_compiled_parts_give_the_same_to_rounding(tmp_path):
    fit(tmp_path, "plain")
    fit(tmp_path, "compiled", "trainer.compile=true")
    plain, compiled = (read_weights(tmp_path / name) for name in ("plain", "compiled"))
    torch.testing.assert_close(compiled, plain, rtol=1e-3, atol=1e-4)
