"""policy.graphs: fixed shapes change no action; without a GPU the switch is refused; with one, replayed is computed."""

import pytest
import torch

from lapa import cli
from lapa.records import Observation
from policy import infer
from policy.graphs import fix_shapes, use_graphs
from tests import policy_toys as toys
from tests import serving


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return serving.toy_checkpoint(tmp_path_factory.mktemp("graphs"))


def observations(count: int) -> list[Observation]:
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (count, 3, toys.PX, toys.PX), dtype=torch.uint8, generator=generator)
    states, texts = torch.randn(count, 3, generator=generator), ["reach the red block", "go", ""]
    return [Observation({"front": pictures[i]}, texts[i % 3], states[i]) for i in range(count)]


def test_fixed_shapes_change_no_action(checkpoint):
    free, fixed, shapes = infer.load(checkpoint, device="cpu"), infer.load(checkpoint, device="cpu"), set()
    fix_shapes(fixed, max_batch=6)
    assert fixed.batch_sizes == (1, 2, 4, 6)
    fixed.model.trunk.backbone.register_forward_pre_hook(lambda _, given: shapes.add(tuple(given[1].tokens.shape)))
    for count in (1, 2, 3, 4, 5, 6):
        seen = observations(count)
        for one, other in zip(free.act_batch(seen), fixed.act_batch(seen), strict=True):
            torch.testing.assert_close(one.actions, other.actions, atol=1e-5, rtol=1e-5)
    assert shapes == {(size, 64) for size in (1, 2, 4, 6)}


def test_without_a_gpu_the_switch_is_refused(checkpoint, capsys):
    with pytest.raises(ValueError, match="CUDA graphs need a GPU"):
        use_graphs(infer.load(checkpoint, device="cpu"), max_batch=4)
    with pytest.raises(SystemExit):
        cli.main(["serve", f"checkpoint={checkpoint}", "port=0", "cuda_graphs=true"])
    assert "lapa serve: CUDA graphs need a GPU" in capsys.readouterr().err


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_replayed_is_computed(checkpoint):
    plain, graphed = infer.load(checkpoint, device="cuda"), infer.load(checkpoint, device="cuda")
    use_graphs(graphed, max_batch=4)
    for count in (1, 3, 4, 1):
        seen = observations(count)
        for one, other in zip(plain.act_batch(seen), graphed.act_batch(seen), strict=True):
            torch.testing.assert_close(one.actions, other.actions, atol=1e-4, rtol=1e-4)
