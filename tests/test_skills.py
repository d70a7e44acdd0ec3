"""Skills: the panda solves every seed task from its plan; it takes again what it lost; unknown names are refused."""

import numpy as np
import pytest
from simulation import SEED_TASKS, make_env, task

from sim_finetune.expert import Expert
from sim_finetune.plan import plan
from sim_finetune.skills import SKILL_NAMES, Step, World, skill
from sim_finetune.skills.patterns import spots
from sim_finetune.skills.where import place_of
from sim_finetune.spec import read_spec
from sim_finetune.stages import SkillCall

SEEDS = range(3_000_000, 3_000_002)
STEPS = 250


def play(env, seed, meddle=lambda step: None):
    """Whether the expert succeeds, and in how many steps; meddle(step) is called before each."""
    info = env.reset(seed=seed)[1]
    assert not info["goal_holds"], f"solved at the start (seed {seed})"
    expert = Expert(env, noise=0.0, rng=np.random.default_rng(seed))
    for step in range(STEPS):
        meddle(step)
        info = env.step(expert.act())[-1]
        if info["success"]:
            return True, step
    return False, STEPS


@pytest.mark.parametrize("name", SEED_TASKS)
def test_solves_the_seed_task(name):
    env = make_env(name, "panda", max_steps=STEPS)
    assert [play(env, seed)[0] for seed in SEEDS] == [True] * len(SEEDS)


def test_takes_again_what_it_lost():
    env = make_env("stack_two", "panda", max_steps=STEPS)

    def snatch(step):
        if step == 24:  # in the air on its way to the other block
            assert env.data.body("target").xpos[2] > 0.05
            env.data.joint("target").qpos[:3] = [-0.12, 0.0, 0.022]

    assert play(env, 0)[0]
    assert play(env, 0, snatch)[0]


def test_does_what_a_task_hints():
    """The goal alone would be reached by carrying; the hints push, and then lift what nobody asked for."""
    hints = [SkillCall(skill="push", object="target", target="zone"), SkillCall(skill="grasp", object="other1")]
    spec = task("push_to_zone").model_copy(update={"family": "hinted", "oracle": tuple(hints)})
    assert [step.skill for step in plan(spec)] == ["push", "grasp"]
    env = make_env(spec=spec, body="panda", max_steps=STEPS)
    heights = []
    assert play(env, 1, lambda step: heights.append(env.data.body("target").xpos[2]))[0]
    assert max(heights) < 0.03


def test_keeps_holding_what_must_last():
    """Also between two stages: the object stays up until it has been there for long enough."""
    up = {"kind": "hold_for", "seconds": 1.5, "part": {"kind": "height_above", "object": "target", "above_m": 0.06}}
    stages = [{"goal": up, "instruction": "hold the {target} up", "weight": 1, "timeout_s": 20}]
    spec = read_spec(task("stack_two").model_dump(mode="json") | {"stages": stages})
    assert play(make_env(spec=spec, body="panda", max_steps=STEPS), 0)[0]
    spec = read_spec(task("stack_two").model_dump(mode="json") | {"goal": up})
    assert play(make_env(spec=spec, body="panda", max_steps=STEPS), 0)[0]


def test_spots_keep_apart_from_what_stands_there_and_do_not_move():
    env = make_env("line_up_three", "panda")
    env.reset(seed=0)
    world, names = World(env=env), ("first", "second")
    slots = np.array([[0.0, -0.05], [0.0, 0.05]])
    found = spots(world, names, slots, (0.0,), free=True)
    np.testing.assert_allclose(abs(found["first"] - found["second"]), [0.0, 0.1], atol=1e-3)
    for place in found.values():
        assert np.linalg.norm(place - world.centre("third")[:2]) > 2 * 0.022
    env.data.joint("first").qpos[:2] += 0.05
    assert all(np.array_equal(found[name], spots(world, names, slots, (0.0,), free=True)[name]) for name in names)


def test_a_joint_may_start_open():
    env = make_env("close_drawer", "panda")
    env.reset(seed=0)
    assert env.view.fraction("drawer") == pytest.approx(0.9, abs=0.02)


def test_every_skill_has_its_file():
    for name in SKILL_NAMES:
        assert skill(name).__name__ == name
        assert skill(name).__module__ == f"sim_finetune.skills.{name}"
    with pytest.raises(ValueError, match=r"no skill 'os'; there are \['reach', 'grasp'"):
        skill("os")


def test_a_place_that_nothing_names_is_an_error():
    env = make_env("stack_two", "panda")
    env.reset(seed=0)
    world = World(env=env)
    with pytest.raises(ValueError, match="place of 'target' needs a target"):
        place_of(world, Step("place", "target", None, None, None))
    pressed = make_env("press_button", "panda").task_spec.goal
    with pytest.raises(ValueError, match="'pressed' does not say where 'target' belongs"):
        place_of(world, Step("place", "target", None, None, pressed))
