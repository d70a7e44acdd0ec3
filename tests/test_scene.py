"""Scenes: every task with every body compiles and settles; objects keep their distance; no room is an error."""

import mujoco
import numpy as np
import pytest
from simulation import BODIES, TASKS, make_env, task

from sim_finetune.arrange import place
from sim_finetune.embodiment import load_embodiment
from sim_finetune.scene import build_scene, compile_scene


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("name", TASKS)
def test_settles_where_it_was_placed(name, body):
    env = make_env(name, body)
    for seed in range(3):
        env.reset(seed=seed)
        before = env.data.xpos.copy()
        for _ in range(10):
            env.step(env.target())
        assert np.isfinite(env.get_physics()).all()
        assert np.abs(env.data.xpos - before).max() < 0.005
        assert max((-contact.dist for contact in env.data.contact), default=0) < 0.002


@pytest.mark.parametrize("name", TASKS)
def test_objects_keep_their_distance(name):
    spec, body = task(name), load_embodiment("hand")
    model = compile_scene(spec, body)
    data = mujoco.MjData(model)
    for seed in range(20):
        place(spec, model, data, np.random.default_rng(seed))
        mujoco.mj_forward(model, data)
        for i, one in enumerate(spec.objects):
            for other in spec.objects[:i]:
                apart = np.linalg.norm((data.body(one.name).xpos - data.body(other.name).xpos)[:2])
                assert apart >= one.radius_m + other.radius_m + spec.clearance_m - 1e-9


def crowded(spec):
    """All in one small region, 0.2 m apart."""
    near = tuple(thing.model_copy(update={"region_m": (-0.1, -0.1, 0.1, 0.1)}) for thing in spec.objects)
    return spec.model_copy(update={"objects": near, "clearance_m": 0.2})


def test_no_room_is_an_error():
    spec = crowded(task("reach"))
    model = compile_scene(spec, load_embodiment("hand"))
    with pytest.raises(ValueError, match=r"no room for 'other\d' in .* with 0.2 m clearance"):
        place(spec, model, mujoco.MjData(model), np.random.default_rng(0))


def test_a_scene_is_compiled_once_and_can_be_written_as_mjcf():
    spec, body = task("reach"), load_embodiment("panda")
    assert compile_scene(spec, body) is compile_scene(spec, body)
    scene = build_scene(spec, body)
    scene.compile()
    assert "robot/joint1" in scene.to_xml()
