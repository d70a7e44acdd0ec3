"""lapa.checkpoint: strict both ways, and settings from a file build nothing but our own classes."""

import pytest
import torch
from torch import nn

from lapa import checkpoint


def test_round_trip(tmp_path):
    one, other = nn.Linear(3, 2), nn.Linear(3, 2)
    checkpoint.save(tmp_path, one, {"dim": 3})
    checkpoint.load_weights(tmp_path, other)
    assert torch.equal(one.weight, other.weight) and checkpoint.load_settings(tmp_path) == {"dim": 3}


def test_what_does_not_fit_is_named(tmp_path):
    checkpoint.save(tmp_path, nn.Linear(3, 2), {})
    with pytest.raises(ValueError, match=r"weight has shape \(2, 3\), this model wants \(4, 3\)"):
        checkpoint.load_weights(tmp_path, nn.Linear(3, 4))
    with pytest.raises(ValueError, match="0.weight is missing"):
        checkpoint.load_weights(tmp_path, nn.Sequential(nn.Linear(3, 2)))


def test_a_truncated_file_is_named(tmp_path):
    checkpoint.save(tmp_path, nn.Linear(30, 20), {})
    path = tmp_path / checkpoint.WEIGHTS
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match="is damaged"):
        checkpoint.load_weights(tmp_path, nn.Linear(30, 20))
    with pytest.raises(ValueError, match="holds no model"):
        checkpoint.load_settings(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "target",
    [
        "os.system", "subprocess.run", "quantizerx.y", "builtins.eval", "quantizer", "quantizer.", "quantizer.model.nn",
        "quantizer.model.torch.load", "quantizer.labellers.Path.write_text", "quantizer.labellers.checkpoint.save",
        "quantizer.labellers.open_labeller", "quantizer.model.Path", "quantizer.nothing.Here", "quantizer.model.Nothing",
    ],
)  # fmt: skip
def test_foreign_targets_are_refused(target):
    with pytest.raises(ValueError, match="may be built from a file"):
        checkpoint.build({"a": [{"_target_": target, "_args_": ["true"]}]}, allowed=("quantizer.",))


def test_a_file_reads_nothing_of_this_machine():
    with pytest.raises(ValueError, match="may hold no"):
        checkpoint.build({"a": "${oc.env:HOME}"}, allowed=("quantizer.",))


def test_classes_and_functions_to_be_called_later_are_built():
    jitter = {"_target_": "quantizer.augment.Jitter", "shift": 0.0, "zoom": 0.0, "brightness": 0.0, "contrast": 0.0}
    assert isinstance(checkpoint.build(jitter, allowed=("quantizer.",)), nn.Module)
    later = {"_target_": "policy.backbones.look.pictures", "_partial_": True}
    assert callable(checkpoint.build(later, allowed=("policy.backbones.",)))
    with pytest.raises(ValueError, match="may be built from a file"):
        checkpoint.build(later | {"_partial_": False}, allowed=("policy.backbones.",))
