"""Each class of object: it compiles alone, carries its name and colour, and round-trips through the spec's union."""

import mujoco
import numpy as np
import pytest
from pydantic import TypeAdapter

from sim_finetune.objects import COLOURS, AnyObject, object_classes

PLACED = {"name": "it", "colour": "green", "region_m": [0, 0, 0, 0], "yaw_range_rad": [0, 0]}
SIZES = {
    "block": {"half_extents_m": [0.02, 0.03, 0.04]},
    "zone": {"half_extents_m": [0.05, 0.06]},
    "stand": {"half_extents_m": [0.05, 0.05, 0.02]},
    "drawer": {"half_extents_m": [0.08, 0.06, 0.04], "travel_m": 0.1},
}


def test_every_class_of_object_is_tested_here():
    assert {cls.model_fields["kind"].annotation.__args__[0] for cls in object_classes()} == set(SIZES)


@pytest.mark.parametrize("kind", SIZES)
def test_compiles_with_its_name_colour_and_top(kind):
    thing = TypeAdapter(AnyObject).validate_python({"kind": kind, **PLACED, **SIZES[kind]})
    scene = mujoco.MjSpec()
    thing.add_to(scene)
    model = scene.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    assert thing.words == f"green {kind}"
    assert model.body("it").id > 0
    assert np.isclose(model.geom_rgba[:, :3], COLOURS["green"]).all(axis=1).any()
    assert data.site("it/top").xpos[2] == pytest.approx(SIZES[kind]["half_extents_m"][2] if kind != "zone" else 0.001)
    assert TypeAdapter(AnyObject).validate_json(thing.model_dump_json()) == thing


def test_drawer_slides_out_along_its_minus_y():
    thing = TypeAdapter(AnyObject).validate_python({"kind": "drawer", **PLACED, **SIZES["drawer"]})
    scene = mujoco.MjSpec()
    thing.add_to(scene)
    model = scene.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    shut = data.site("it/handle").xpos.copy()
    data.joint("it/slide").qpos[0] = 0.1
    mujoco.mj_forward(model, data)
    assert data.site("it/handle").xpos - shut == pytest.approx([0, -0.1, 0])
