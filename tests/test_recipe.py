"""lapa.recipe: doors in order, unchanged ones skipped, and every step of every shipped recipe composes."""

import re

import pytest
from omegaconf import OmegaConf

from lapa import cli, recipe
from lapa.config import choices, compose
from lapa.settings import steps_of
from lapa.stage import open_stage
from sim_finetune.episode import seed_block


def fake_door(cfg):
    with open_stage(cfg, {"source": cfg.source} if cfg.source else {}) as stage:
        if not stage.done:
            (stage.out / "value").write_text(str(cfg.value))
            stage.finish(record="Clip", count=1)


def walk_of(steps, out, **chosen):
    """What the door `run` is given for a recipe."""
    cfg = {"out": str(out), "num_workers": 0, "jobs": 1, "seed": 0, "config_dir": None, "trainings": 1, "videos": None}
    return OmegaConf.create({**cfg, "setting": "all", "arms": None, "recipe": steps, **chosen})


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
        recipe.main(walk_of({"steps": steps}, tmp_path))
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
    recipe.main(walk_of({"steps": steps}, tmp_path))
    assert doors == ["build", "label", "report"]


def unlike_steps(recipe):
    """(door, overrides) of all steps; one of those that differ in folders and numbers only."""
    unlike = {}
    for step in steps_of(recipe, setting="all", arms=None).values():
        unlike[(step["door"], *(re.sub(r"=(.*runs/.*|[\d.]+)$", "", text) for text in step["with"]))] = step
    return [(step["door"], step["with"]) for step in unlike.values()]


@pytest.mark.parametrize("name", [name for name in choices("recipe") if not name.startswith("transfer_")])
def test_every_step_composes(name):
    cfg = compose("run", [f"recipe={name}", "videos=/videos"])
    for door, overrides in unlike_steps(cfg.recipe):
        compose(door, ["out=/nowhere", "seed=0", "num_workers=0", "overwrite=true", *overrides])


@pytest.mark.parametrize("name", [name for name in choices("recipe") if name.startswith("transfer_")])
def test_sizes_are_all_that_variants_of_the_experiment_change(name):
    """So that composing one composes all."""
    variant, whole = (compose("run", [f"recipe={one}", "out=runs/x"]).recipe for one in (name, "transfer"))
    assert set(variant.all) <= set(whole.all) and variant.sizes.keys() == whole.sizes.keys()
    assert all(variant[part] == whole[part] for part in ("steps", "settings", "arms"))


@pytest.mark.parametrize("jobs", [0, -1, "two", 1.5])
def test_jobs_that_cannot_be_are_refused_before_anything_runs(tmp_path, jobs):
    with pytest.raises(ValueError, match=f"jobs={jobs}: a whole number from 1 up"):
        recipe.main(walk_of({"steps": {"first": {"door": "no door", "with": []}}}, tmp_path, jobs=jobs))


def test_videos_that_no_step_reads_are_refused(tmp_path):
    steps = {"name": "mine", "steps": {"clips": {"door": "no door", "with": ["source=simulated"]}}}
    with pytest.raises(ValueError, match="recipe=mine reads no videos=/data/x"):
        recipe.main(walk_of(steps, tmp_path, videos="/data/x"))


def test_a_folder_that_nothing_makes_is_told_before_anything_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(cli, "enter", lambda *_: pytest.fail("a step ran"))
    steps = {
        "tasks": {"door": "propose", "with": []},
        "clips": {"door": "build", "with": [f"tasks={tmp_path}/task"]},
    }
    with pytest.raises(ValueError, match=rf"step clips reads {tmp_path}/task: "):
        recipe.main(walk_of({"steps": steps}, tmp_path))


def test_everything_learnt_is_learnt_anew_and_meets_the_same_data_and_starts():
    recipe = compose("run", ["recipe=transfer", "out=runs/x"]).recipe
    steps = steps_of(recipe, setting=["human"], arms=None, seed=3, trainings=2)
    again = {name for name in steps if "seed_1/" in name}
    first = {name.replace("seed_1/", "") for name in again}
    assert {
        name for name in steps if name not in first | again and steps[name]["door"] in ("train", "rollout")
    } == set()
    assert {steps[name]["door"] for name in again} == {"train", "label", "rollout"}
    for name in again:
        cfg = compose(steps[name]["door"], ["out=/nowhere", "seed=3", *steps[name]["with"]])
        assert cfg.seed == (4 if steps[name]["door"] == "train" else 3)
        read = re.findall(r"runs/x/([\w/]+)", "\n".join(steps[name]["with"]))
        assert not first & set(read), "a training that reads what another training learnt"


@pytest.mark.parametrize(
    ("cell", "arm", "folder"),
    [
        ("demos_percent/10", "actionvla", None), ("demos_percent/10", "vpt", None), ("videos_percent/10", "vpt", None),
        ("videos_percent/10", "actionvla", "in_domain/policy_actionvla_pretrained"),
        ("width/64", "actionvla", "in_domain/policy_actionvla_pretrained"), ("codes_per_step/1", "scratch", "policy_scratch"),
        ("tasks/5", "actionvla", "in_domain/trajectories"),
    ],
)  # fmt: skip
def test_no_ablation_replaces_what_the_main_settings_made(cell, arm, folder):
    """An arm that an ablation does not list either has folders of its own there, or is refused."""
    recipe, asked = (
        compose("run", ["recipe=ablation", "out=runs/x"]).recipe,
        {"setting": [f"ablations/{cell}"], "arms": [arm]},
    )
    if folder is None:
        trained = [name for name, step in steps_of(recipe, **asked).items() if "data.train_percent=10" in step["with"]]
        assert trained and all(name.startswith(f"ablations/{cell}/") for name in trained)
    else:
        with pytest.raises(
            ValueError,
            match=f"two steps of this recipe are called {folder}: ablations/{cell} with {arm} .*in_domain with",
        ):
            steps_of(recipe, **asked)


def test_fewer_demonstrations_are_fewer_for_whatever_learns_from_them():
    recipe = compose("run", ["recipe=ablation", "out=runs/x"]).recipe
    steps = steps_of(recipe, setting=["ablations/demos_percent/10"], arms=["scratch", "vpt", "unipi"])
    few = {name.rpartition("/")[2] for name, step in steps.items() if "data.train_percent=10" in step["with"]}
    assert few == {"policy_scratch", "inverse_dynamics", "policy_vpt", "inverse_dynamics_unipi", "policy_unipi"}
    cell = "ablations/demos_percent/10"
    (pretrained,) = [step for name, step in steps.items() if name == f"{cell}/policy_vpt_pretrained"]
    assert "data.demonstrations.train_percent=10" in pretrained["with"]


def test_who_rehearses_has_no_more_videos_than_who_watched():
    recipe = compose("run", ["recipe=ablation", "out=runs/x"]).recipe
    cell, arms = "ablations/videos_percent/10", ["rehearsed", "rehearsed_vpt", "rehearsed_shuffled"]
    steps = steps_of(recipe, setting=[cell], arms=arms)
    assert all("data.videos.train_percent=10" in steps[f"{cell}/policy_{arm}"]["with"] for arm in arms)


@pytest.mark.parametrize("name", ["transfer", "transfer_cpu", "transfer_gpu"])
def test_the_long_scratch_takes_as_many_steps_as_who_watched(name):
    sizes = compose("run", [f"recipe={name}"]).recipe.sizes
    assert sizes.long_steps == sizes.latent_steps + sizes.policy_steps


def test_no_stage_of_the_experiment_sees_a_seed_of_another_purpose():
    """Videos (and ActionVLA, which has the videos' actions), demonstrations, rollouts, the ladder's trials: the seeds that
    each door takes; and the validation seeds are those of no stage.
    """
    recipe = compose("run", ["recipe=transfer"]).recipe
    used = seeds_used(recipe)
    recipe.sizes.seed_base = 2_000_000
    tuned = seeds_used(recipe)["rollout"]
    purposes = [*used.values(), tuned]
    assert set(used) == {"videos", "demos", "rollout", "propose"} and all(purposes)
    assert sum(map(len, purposes)) == len(set().union(*purposes))


def seeds_used(tree):
    """{purpose: the seeds that its steps take}."""
    used = {}
    for door, overrides in unlike_steps(tree):
        if door in ("build", "collect", "rollout", "propose"):
            for purpose, seeds in seeds_of(door, compose(door, ["out=/nowhere", *overrides])):
                used.setdefault(purpose, set()).update(seeds)
    return used


def seeds_of(door, cfg):
    if door == "build":
        sources = cfg.source.get("sources") or {"only": cfg.source}
        for source in sources.values():
            yield (
                "videos",
                range(source.episodes.seed_base, source.episodes.seed_base + source.episodes.videos_per_task),
            )
    elif door == "collect":
        purpose = "videos" if cfg.seed_base == 0 else "demos"
        yield purpose, seed_block(cfg.seed_base, replicate=cfg.seed, count=cfg.demos_per_task * cfg.tries)
    elif door == "rollout":
        yield "rollout", seed_block(cfg.seed_base, replicate=cfg.seed, count=cfg.episodes_per_task)
    else:
        yield "propose", range(cfg.seed_base, cfg.seed_base + cfg.ladder.R8_oracle.seeds)
