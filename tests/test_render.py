"""Pictures: what a policy must see is large enough at 64 px; a missing GL library is one clear line."""

import os
import subprocess
import sys

import numpy as np
import pytest
from simulation import BODIES, make_env

from sim_finetune import render
from sim_finetune.objects import COLOURS


def of_colour(picture, colour):
    """Mask [h w] of the pixels nearest to a colour's direction in RGB, and saturated."""
    rgb = picture.astype(float)
    directions = np.array(list(COLOURS.values()))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    nearest = (rgb / np.maximum(np.linalg.norm(rgb, axis=-1, keepdims=True), 1)) @ directions.T
    saturated = rgb.max(-1) - rgb.min(-1) > 80
    return saturated & (nearest.argmax(-1) == list(COLOURS).index(colour))


@pytest.mark.parametrize("body", BODIES)
def test_blocks_are_seen_in_their_colours(body):
    env = make_env(body=body, image_px=64)
    for seed in range(5):
        env.reset(seed=seed)
        picture = env.render()
        for thing in env.task_spec.objects:
            assert of_colour(picture, thing.colour).sum() >= 16, (seed, thing.words)


@pytest.mark.parametrize("body", BODIES)
def test_the_moving_body_is_seen(body):
    env = make_env(body=body, image_px=64)
    env.reset(seed=0)
    before, target = env.render().astype(int), env.target()
    target[0] += 0.1
    for _ in range(10):
        env.step(target)
    assert (np.abs(env.render() - before).max(-1) > 30).sum() > 30


def test_environments_of_one_process_do_not_disturb_each_other():
    one, two = make_env("reach"), make_env("open_drawer", "panda", image_px=64)
    one.reset(seed=0)
    two.reset(seed=0)
    first = one.render()
    two.render()
    np.testing.assert_array_equal(one.render(), first)


def test_a_backend_that_cannot_draw_lists_the_choices(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "disabled")
    with pytest.raises(
        ValueError, match=r"MUJOCO_GL='disabled': it switches drawing off; choices: egl \(needs libegl1"
    ):
        render._gl.__wrapped__()  # not the kept one: its buffers would die with it


def test_a_driver_that_fails_is_named(monkeypatch):
    def no_driver(*_):
        raise RuntimeError("no EGL device")

    monkeypatch.setattr("mujoco.egl.GLContext", no_driver)
    with pytest.raises(ValueError, match=r"cannot draw pictures with MUJOCO_GL='egl': no EGL device; choices: egl"):
        render._gl.__wrapped__()  # not the kept one: its buffers would die with it


NO_EGL = """
import ctypes
load = ctypes.CDLL.__init__
def refuse(self, name, *args, **kwargs):
    if "EGL" in str(name):
        raise OSError(f"{name}: cannot open shared object file")
    load(self, name, *args, **kwargs)
ctypes.CDLL.__init__ = refuse
try:
    import sim_finetune
except ValueError as error:
    print(error)
"""


def test_a_machine_without_the_egl_library_gets_one_line():
    """In a process of its own, whose linker finds no EGL."""
    env = {**os.environ, "MUJOCO_GL": "egl"}
    done = subprocess.run([sys.executable, "-c", NO_EGL], capture_output=True, text=True, env=env, check=True)
    assert done.stdout.startswith("cannot draw pictures with MUJOCO_GL='egl'")
    assert "choices: egl (needs libegl1 and a driver), osmesa" in done.stdout
    assert done.stdout.count("\n") == 1
