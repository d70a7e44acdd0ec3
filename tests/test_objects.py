"""Every kind of object: compiles alone, carries its names, rests where it is put, and round-trips through the spec."""

import mujoco
import numpy as np
import pytest
from pydantic import ValidationError
from things import CASES, depth_m, make, on_table, run

from sim_finetune.objects import COLOURS, object_classes
from sim_finetune.objects.base import Graspable, Solid
from sim_finetune.predicates import kind_of

KINDS = {kind_of(cls): cls for cls in object_classes()}
GRASPABLE = [kind for kind, cls in KINDS.items() if issubclass(cls, Graspable)]
HOLLOW = ["bowl", "cabinet", "container", "lidded_box", "microwave"]


def test_every_class_of_object_is_tested_here():
    assert set(KINDS) == set(CASES)


def test_the_first_six_colours_keep_their_places():
    assert list(COLOURS)[:6] == ["red", "green", "blue", "yellow", "purple", "cyan"]
    assert len(COLOURS) == 12


@pytest.mark.parametrize("kind", CASES)
def test_names_colour_and_round_trip(kind):
    thing = make(kind)
    model, data = on_table(thing)
    assert "green" in thing.words
    assert np.isclose(model.geom_rgba[:, :3], COLOURS["green"]).all(axis=1).any()
    assert type(thing).model_validate_json(thing.model_dump_json()) == thing
    mocap = model.body("it").mocapid[0]
    assert thing.free == (mocap < 0)
    if thing.free:
        assert model.joint("it").type == mujoco.mjtJoint.mjJNT_FREE
    assert model.geom("it").bodyid == model.body("it").id
    assert np.isfinite(data.site("it/top").xpos).all()


@pytest.mark.parametrize("kind", CASES)
def test_stands_still(kind):
    thing = make(kind)
    model, data = on_table(thing)
    start = data.xpos.copy()
    run(model, data, 1.0)
    assert np.isfinite(data.qpos).all()
    assert depth_m(data) < 0.001
    assert np.abs(data.xpos - start).max() < 0.002


@pytest.mark.parametrize("kind", CASES)
def test_its_bounds_and_radius_hold_it(kind):
    """Every drawn geom of the body itself lies in the box of bounds_m; of the whole object, in the disc of radius_m.

    4 mm of slack, because the boxes of slanted geoms are too large.
    """
    thing = make(kind)
    model, data = on_table(thing)
    body = model.body("it").id
    for geom in np.flatnonzero(model.geom_rgba[:, 3] * (model.geom_bodyid > 0)):
        middle, half = model.geom_aabb[geom, :3], model.geom_aabb[geom, 3:]
        turn = data.geom_xmat[geom].reshape(3, 3)
        centre, reach = data.geom_xpos[geom] + turn @ middle, np.abs(turn) @ half
        if model.geom_bodyid[geom] == body and kind != "drawer" and model.geom(geom).name != "it/spout":
            local = np.abs(centre - data.body("it").xpos) + reach
            assert (local <= np.array(thing.bounds_m) + 4e-3).all(), model.geom(geom).name
        assert np.hypot(*centre[:2]) <= thing.radius_m + (0.1 if kind == "drawer" else 0.0) + 2e-3


@pytest.mark.parametrize("kind", GRASPABLE)
def test_jaws_fit_round_it_and_a_palm_over_it(kind):
    thing = make(kind)
    model, data = on_table(thing)
    site = data.site("it/grasp")
    assert thing.grasp_width_m <= 0.07
    assert site.xmat.reshape(3, 3)[:, 2] == pytest.approx([0, 0, 1])
    assert thing.height_m - 0.045 < site.xpos[2] <= thing.height_m
    # What lies between the jaws: first and last contact of rays along the site's x, from both sides.
    across, outside = site.xmat.reshape(3, 3)[:, 0], 0.04
    hits = []
    for sign in (-1, 1):
        geom, start = np.zeros(1, np.int32), site.xpos + sign * outside * across
        hit = mujoco.mj_ray(model, data, start, -sign * across, None, 1, -1, geom)
        assert hit >= 0
        hits.append(hit)
    assert 2 * outside - sum(hits) == pytest.approx(thing.grasp_width_m, abs=1e-3)


@pytest.mark.parametrize("kind", HOLLOW)
def test_what_is_dropped_in_lands_inside(kind):
    thing = make(kind)
    model, data = on_table(thing, drop_m=0.01)
    inside = data.site("it/inside")
    half = model.site("it/inside").size
    data.joint("drop").qpos[:3] = inside.xpos + np.array([0, 0, 0.3 * half[2]])
    run(model, data, 1.0)
    local = inside.xmat.reshape(3, 3).T @ (data.body("drop").xpos - inside.xpos)
    assert (np.abs(local) <= half).all()
    assert data.body("drop").xpos[2] < inside.xpos[2]  # it fell until something held it
    assert depth_m(data) < 0.002


@pytest.mark.parametrize("kind", ["pallet", "stand", "container"])
def test_top_is_where_things_are_put(kind):
    model, data = on_table(make(kind), drop_m=0.01)
    top = data.site("it/top").xpos.copy()
    data.joint("drop").qpos[:3] = top + np.array([0, 0, 0.012])
    run(model, data, 1.0)
    assert data.body("drop").xpos == pytest.approx(top + np.array([0, 0, 0.01]), abs=1e-3)


@pytest.mark.parametrize("kind", ["line", "corner", "square", "zone"])
def test_marks_touch_nothing(kind):
    model, data = on_table(make(kind), drop_m=0.01)
    data.joint("drop").qpos[2] = 0.01
    run(model, data, 0.5)
    assert data.body("drop").xpos[2] == pytest.approx(0.01, abs=1e-3)


def test_a_sphere_comes_to_rest():
    model, data = on_table(make("sphere"))
    data.joint("it").qvel[:] = [0.1, 0, 0, 0, 4, 0]
    run(model, data, 3.0)
    assert np.linalg.norm(data.joint("it").qvel[:3]) < 1e-3


@pytest.mark.parametrize("kind", [kind for kind, cls in KINDS.items() if issubclass(cls, Solid)])
def test_sizes_out_of_range_are_refused(kind):
    least = KINDS[kind].least_half_m
    too_small = [0.9 * half for half in least] if any(least) else [0, 0, 0]
    for half_extents in (too_small, [0.5, 0.5, 0.5], [float("nan")] * 3):
        with pytest.raises(ValidationError, match="half_extents_m"):
            make(kind, half_extents_m=half_extents)


def _scaled(value, scale, rng):
    """The same fields with every length, angle and damping multiplied by `scale`, more or less."""
    if isinstance(value, dict):
        return {key: _scaled(part, scale, rng) for key, part in value.items()}
    if isinstance(value, list):
        return [_scaled(part, scale, rng) for part in value]
    return value if isinstance(value, str | int) else value * scale * rng.uniform(0.7, 1.4)


@pytest.mark.parametrize("kind", CASES)
def test_whatever_is_accepted_compiles_and_stands(kind):
    rng, accepted = np.random.default_rng(0), 0
    for _ in range(40):
        try:
            thing = make(kind, **_scaled(CASES[kind], 10 ** rng.uniform(-1, 0.7), rng))
        except ValidationError:
            continue
        accepted += 1
        model, data = on_table(thing)
        run(model, data, 0.1)
        assert np.isfinite(data.qpos).all(), thing
        assert depth_m(data) < 0.002, thing
        assert np.isfinite([*thing.bounds_m, thing.radius_m, thing.height_m]).all()
        assert thing.radius_m > 0, thing
    assert accepted > 0
