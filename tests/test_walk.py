"""The whole house at toy size: raw episodes → codes → policy → robot → page; killed anywhere, it ends in the same bytes."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lapa import cli
from lapa.metrics import read_metrics
from lapa.stage import manifest_hash, read_manifest

OWN_CONFIGS = Path(__file__).parent / "own_configs"
STEPS = ("tasks", "clips", "quantizer", "codes", "latent_policy", "demos", "policy_lapa", "policy_scratch")
TRAININGS = ("quantizer", "latent_policy", "policy_lapa", "policy_scratch")


def arguments(out: Path) -> list[str]:
    return ["run", "--config-dir", str(OWN_CONFIGS), "recipe=toy", f"out={out}", "num_workers=0"]


def kill_after(out: Path, seconds: float) -> int:
    """Run the walk in a process of its own and kill it, hard, after some time; returns its exit status."""
    command = [sys.executable, "-m", "lapa", *arguments(out)]
    with open(out.with_suffix(".log"), "ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ, start_new_session=True)
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


@pytest.fixture(scope="module")
def walked(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("walk") / "whole"
    cli.main(arguments(out))
    return out


@pytest.mark.timeout(600)
def test_the_walk_ends_in_a_success_table_and_a_page(walked):
    summary = json.loads((walked / "rollout_lapa" / "summary.json").read_text())
    assert summary["all"]["episodes"] == 2 * read_manifest(walked / "tasks")["count"]
    starts = [
        [json.loads(line)["state_hash"] for line in (walked / arm / "episodes.jsonl").read_text().splitlines()]
        for arm in ("rollout_lapa", "rollout_scratch")
    ]
    assert starts[0] == starts[1], "arms must meet the same starts"
    assert "McNemar" in (walked / "report" / "page.html").read_text()
    quality = json.loads((walked / "codes" / "quality.json").read_text())
    assert {"perplexity", "probe"} <= quality.keys(), "code use is never reported without a probe"


@pytest.mark.timeout(600)
def test_a_second_run_skips_everything(walked, capsys):
    started = time.time()
    cli.main(arguments(walked))
    assert capsys.readouterr().out.count("unchanged, skipped") >= 10 and time.time() - started < 60


@pytest.mark.timeout(900)
def test_killed_at_random_moments_it_ends_the_same(walked, tmp_path):
    out, rng = tmp_path / "broken", random.Random(0)
    for _ in range(3):
        kill_after(out, rng.uniform(8, 25))
    cli.main(arguments(out))
    for step in STEPS:
        one, other = (read_manifest(folder / step)["files"] for folder in (walked, out))
        assert one == other, f"{step} differs after kills"
        assert manifest_hash(walked / step) == manifest_hash(out / step), step
    for step in TRAININGS:
        whole, broken = (read_metrics(folder / step)["train/loss"] for folder in (walked, out))
        assert broken and broken.items() <= whole.items(), step  # a row may be lost, none may differ


def test_a_policy_refuses_another_robot_in_one_line(walked, capsys):
    with pytest.raises(SystemExit):
        cli.main(
            ["rollout", f"checkpoint={walked}/policy_lapa", f"tasks={walked}/tasks", f"out={walked}/wrong",
             "embodiment=panda", "episodes_per_task=1"]
        )  # fmt: skip
    error = capsys.readouterr().err
    assert "ur5e" in error and "panda" in error and error.count("\n") == 1
