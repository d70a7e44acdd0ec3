"""gymnasium makes every task with every body by name, alone, in vectors and under stable-baselines3."""

import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from simulation import BODIES, TASKS, task

import sim_finetune.gym as ours
from lapa.doors import configs_dir

BY_DESIGN = "ignore:.*(infinity|symmetric and normalized)"  # joint units have no bound


def test_every_task_is_there_with_every_body():
    names = {name for name in gymnasium.registry if name.startswith("lapa/")}
    assert names >= {ours.env_id(name, body) for name in TASKS for body in BODIES}


@pytest.mark.filterwarnings("error", BY_DESIGN)
@pytest.mark.parametrize("body", BODIES)
def test_gymnasium_finds_no_fault(body):
    env = gymnasium.make(ours.env_id("reach", body), image_px=32)
    check_env(env.unwrapped)
    env.close()


def test_an_import_by_name_is_enough_elsewhere():
    code = "import gymnasium; print(gymnasium.make('sim_finetune.gym:lapa/reach-hand-v0').unwrapped.task)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["reach"]


def test_attributes_and_info_are_those_that_users_expect():
    env = gymnasium.make("lapa/reach-panda-v0", observe_pixels=False, max_steps=3, control_hz=20)
    seen, info = env.reset(seed=4)
    assert list(seen) == ["agent_pos"]
    inner = env.unwrapped
    assert (inner.task, inner._max_episode_steps, inner.metadata["render_fps"]) == ("reach", 3, 20)
    assert inner.task_description in [task("reach").instruction(i) for i in range(4)]
    assert info["is_success"] is info["success"] is False
    ends = [env.step(inner.target().astype(np.float32))[2:] for _ in range(3)]
    assert [truncated for _, truncated, _ in ends] == [False, False, True]
    assert all("is_success" in info for _, _, info in ends)


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_a_vector_of_environments_plays_as_each_alone(mode):
    vector = gymnasium.make_vec("lapa/reach-hand-v0", num_envs=2, vectorization_mode=mode, image_px=32)
    alone = gymnasium.make("lapa/reach-hand-v0", image_px=32)
    seen, info = vector.reset(seed=[5, 6])
    assert seen["pixels"]["front"].shape == (2, 32, 32, 3)
    assert info["is_success"].tolist() == [False, False]
    alone.reset(seed=6)
    action = alone.action_space.sample()
    expected, reward, *_ = alone.step(action)
    seen, rewards, *_ = vector.step(np.stack([action, action]))
    np.testing.assert_array_equal(seen["agent_pos"][1], expected["agent_pos"])
    np.testing.assert_array_equal(seen["pixels"]["front"][1], expected["pixels"]["front"])
    assert rewards[1] == reward
    vector.close()


def test_ones_own_tasks_are_registered_from_a_folder(tmp_path):
    (tmp_path / "mine.yaml").write_text((configs_dir() / "task" / "reach.yaml").read_text())
    assert ours.register_tasks(tmp_path, ["hand"]) == ["lapa/mine-hand-v0"]
    gymnasium.make("lapa/mine-hand-v0", observe_pixels=False).reset(seed=0)
    with pytest.raises(ValueError, match="no folder of tasks"):
        ours.register_tasks(tmp_path / "none", ["hand"])


def test_object_states_are_where_things_stand():
    env = ours.ObjectStates(gymnasium.make("lapa/pick_and_place-panda-v0", observe_pixels=False))
    seen, info = env.reset(seed=2)
    inner, state = env.unwrapped, seen["environment_state"]
    assert env.observation_space.contains(seen)
    np.testing.assert_allclose(state[:3], info["tool_m"], atol=1e-6)
    stand, block = inner.data.body("stand").xpos, inner.data.body("target").xpos
    assert any(np.allclose(state[i : i + 3], block, atol=1e-6) for i in range(3, len(state)))
    assert any(np.allclose(state[i : i + 3], stand, atol=1e-6) for i in range(3, len(state)))
    again = env.step(inner.target().astype(np.float32))[0]["environment_state"]
    assert again.shape == state.shape
    assert not np.array_equal(env.reset(seed=3)[0]["environment_state"], state)


def test_stable_baselines_trains_with_pictures_and_without():
    sb3 = pytest.importorskip("stable_baselines3")
    sizes = {"n_steps": 8, "batch_size": 8, "n_epochs": 1, "device": "cpu"}
    for pixels in (True, False):
        env = gymnasium.make("lapa/reach-hand-v0", image_px=36, observe_pixels=pixels)
        env = ours.FlatPixels(env) if pixels else ours.ObjectStates(env)
        learner = sb3.PPO("MultiInputPolicy", gymnasium.wrappers.RescaleAction(env, -1, 1), **sizes)
        learner.learn(16)
        action, _ = learner.predict(env.reset(seed=0)[0])
        assert action.shape == env.action_space.shape
        assert np.isfinite(action).all()
