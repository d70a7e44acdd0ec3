"""What peers' tasks come to in the spec: each is read, bound, compiled and placed, is not solved yet, and can be solved."""

import importlib.util
from functools import lru_cache
from pathlib import Path

import pytest
from small_tasks import small_env, thing

PATH = Path(__file__).resolve().parent.parent / "benchmarks" / "coverage.py"
LEAST = {"GenSim": 40, "RoboGen": 20}


def load():
    """benchmarks/ is no package."""
    described = importlib.util.spec_from_file_location("coverage_of_peers", PATH)
    module = importlib.util.module_from_spec(described)
    described.loader.exec_module(module)
    return module


coverage = load()


@lru_cache
def ideas():
    return list(coverage.ideas())


SAID = [idea for idea in ideas() if idea.spec]


def test_as_many_are_said_as_were_asked_for_and_none_twice():
    for peer, least in LEAST.items():
        assert sum(idea.peer == peer for idea in SAID) >= least
    assert len({(idea.peer, idea.name) for idea in ideas()}) == len(ideas())
    assert len({idea.spec.hash for idea in SAID}) == len(SAID)


@pytest.mark.parametrize("idea", SAID, ids=lambda idea: idea.name)
def test_an_idea_stands_and_is_not_solved_yet(idea):
    env = small_env(idea.spec)
    for seed in range(3):
        _, info = env.reset(seed=seed)
        assert not info["goal_holds"] and not info["stages"].any()


@pytest.mark.parametrize("idea", SAID, ids=lambda idea: idea.name)
def test_its_words_name_everything_that_its_goal_is_about(idea):
    text = idea.spec.instruction(0)
    goals = [*(stage.goal for stage in idea.spec.stages), idea.spec.goal]
    missing = {name for goal in goals for name, _ in goal.names() if idea.spec.object(name).words not in text}
    assert not missing


def test_what_cannot_be_said_says_what_is_missing():
    unsaid = [idea for idea in ideas() if not idea.spec]
    assert unsaid and all(idea.cannot and idea.missing for idea in unsaid)


def test_a_broken_idea_is_named(monkeypatch):
    entry = {"idea": "lift-nothing", "says": "go", "objects": [thing("a")], "goal": {"kind": "grasped", "object": "b"}}
    monkeypatch.setattr(coverage.yaml, "safe_load", lambda _: {"GenSim": [entry], "RoboGen": []})
    with pytest.raises(ValueError, match="GenSim, lift-nothing: .*no object 'b'"):
        list(coverage.ideas())


def test_the_page_shows_the_table_as_it_is_now():
    page = (PATH.parent.parent / "docs" / "tasks.md").read_text()
    assert coverage.between_marks(page, coverage.table(ideas(), coverage.read_played())) == page


def test_a_page_without_marks_is_refused():
    with pytest.raises(ValueError, match="needs the lines"):
        coverage.between_marks("a page", "a table")
