"""What rests on several: its supports come together, or stand side by side where the goal wants them, and carry it."""

import numpy as np
import pytest
from small_tasks import small_env, small_task, thing

from sim_finetune.expert import Expert
from sim_finetune.plan import plan
from sim_finetune.predicates import every
from sim_finetune.skills.bridges import APART, bridge_of, bridge_over, bridges, in_a_row
from sim_finetune.spec import TaskSpec

SUPPORTS = [thing("left", colour="red"), thing("right", colour="blue")]
DECK = thing("deck", colour="yellow", half_extents_m=[0.05, 0.018, 0.01])
CAP = thing("cap", colour="green")
ZONE = thing("zone", "zone", colour="white", half_extents_m=[0.06, 0.06])


def on(name: str, *supports: str, within_m: float = 0.045) -> list[dict]:
    return [{"kind": "on_top", "object": name, "support": support, "within_m": within_m} for support in supports]


def wants(*parts: dict) -> dict:
    return {"kind": "all", "parts": list(parts)}


BRIDGE = small_task(*SUPPORTS, DECK, goal=wants(*on("deck", "left", "right")))
IN_ZONE = [{"kind": "in_zone", "object": name, "zone": "zone", "fraction": 0.7} for name in ("left", "right")]
PYRAMID = small_task(*SUPPORTS, CAP, ZONE, goal=wants(*IN_ZONE, *on("cap", "left", "right", within_m=0.035)))


def solves(spec: TaskSpec, seed: int) -> bool:
    env = small_env(spec)
    env.reset(seed=seed)
    expert = Expert(env, noise=0.0, rng=np.random.default_rng(0))
    return any(env.step(expert.act())[4]["success"] for _ in range(200))


@pytest.mark.parametrize("spec", [BRIDGE, PYRAMID], ids=["bridge", "pyramid"])
def test_the_hand_builds_it(spec):
    assert solves(spec, 1) and solves(spec, 2)


def test_supports_that_the_task_places_itself_are_not_moved_twice():
    assert [step.object for step in plan(BRIDGE)] == ["left", "left", "right", "right", "deck", "deck", "deck", "deck"]
    assert {step.want.kind for step in plan(BRIDGE)} == {"layout_matches", "on_top"}
    assert {step.want.kind for step in plan(PYRAMID)} == {"in_zone", "on_top"}


def test_a_bridge_is_what_rests_on_more_than_one():
    (bridge,) = bridges(PYRAMID.goal)
    assert bridge == ("cap", ("left", "right"), APART * 0.035)
    assert bridge_of(PYRAMID.goal, "cap") == bridge == bridge_over(PYRAMID.goal, ["zone", "right", "left"])
    assert bridge_of(PYRAMID.goal, "left") is None is bridge_over(PYRAMID.goal, ["left", "zone"])
    single = small_task(*SUPPORTS, goal=on("left", "right")[0])
    assert bridges(single.goal) == [] and len(list(every(single.goal))) == 1


def test_a_row_is_even_and_lies_along_the_longer_side():
    places = np.stack([in_a_row(number, 3, 0.05, np.array([0.02, 0.08])) for number in range(3)])
    np.testing.assert_allclose(places, [[0, -0.05], [0, 0], [0, 0.05]])
