"""ActionPolicy with keep_latents: codes go on being learnt beside actions, and the policy that is kept is a plain one."""

import shutil

import pytest
import torch

from lapa import checkpoint
from lapa.files import write_json
from lapa.metrics import read_metrics
from lapa.stage import read_manifest
from lapa.train import main
from policy import infer
from tests import policy_toys as toys
from tests.test_policy import built, observation


@pytest.fixture(scope="module", params=["parallel", "autoregressive"])
def folders(request, tmp_path_factory):
    """Demonstrations, their codes, a latent policy of the same codebook."""
    root = tmp_path_factory.mktemp("kept")
    clips, demos = toys.write_clips(root / "clips"), toys.write_demos(root / "demos")
    head = f"head@model.head={request.param}"
    codes = toys.write_codes(root / "codes", clips)
    main(toys.train_config("latent_policy", f"clips={clips}", f"codes={codes}", f"out={root / 'latent'}", head))
    return demos, toys.write_codes(root / "labels", demos, prefix="d"), root / "latent"


def settings(folders, weight=1.0):
    demos, codes, latent = folders
    return [f"demos={demos}", f"codes={codes}", f"init_from={latent}", f"model.keep_latents={weight}"]


def test_codes_are_learnt_beside_actions(folders):
    module, data = built("action_policy", *settings(folders), "model.shift_px=0")
    saved = checkpoint.read_weights(folders[2])
    for name, tensor in module.model.codes.state_dict().items():
        assert torch.equal(tensor, saved[f"codes.{name}"])
    batch = next(iter(data._loader(data.stream("train"))))
    inputs = module.see(batch), list(batch.text), batch.state, batch.actions, batch.action_mask
    unknown = torch.full_like(batch.codes, -1)
    alone = module.model.loss(*inputs, unknown)
    parts = [module.model.loss(*inputs, batch.codes) - alone]
    module.model.keep(module.model.codes, 3.0)
    parts.append(module.model.loss(*inputs, batch.codes) - alone)
    assert parts[0] > 0
    torch.testing.assert_close(parts[1], 3 * parts[0], atol=1e-4, rtol=1e-3)
    optimiser = torch.optim.AdamW(module.model.parameters(), lr=3e-3)
    for _ in range(30):
        optimiser.zero_grad()
        loss = module.model.loss(*inputs, batch.codes)
        loss.backward()
        optimiser.step()
    assert loss < 0.5 * (alone + parts[1])


def test_what_is_kept_is_a_plain_policy(folders, tmp_path):
    main(toys.train_config("action_policy", *settings(folders), f"out={tmp_path}"))
    assert 0 <= list(read_metrics(tmp_path)["val/accuracy"].values())[-1] <= 1
    assert not [name for name in checkpoint.read_weights(tmp_path) if name.startswith("codes.")]
    assert infer.load(tmp_path, device="cpu").act(observation()).actions.shape == (8, 3)


def test_what_keeping_needs(folders, tmp_path):
    demos, _, latent = folders
    with pytest.raises(ValueError, match="keep_latents needs a latent policy"):
        built("action_policy", f"demos={demos}", f"init_from={latent}", "model.keep_latents=1")
    others = toys.write_codes(tmp_path / "labels", demos, prefix="d", num_codes=16)
    with pytest.raises(
        ValueError, match=r"another codebook: num_codes, codes_per_step = \[8, 4\] there, \[16, 4\] here"
    ):
        built("action_policy", *settings((demos, others, latent)))
    apart = [toys.write_clips(tmp_path / name, count=count) for name, count in (("one", 1), ("two", 2))]
    codes = [toys.write_codes(tmp_path / f"{each.name}_codes", demos, prefix="d", quantizer=each) for each in apart]
    told = shutil.copytree(latent, tmp_path / "told")
    saved = checkpoint.load_settings(told)
    saved["facts"]["quantizer"] = read_manifest(codes[0])["inputs"]["quantizer"]
    write_json(told / checkpoint.SETTINGS, saved)
    built("action_policy", *settings((demos, codes[0], told)))
    with pytest.raises(ValueError, match="told was trained on another quantizer's codes"):
        built("action_policy", *settings((demos, codes[1], told)))
    missing = toys.write_codes(tmp_path / "missing", demos, prefix="x")
    _, data = built("action_policy", f"demos={demos}", f"codes={missing}", "init_from=null")
    with pytest.raises(ValueError, match="demonstration 'd[0-9]+' has no codes"):
        next(iter(data.stream("train")))
