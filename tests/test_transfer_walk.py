"""recipe=transfer at toy size: two settings, every arm; what they share is made once, and a second run makes nothing."""

import json
from collections import Counter
from pathlib import Path

import pytest

from lapa import cli, recipe
from lapa.config import compose
from lapa.settings import steps_of
from lapa.stage import read_manifest

OWN_CONFIGS = Path(__file__).parent / "own_configs"
SETTINGS = ("in_domain", "human")


def arguments(out: Path) -> list[str]:
    return [
        "recipe=transfer_toy",
        f"setting=[{','.join(SETTINGS)}]",
        f"out={out}",
        "num_workers=0",
        "trainings=2",
    ]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_settings_share_steps_and_meet_the_same_starts(tmp_path, monkeypatch):
    out, told = tmp_path / "transfer", []
    monkeypatch.setattr(recipe, "summary", seen_by(told, recipe.summary))
    for _ in range(2):
        cli.main(["run", "--config-dir", str(OWN_CONFIGS), *arguments(out)])
    whole = compose("run", arguments(out), OWN_CONFIGS)
    wanted = steps_of(whole.recipe, setting=SETTINGS, arms=None, trainings=whole.trainings)
    first, second = told
    assert max(Counter(step.name for step in first).values()) == 1 and {step.name for step in first} == set(wanted)
    assert all(step.skipped for step in second if step.door != "report")
    rollouts = [name for name in wanted if "rollout_" in name]
    assert policy_hashes(out, "rollout_scratch").isdisjoint(policy_hashes(out, "seed_1/rollout_scratch"))
    assert {name.partition("rollout_")[2] for name in rollouts} == set(whole.recipe.settings.in_domain.arms)
    starts = {starts_of(out / name) for name in rollouts}
    assert len(starts) == 1, "arms and settings must meet the same starts"
    assert {row[0] for row in next(iter(starts))} > set(read_manifest(out / "demos")["config"]["task_hashes"])


def seen_by(told, summary):
    def seen(steps):
        told.append(steps)
        return summary(steps)

    return seen


def policy_hashes(out: Path, rollout: str) -> set[str]:
    return {row["policy_hash"] for row in episodes_of(out / rollout)}


def starts_of(folder: Path) -> tuple:
    return tuple((row["task_hash"], row["seed"], row["state_hash"]) for row in episodes_of(folder))


def episodes_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "episodes.jsonl").read_text().splitlines()]
