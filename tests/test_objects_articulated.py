"""Every articulated object: its joint opens, stays and shuts by pushing its handle, which moves the way it says."""

import mujoco
import numpy as np
import pytest
from pydantic import ValidationError
from things import depth_m, fraction, make, on_table, push, run

from sim_finetune.objects import object_classes
from sim_finetune.objects.base import Articulated
from sim_finetune.predicates import kind_of

KINDS = [kind_of(cls) for cls in object_classes() if issubclass(cls, Articulated)]


def _opened(thing, share):
    """The object with its joint at `share` of the range."""
    model, data = on_table(thing)
    low, high = thing.joint_range
    data.joint(thing.joint_name).qpos[0] = low + share * (high - low)
    mujoco.mj_forward(model, data)
    return model, data


@pytest.mark.parametrize("kind", KINDS)
def test_one_joint_with_its_range(kind):
    thing = make(kind)
    model, _ = on_table(thing)
    assert model.njnt == 1
    assert model.joint(0).name == thing.joint_name
    assert model.jnt_limited[0]
    assert model.joint(thing.joint_name).range == pytest.approx(thing.joint_range)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "drawer"])
def test_handle_moves_along_its_y_and_jaws_stay_level(kind, share):
    thing = make(kind)
    model, data = _opened(thing, share)
    frame, before = data.site("it/handle").xmat.reshape(3, 3).copy(), data.site("it/handle").xpos.copy()
    data.joint(thing.joint_name).qpos[0] += 1e-5
    mujoco.mj_forward(model, data)
    moved = data.site("it/handle").xpos - before
    assert abs(frame[2, 0]) < 1e-6
    if thing.motion == "turn":
        assert np.linalg.norm(moved) < 1e-9
    else:
        assert moved / np.linalg.norm(moved) == pytest.approx(frame[:, 1], abs=1e-3)
    if thing.motion in ("slide", "hinge", "turn"):
        assert frame[:, 2] == pytest.approx([0, 0, 1])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "button"])
def test_opens_stays_and_shuts(kind):
    thing = make(kind)
    model, data = on_table(thing)
    push(thing, model, data, 3.0, 2.0)
    assert fraction(thing, data) > 0.95
    run(model, data, 1.0)
    assert fraction(thing, data) > 0.93
    assert depth_m(data) < 0.002
    push(thing, model, data, -3.0, 2.0)
    run(model, data, 0.5)
    assert fraction(thing, data) < 0.05


@pytest.mark.parametrize("share", [0.3, 0.7])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "button"])
def test_stays_half_open(kind, share):
    thing = make(kind)
    model, data = _opened(thing, share)
    run(model, data, 1.0)
    assert fraction(thing, data) == pytest.approx(share, abs=0.03)


def test_button_comes_up_again():
    thing = make("button")
    model, data = on_table(thing)
    assert data.site("it/top").xpos[2] == pytest.approx(0.04 + 0.012 + 0.004)
    push(thing, model, data, 1.5, 0.5)
    assert 0.05 < fraction(thing, data) < 0.5
    push(thing, model, data, 4.0, 0.5)
    assert fraction(thing, data) > 0.98
    run(model, data, 0.5)
    assert fraction(thing, data) < 0.02


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("button", "drawer")])  # pressed; see its skill
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_gripper_comes_down_on_the_handle_without_touching(kind, share):
    """Open jaws of two fingers under a palm (a Panda's), at the handle, across its x, touch nothing."""
    thing = make(kind)
    _, data = _opened(thing, share)
    site = data.site("it/handle")
    yaw = np.arctan2(site.xmat[3], site.xmat[0])
    assert _gripper_clearance_m(thing, share, site.xpos.copy(), yaw) > 0


def _gripper_clearance_m(thing, share, tool_m, yaw_rad):
    """Least distance between the object and an open gripper whose tool point is at tool_m."""
    scene = mujoco.MjSpec()
    thing.add_to(scene)
    hand = scene.worldbody.add_body(name="hand", mocap=True)
    for name, size, pos in (
        ("palm", [0.095, 0.024, 0.028], [0, 0, 0.0734]),
        ("finger1", [0.007, 0.010, 0.026], [0.047, 0, 0.017]),
        ("finger2", [0.007, 0.010, 0.026], [-0.047, 0, 0.017]),
    ):
        hand.add_geom(name=name, type=mujoco.mjtGeom.mjGEOM_BOX, size=size, pos=pos)
    model = scene.compile()
    data = mujoco.MjData(model)
    data.mocap_pos[0] = [0, 0, thing.rest_height_m]
    data.mocap_pos[1], data.mocap_quat[1] = tool_m, [np.cos(yaw_rad / 2), 0, 0, np.sin(yaw_rad / 2)]
    low, high = thing.joint_range
    data.qpos[0] = low + share * (high - low)
    mujoco.mj_forward(model, data)
    solid = np.flatnonzero((model.geom_contype > 0) & (model.geom_bodyid != model.body("hand").id))
    parts = [model.geom(name).id for name in ("palm", "finger1", "finger2")]
    return min(mujoco.mj_geomDistance(model, data, int(geom), part, 0.5, None) for geom in solid for part in parts)


def test_a_hollow_drawer_takes_what_is_dropped_in_and_carries_it():
    thing = make("drawer", hollow=True)
    model, data = on_table(thing, drop_m=0.01)
    data.joint("drop").qpos[0] = 1.0  # out of the way
    push(thing, model, data, 3.0, 2.0)
    inside, half = data.site("it/inside"), model.site("it/inside").size
    data.joint("drop").qpos[:3] = inside.xpos + np.array([0, 0, 0.06])
    data.joint("drop").qpos[3:] = [1, 0, 0, 0]
    data.joint("drop").qvel[:] = 0
    run(model, data, 1.0)
    push(thing, model, data, -3.0, 2.0)
    assert fraction(thing, data) < 0.05
    assert (np.abs(inside.xmat.reshape(3, 3).T @ (data.body("drop").xpos - inside.xpos)) <= half).all()
    assert data.body("drop").xpos[1] > -0.06  # back in the cabinet with the drawer


def test_what_cannot_be_built_is_refused():
    for kind, changes, message in (
        ("drawer", {"hollow": True, "half_extents_m": [0.08, 0.03, 0.04]}, "hollow drawer"),
        ("window", {"travel_m": 0.2}, "width of the sash"),
        ("knob", {"travel_rad": 4.0}, "travel_rad"),
        ("button", {"damping": -1.0}, "damping"),
    ):
        with pytest.raises(ValidationError, match=message):
            make(kind, **changes)
