"""A block goes into a slot only as that lies, though the goal asks for no turn; hands stay off the walls of a hollow."""

import numpy as np
import pytest
from small_tasks import small_env, small_task, thing

from sim_finetune.expert import Expert
from sim_finetune.skills import Step, World
from sim_finetune.skills.base import WIDE_M
from sim_finetune.skills.grasp import open_gap_m
from sim_finetune.skills.where import place_of
from sim_finetune.spec import TaskSpec

BLOCK = thing("target", half=0.0235, yaw_range_rad=[0.6, 0.7], region_m=[-0.1, -0.1, -0.05, 0.0])
SLOT = {"shape": "box", "half_extents_m": [0.0235, 0.0235], "slack_m": 0.004}
BOARD = thing(
    "board", "fixture", colour="blue", half_extents_m=[0.05, 0.05, 0.01], slot=SLOT, region_m=[0.05, 0, 0.1, 0.1]
)
FIT = {"kind": "pose_near", "object": "target", "target": "board", "within_m": 0.01, "site": "slot1"}
BOWL = thing("bowl", "bowl", colour="blue", size_m=[0.057, 0.021], region_m=[0.05, 0, 0.1, 0.1])
DISC = {**thing("target", "cylinder", region_m=[-0.1, -0.1, -0.05, 0.0]), "size_m": [0.0235, 0.026]}
GONE = {"kind": "released", "object": "target", "clear_m": 0.04}
PUT_IN = {"kind": "all", "parts": [{"kind": "inside", "object": "target", "container": "bowl"}, GONE]}


def without_half(row: dict) -> dict:
    return {name: value for name, value in row.items() if name != "half_extents_m"}


def finished(spec: TaskSpec, seed: int) -> tuple[bool, World]:
    env = small_env(spec)
    env.reset(seed=seed)
    expert = Expert(env, noise=0.0, rng=np.random.default_rng(0))
    return any(env.step(expert.act())[4]["success"] for _ in range(100)), World(env)


def test_a_square_block_is_turned_to_its_slot_by_less_than_a_quarter():
    spec = small_task(BLOCK, BOARD, goal=FIT)
    solved, world = finished(spec, 1)
    place = place_of(world, Step("insert", "target", "board", None, spec.goal))
    assert solved and place.period_rad == np.pi / 2
    assert place.yaw_rad is not None and abs(np.sin(2 * (world.yaw("target") - place.yaw_rad))) < 0.2


def test_what_lies_on_the_board_may_not_count_as_fitted():
    assert small_task(BLOCK, BOARD, goal={**FIT, "within_m": 0.019}).goal.within_m == 0.019
    for goal in ({**FIT, "within_m": 0.02}, {"kind": "all", "parts": [{**FIT, "within_m": 0.03, "site": "top"}, GONE]}):
        with pytest.raises(ValueError, match=r"within_m 0.0[23] of '\w+' must be less than 0.02, the depth of 'board'"):
            small_task(BLOCK, BOARD, goal=goal)
    small_task(BLOCK, BOARD, goal={"kind": "not", "part": {**FIT, "within_m": 0.05}})


def test_a_bowl_stays_where_it_is_when_something_is_put_in():
    spec = small_task(without_half(DISC), without_half(BOWL), goal=PUT_IN)
    for seed in (1, 2, 3):
        solved, world = finished(spec, seed)
        assert solved and world.centre("bowl")[2] < 0.03
        assert np.linalg.norm(world.centre("bowl") - world.env.view.start["bowl"][0]) < 0.02
        assert open_gap_m(world, "target") < WIDE_M - 0.01
