"""Two processes train as one does on twice the batch; their codebooks agree to the bit; FSDP2, resuming and the command too."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from ranks import run_ranks
from ranks_job import DATA, STEPS, STILL, TRAINER, fit
from safetensors.torch import load_file
from small_quantizer import SMALL, clip_folder

from lapa.cli import enter
from lapa.metrics import read_metrics
from lapa.ranks import gathered, is_first, mean_over_ranks
from lapa.stage import read_manifest

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """What both ranks of ranks_job.py left."""
    folder = tmp_path_factory.mktemp("ranks")
    clip_folder(folder / "clips")
    run_ranks("ranks_job.py", folder, ports=3, timeout_s=120)
    return folder


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "weights.safetensors")


@pytest.mark.parametrize("bottleneck", STILL)
def test_two_ranks_equal_one_process_with_twice_the_batch(trained, tmp_path, bottleneck):
    fit(tmp_path, "one", *STILL[bottleneck], bottleneck=bottleneck)
    one, two = weights(tmp_path / "one"), weights(trained / f"ddp-{bottleneck}")
    torch.testing.assert_close(two, one, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["ddp-vq", "ddp-rvq", "restarts-vq", "restarts-rvq", "restarts-nsvq"])
def test_codebooks_and_scales_agree_on_all_ranks(trained, name):
    first, second = (load_file(trained / f"{name}-{rank}.safetensors") for rank in range(2))
    assert first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("bottleneck", ["vq", "rvq"])
def test_dead_codes_were_restarted(trained, bottleneck):
    """Otherwise the law above would say nothing of restarts."""
    still, restarted = (weights(trained / f"{kind}-{bottleneck}") for kind in ("ddp", "restarts"))
    books = [name for name in still if name.endswith("_codebook.embed")]
    assert books and not any(torch.equal(still[name], restarted[name]) for name in books)


def test_divided_weights_train_as_whole_ones(trained):
    torch.testing.assert_close(weights(trained / "fsdp-vq"), weights(trained / "ddp-vq"), rtol=1e-4, atol=1e-5)


def test_a_training_killed_on_both_ranks_goes_on_exactly(trained):
    whole, broken = weights(trained / "whole"), weights(trained / "broken")
    assert all(torch.equal(whole[name], broken[name]) for name in whole)
    curves = [read_metrics(trained / name)["train/loss"] for name in ("whole", "broken")]
    assert curves[0] == curves[1] and len(curves[0]) == STEPS


def test_the_command_starts_its_ranks_and_one_of_them_speaks(tmp_path):
    clips, out = clip_folder(tmp_path / "clips"), tmp_path / "out"
    words = [f"model.settings.{word}" for word in SMALL.split()]
    command = [sys.executable, "-m", "lapa", "train", "experiment=quantizer", "trainer=ddp_cpu", f"clips={clips}"]
    command += [f"out={out}", *TRAINER, *DATA, *words]
    done = [subprocess.run(command, capture_output=True, text=True, timeout=120) for _ in range(2)]
    assert [run.returncode for run in done] == [0, 0], done[0].stderr
    assert done[1].stdout.count("unchanged, skipped") == 1
    assert read_manifest(out)["count"] == STEPS and "val/perplexity" in read_manifest(out)["final"]


def test_one_process_is_its_own_mean():
    value = torch.tensor([1.0, 2.0])
    assert mean_over_ranks(value) is value and gathered(value) is value


def test_a_recipes_training_is_started_again_as_itself(monkeypatch):
    """Lightning runs a process's own words once more for each rank: within a recipe they must be the door's."""
    words: list[list[str]] = []
    monkeypatch.setattr("lapa.recipe.main", lambda cfg: words.append(sys.argv[1:]))
    monkeypatch.setattr(sys, "argv", ["lapa", "something", "else"])
    enter("run", ["recipe=demo", "seed=3"])
    assert words == [["run", "recipe=demo", "seed=3"]] and sys.argv == ["lapa", "something", "else"]


@pytest.mark.parametrize(
    ("environment", "first"),
    [({}, True), ({"RANK": "8", "LOCAL_RANK": "0"}, False), ({"SLURM_PROCID": "3"}, False), ({"SLURM_PROCID": "0"}, True),
     ({"LOCAL_RANK": "1", "SLURM_PROCID": "0"}, False)],
)  # fmt: skip
def test_one_process_writes_whoever_started_it(monkeypatch, environment, first):
    for name in ("RANK", "SLURM_PROCID", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert is_first() == first
