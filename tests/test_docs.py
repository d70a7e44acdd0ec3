"""What README and docs/experiment.md tell to type: every line composes, and the recipe of one's own has the steps it says."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from lapa.config import compose
from lapa.doors import DOORS, configs_dir, named
from lapa.settings import steps_of

ROOT = Path(__file__).parent.parent
EXPERIMENT = ROOT / "docs" / "experiment.md"


def lines_of(path):
    """The lines that begin with `lapa DOOR`, without what stands behind #; `python` blocks and prose have none."""
    found = [line.strip() for line in path.read_text().splitlines()]
    return [line for line in found if line.startswith("lapa ") and line.split()[1] in DOORS]


@pytest.mark.parametrize("line", [*lines_of(ROOT / "README.md"), *lines_of(EXPERIMENT)])
def test_every_line_composes(line):
    _, door, *overrides = shlex.split(line, comments=True)
    cfg = compose(door, named(door, overrides))
    if door == "run":
        assert steps_of(cfg.recipe, setting=cfg.setting, arms=cfg.arms, trainings=cfg.trainings)


@pytest.fixture
def mine(tmp_path):
    """The steps of the recipe that docs/experiment.md shows."""
    text = re.search(r"```yaml\n(.*?)```", EXPERIMENT.read_text(), re.DOTALL)[1]
    (tmp_path / "recipe").mkdir()
    (tmp_path / "recipe" / "mine.yaml").write_text(text)
    cfg = compose("run", ["recipe=mine", "videos=/data/my videos", "out=runs/mine"], tmp_path)
    return steps_of(cfg.recipe, setting="all", arms=None)


def test_a_recipe_of_ones_own_adds_a_setting_and_an_arm(mine):
    assert compose("build", ["out=/nowhere", *mine["my_videos/clips"]["with"]]).videos == "/data/my videos"
    frozen = compose("train", ["out=/nowhere", *mine["my_videos/policy_frozen"]["with"]])
    assert frozen.model.strategy == yaml.safe_load((configs_dir() / "strategy" / "frozen_vision.yaml").read_text())
    assert frozen.init_from == "runs/mine/my_videos/latent_policy"
    assert {"policy_scratch", "my_videos/rollout_frozen", "my_videos/rollout_lapa", "my_videos/codes"} <= mine.keys()
