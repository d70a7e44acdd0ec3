"""Looks: drawn by the seed, recorded, within their bounds, and nothing changes that was left off."""

import numpy as np
import pytest
from omegaconf import OmegaConf
from small_sim import studio
from small_tasks import small_env, small_task, thing

from lapa.doors import configs_dir
from sim_finetune.embodiment import load_embodiment
from sim_finetune.episode import look_of
from sim_finetune.expert import Expert
from sim_finetune.rungs_sim import visible
from sim_finetune.rungs_text import Candidate

ALL = {"light": 0.5, "camera_m": 0.05, "table_colour": 0.5, "table_texture": True, "table_height_m": 0.04, "clutter": 6}


def env_with(**randomise):
    return small_env(small_task(thing("a"), thing("b", colour="blue"), randomise=randomise), observe_pixels=True)


def test_a_seed_decides_the_look_and_it_is_recorded():
    one, two = env_with(**ALL), env_with(**ALL)
    for seed in (3, 4, 3):
        first, info = one.reset(seed=seed)
    second, again = two.reset(seed=3)
    np.testing.assert_array_equal(first["pixels"]["front"], second["pixels"]["front"])
    assert info["randomisation"] == again["randomisation"]
    other, info = two.reset(seed=5)
    assert not np.array_equal(first["pixels"]["front"], other["pixels"]["front"])
    assert info["randomisation"] != again["randomisation"]


def test_draws_stay_within_bounds_and_reach_every_value():
    env = env_with(**ALL)
    looks = [env.reset(seed=seed)[1]["randomisation"] for seed in range(40)]
    assert {look["table_texture"] for look in looks} == {"plain", "checker", "gradient", "tiles"}
    assert {look["table_height_m"] for look in looks} == {-0.04, -0.02, 0.0, 0.02, 0.04}
    assert {look["clutter"] for look in looks} == set(range(7))
    assert all(0.5 <= look["lamp_strength"] <= 1.5 for look in looks)
    assert np.abs([look["camera_shift_m"]["front"] for look in looks]).max() <= 0.05


@pytest.mark.parametrize("name", [None, "light", "camera_m", "table_colour", "table_texture", "clutter"])
def test_each_kind_changes_the_picture_and_none_leaves_it(name):
    plain = small_env(small_task(thing("a"), thing("b", colour="blue")))
    changed, different = env_with(**({name: ALL[name]} if name else {})), 0
    for seed in range(4):
        plain.reset(seed=seed)
        changed.reset(seed=seed)
        changed.data.qpos[:] = plain.data.qpos  # another task, so other places for the same seed
        changed.set_physics(changed.get_physics())
        different += not np.array_equal(plain.draw("front"), changed.draw("front"))
    assert different >= 2 if name else different == 0


def test_off_is_off():
    env = small_env(small_task(thing("a")))
    _, info = env.reset(seed=0)
    assert "randomisation" not in info and env.embodiment == load_embodiment("hand")


def test_clutter_keeps_clear_of_the_objects():
    env = env_with(**ALL)
    for seed in range(10):
        _, info = env.reset(seed=seed)
        places = [env.data.body(f"/clutter{i}").xpos for i in range(info["randomisation"]["clutter"])]
        for name in ("a", "b"):
            assert all(np.linalg.norm((place - env.data.body(name).xpos)[:2]) > 0.05 for place in places)


def test_the_expert_works_at_every_table_height():
    env = env_with(table_height_m=0.04)
    for seed in range(4):
        env.reset(seed=seed)
        expert = Expert(env, noise=0.0, rng=np.random.default_rng(0))
        assert any(env.step(expert.act())[-1]["success"] for _ in range(40))


def test_a_changed_look_does_not_make_a_speck_visible():
    spec = small_task(thing("a", half=0.003), randomise=ALL)
    candidate = Candidate("", spec, studio(), 0, known=(), episodes=(), facts={})
    with pytest.raises(ValueError, match="'a' fills 0"):
        visible(candidate, seeds=4, pixel_share=0.005, seed_share=0.5)


WORKSHOP = OmegaConf.to_container(OmegaConf.load(configs_dir() / "look" / "workshop.yaml"))


def test_a_look_changes_the_picture_and_neither_the_task_nor_its_start():
    spec = small_task(thing("a"), thing("b", colour="blue"))
    plain, dressed = small_env(spec), small_env(spec, look=look_of(WORKSHOP))
    assert dressed.task_spec.hash == spec.hash
    for seed in range(3):
        info = plain.reset(seed=seed)[1], dressed.reset(seed=seed)[1]
        np.testing.assert_array_equal(plain.get_physics(), dressed.get_physics())
        change = np.abs(plain.draw("front").astype(float) - dressed.draw("front")).mean()
        assert change > 30 and "randomisation" not in info[0]
        assert (
            np.abs(np.array(info[1]["randomisation"]["camera_shift_m"]["front"]) - [-0.04, -0.16, 0.04]).max() <= 0.03
        )


def test_a_look_without_a_spread_is_the_same_in_every_episode():
    env = small_env(
        small_task(thing("a")), look=look_of({"lamp": 0.5, "texture": "checker", "table_rgb": [0.1, 0.5, 0.1]})
    )
    looks = [env.reset(seed=seed)[1]["randomisation"] for seed in range(3)]
    for look in looks:
        assert look["lamp_strength"] == 0.5 and look["table_texture"] == "checker"
    np.testing.assert_allclose(env.model.geom("table").rgba[:3], [0.1, 0.5, 0.1], atol=1e-6)


def test_no_look_is_none_and_a_wrong_one_is_named():
    assert look_of(None) is None and look_of({}) is None
    with pytest.raises(ValueError, match="texture"):
        look_of({"texture": "stripes"})
