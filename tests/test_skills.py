"""Skills: the panda solves every seed task from its plan; it takes again what it lost; unknown names are refused."""

import numpy as np
import pytest
from simulation import SEED_TASKS, make_env

from sim_finetune.expert import Expert
from sim_finetune.skills import SKILL_NAMES, Step, World, skill
from sim_finetune.skills.where import place_of

SEEDS = range(3_000_000, 3_000_003)
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
    solved = [play(env, seed)[0] for seed in SEEDS]
    assert sum(solved) >= len(solved) - 1, solved


def test_takes_again_what_it_lost():
    env = make_env("stack_two", "panda", max_steps=STEPS)

    def snatch(step):
        if step == 24:  # in the air on its way to the other block
            assert env.data.body("target").xpos[2] > 0.05
            env.data.joint("target").qpos[:3] = [-0.12, 0.0, 0.022]

    assert play(env, 0)[0]
    assert play(env, 0, snatch)[0]


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
