"""lapa.recipe: doors in order, unchanged ones skipped, and every step of every shipped recipe composes."""

import pytest
from omegaconf import OmegaConf

from lapa import cli, recipe
from lapa.config import choices, compose
from lapa.stage import open_stage


def fake_door(cfg):
    with open_stage(cfg, {"source": cfg.source} if cfg.source else {}) as stage:
        if not stage.done:
            (stage.out / "value").write_text(str(cfg.value))
            stage.finish(record="Clip", count=1)


def test_unchanged_steps_are_skipped_and_changes_run_on(tmp_path, monkeypatch, capsys):
    def enter(door, overrides, config_dir):
        given = OmegaConf.from_dotlist(overrides)
        fake_door(OmegaConf.merge({"source": None, "value": 0}, given))

    monkeypatch.setattr(cli, "enter", enter)

    def run(value):
        steps = {
            "first": {"door": "build", "with": [f"value={value}"]},
            "second": {"door": "label", "with": [f"source={tmp_path}/first"]},
        }
        cfg = {"out": str(tmp_path), "num_workers": 0, "seed": 0, "config_dir": None, "recipe": {"steps": steps}}
        recipe.main(OmegaConf.create(cfg))
        return capsys.readouterr().out.count("unchanged │")

    assert run(1) == 0
    assert run(1) == 2  # nothing changed
    assert run(2) == 0  # the first changed, so its hash, so the second
    (tmp_path / "second" / "manifest.json").unlink()
    assert run(2) == 1  # killed before the second ended: the first is kept


def test_reports_come_last_whatever_was_added_behind_them(tmp_path, monkeypatch):
    doors = []
    monkeypatch.setattr(cli, "enter", lambda door, overrides, config_dir: doors.append(door))
    steps = {name: {"door": name, "with": []} for name in ("build", "report", "label")}
    cfg = {"out": str(tmp_path), "num_workers": 0, "seed": 0, "config_dir": None, "recipe": {"steps": steps}}
    recipe.main(OmegaConf.create(cfg))
    assert doors == ["build", "label", "report"]


@pytest.mark.parametrize("name", choices("recipe"))
def test_every_step_composes(name):
    cfg = compose("run", [f"recipe={name}", "videos=/videos"])
    for step_name, step in cfg.recipe.steps.items():
        compose(step.door, [f"out=/nowhere/{step_name}", "seed=0", "num_workers=0", "overwrite=true", *step["with"]])
