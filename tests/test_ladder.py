"""The ladder refuses each kind of bad task at its own rung, naming the fault in a line, and accepts a good one."""

import json
from typing import Any

import pytest
from omegaconf import OmegaConf
from small_sim import studio, task

from lapa.config import compose
from sim_finetune import rungs_sim
from sim_finetune.ladder import PASSED, RUNGS, climb, funnel
from sim_finetune.rungs_sim import not_solved, reachable, settles
from sim_finetune.rungs_text import Candidate
from sim_finetune.spec import read_spec


@pytest.fixture(scope="module")
def settings() -> Any:
    return OmegaConf.to_container(compose("propose", ["out=x", "ladder=quick"]).ladder)


def good(name: str = "reach") -> dict[str, Any]:
    return task(name).model_dump(mode="json")


def changed(name: str = "reach", **fields: Any) -> str:
    return json.dumps({**good(name), **fields})


def with_object(number: int, name: str = "reach", **fields: Any) -> str:
    spec = good(name)
    spec["objects"][number] |= fields
    return json.dumps(spec)


SMALL_BLOCK = [0.004, 0.004, 0.004]
FAR = [0.24, 0.24, 0.25, 0.25]
ON_STAND = {"kind": "on_top", "object": "target", "support": "stand", "within_m": 0.04}
REFUSED = {
    "not JSON": ("not json", "R0_text", "Expecting value"),
    "too long": (" " * 70_000, "R0_text", "70000 bytes; at most 65536"),
    "too deep": ('{"a":' + "[" * 40 + "]" * 40 + "}", "R0_text", "nested 41 deep; at most 32"),
    "deep behind brackets in a string": (
        '{"' + "]" * 40 + '":' + "[" * 40 + "]" * 40 + "}",
        "R0_text",
        "nested 41 deep",
    ),
    "duplicate key": ('{"name": "a", "name": "b"}', "R0_text", r"task: keys given twice: ['name']"),
    "NaN": ('{"clearance_m": NaN}', "R0_text", "clearance_m: nan is not a number"),
    "a list": ("[]", "R0_text", "a task is a JSON object, not a list"),
    "unknown field": (changed(python="import os"), "R1_schema", "python"),
    "wrong type": (changed(hold_s="long"), "R1_schema", "hold_s"),
    "object that is not there": (
        changed(goal={"kind": "tool_near", "object": "teapot", "above_m": 0.02, "within_m": 0.03}),
        "R2_names",
        "no object 'teapot'; this task has ['target', 'other1', 'other2']",
    ),
    "a kind that does not fit": (
        changed(goal={"kind": "joint_fraction", "object": "target", "at_least": 0.5}),
        "R2_names",
        "the goal needs 'target' to be one of ['button', ",
    ),
    "goal object not said": (changed(instructions=["go on"]), "R2_names", "does not mention ['target']"),
    "two that fit the words": (with_object(1, colour="red"), "R2_names", "['red block'] fit more than one object"),
    "no room": (
        with_object(0, region_m=[0.0, 0.0, 0.01, 0.01], half_extents_m=[0.2, 0.2, 0.02]),
        "R4_settles",
        "no room for",
    ),
    "too small to see": (with_object(0, half_extents_m=SMALL_BLOCK), "R5_visible", "'target' fills"),
    "a success that anything may have": (
        changed("pick_and_place", goal=ON_STAND),
        "R9_mutants",
        "the goal still holds when 'target' is still in the gripper",
    ),
    "solved by waiting": (
        changed(
            "push_to_zone",
            goal={"kind": "released", "object": "target", "clear_m": 0.02},
            instructions=["leave the {target}"],
        ),
        "R6_not_solved",
        "solved by doing nothing",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_at_its_rung_with_a_clear_line(case, settings):
    text, rung, reason = REFUSED[case]
    verdict = climb(text, settings=settings, studio=studio(), first_seed=4_000_000)
    assert verdict.rung == rung, verdict.reason
    assert reason in verdict.reason and "\n" not in verdict.reason


def test_one_start_at_which_nothing_is_left_to_do_is_one_too_many(settings):
    spec = read_spec({**json.loads(changed()), "goal": {**json.loads(changed())["goal"], "within_m": 0.1}})
    blank = Candidate("", spec, studio("hand"), 0, (), (), {})
    found = settles(blank, **settings["R4_settles"] | {"placements": 30})
    assert 0 < len(found.done_at_start) < 30 and settles(blank, **settings["R4_settles"]).facts.keys() == {"deepest_m"}
    with pytest.raises(ValueError, match=rf"at the start already \(seeds \[{found.done_at_start[0]}[],]"):
        not_solved(found, **settings["R6_not_solved"] | {"still_seeds": 0, "random_seeds": 0})


def test_out_of_reach_is_refused_by_inverse_kinematics(settings):
    short = studio()._replace(embodiment=studio().embodiment._replace(base_m=[-1.6, 0.0, 0.0]))
    easy = {**settings, "R5_visible": {**settings["R5_visible"], "pixel_share": 0.0}}
    verdict = climb(changed(), settings=easy, studio=short, first_seed=4_000_000)
    assert verdict.rung == "R7_reachable" and "panda cannot get to 'target'" in verdict.reason


def test_the_share_of_starts_within_reach_that_is_asked_for_is_enough(settings, monkeypatch):
    """Nine of ten are 0.9; as floats 1 − 0.9 is a little less than a tenth."""
    spec = read_spec(changed())
    blank = Candidate("", spec, studio(), 0, (), (), {})
    for misses, fine in ((1, True), (2, False)):
        answers = iter([False] * misses + [True] * 10)
        monkeypatch.setattr(rungs_sim, "_reaches", lambda *_, answers=answers: next(answers))
        asked = settings["R7_reachable"] | {"seeds": 10, "seed_share": 0.9}
        if fine:
            assert len(reachable(blank, **asked).facts["missed"]) == misses
        else:
            with pytest.raises(ValueError, match="2 of 10 seeds"):
                reachable(blank, **asked)


def test_what_the_expert_cannot_do_in_time_is_refused_last(settings):
    verdict = climb(changed(), settings=settings, studio=studio(max_steps=4), first_seed=4_000_000)
    assert verdict.rung == "R8_oracle" and "the expert completes at most 8 of 10 episodes" in verdict.reason
    assert verdict.task == task("reach").hash


def test_a_good_task_passes_every_rung(settings):
    verdict = climb(changed(), settings=settings, studio=studio(), first_seed=4_000_000)
    assert (verdict.rung, verdict.reason, verdict.task) == (PASSED, "", task("reach").hash)


def test_a_rung_cannot_be_left_out_by_a_typing_error(settings):
    without = {name: value for name, value in settings.items() if name != "R5_visible"}
    with pytest.raises(ValueError, match="the ladder needs settings for exactly"):
        climb(changed(), settings=without | {"R5": {}}, studio=studio(), first_seed=0)


def test_funnel_counts_who_reached_each_rung(settings):
    texts = ["not json", changed(), changed(instructions=["go on"])]
    reached = funnel(climb(text, settings=settings, studio=studio(), first_seed=0) for text in texts)
    assert list(reached) == [*RUNGS, PASSED]
    assert (reached["R0_text"], reached["R1_schema"], reached["R2_names"], reached["R3_compiles"]) == (3, 2, 2, 1)
    assert reached[PASSED] == 1
