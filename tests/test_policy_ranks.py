"""Two processes train a policy as one does on twice the batch; divided weights too; both resume exactly, also as one."""

from pathlib import Path

import policy_toys as toys
import pytest
import torch
from policy_ranks import ACTION, FUTURE, LATENT, SAVED_AT, fit
from ranks import run_ranks
from safetensors.torch import load_file

from lapa.metrics import read_metrics

HERE = Path(__file__).parent
IDLE = ("convolutions.0.bias", "convolutions.1.bias", "maps.bias")  # a norm or a softmax takes away what they add


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """What both ranks of policy_ranks.py left."""
    folder = tmp_path_factory.mktemp("ranks")
    clips = toys.write_clips(folder / "clips")
    toys.write_codes(folder / "codes", clips)
    toys.write_demos(folder / "demos")
    run_ranks("policy_ranks.py", folder, ports=12, timeout_s=280)
    return folder


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "weights.safetensors")


def assert_alike(one: Path, other: Path) -> None:
    """To rounding, but for weights without effect: their gradient is nothing but rounding, which Adam makes large."""
    both = [
        {name: value for name, value in weights(folder).items() if not name.endswith(IDLE)} for folder in (one, other)
    ]
    assert len(both[0]) == len(weights(one)) - len(IDLE)
    torch.testing.assert_close(*both, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def alone(trained) -> Path:
    """The same trainings by one process on the whole batches."""
    fit(trained, "one-latent", LATENT, *FUTURE)
    fit(trained, "one-action", ACTION)
    fit(trained, "one-plain", LATENT)
    return trained


@pytest.mark.parametrize(("trainer", "kind"), [("ddp", "latent"), ("fsdp", "latent"), ("ddp", "action")])
def test_two_ranks_equal_one_process_with_twice_the_batch(trained, alone, trainer, kind):
    assert_alike(trained / f"{trainer}-{kind}", alone / f"one-{kind}")
    assert any("standardise.running_mean" in name for name in weights(alone / f"one-{kind}"))


def test_a_training_killed_on_both_ranks_goes_on_exactly(trained):
    whole, broken = (weights(trained / f"{name}-ddp_cpu") for name in ("whole", "broken"))
    assert all(torch.equal(whole[name], broken[name]) for name in whole)
    curves = [read_metrics(trained / f"{name}-ddp_cpu") for name in ("whole", "broken")]
    for name in ("train/loss", "val/accuracy", "val/majority"):
        assert curves[0][name] == curves[1][name]
    assert {"speed/tokens_per_s", "speed/samples_per_s"} <= curves[0].keys()


@pytest.mark.parametrize("trainer", ["ddp_cpu", "fsdp_cpu"])
def test_what_two_ranks_left_one_process_goes_on_with(trained, alone, trainer):
    """Weights, optimiser and schedule are those of two ranks: the rest of the training is that of one process."""
    checkpoint = trained / f"half-{trainer}" / "resume" / "last.ckpt"
    assert torch.load(checkpoint, weights_only=True)["global_step"] == SAVED_AT
    fit(trained, f"resumed-{trainer}", LATENT, resume=checkpoint)
    assert_alike(trained / f"resumed-{trainer}", alone / "one-plain")
    steps = read_metrics(trained / f"resumed-{trainer}")["train/loss"]
    assert min(steps) == SAVED_AT
