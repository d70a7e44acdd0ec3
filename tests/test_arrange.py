"""Everything stands where its spec says, by the seed alone, and what finds no room is an error."""

import numpy as np
import pytest
from small_tasks import placed, small_env, small_task, thing
from things import CASES

NAMES = ["a", "b", "c", "d", "e", "f"]
CENTRE = [-0.02, -0.02, 0.02, 0.02]


def patterned(pattern, count=6, pitch_m=0.045, region_m=CENTRE, **fields):
    layout = {"objects": NAMES[:count], "pattern": pattern, "pitch_m": pitch_m, "region_m": region_m, **fields}
    return small_task(*[thing(name) for name in NAMES[:count]], layouts=[layout])


def middles(spec, seed=0):
    _, data = placed(spec, np.random.default_rng(seed))
    return np.stack([data.body(one.name).xpos for one in spec.objects])


def apart(points):
    return np.linalg.norm(points[:, None] - points[None], axis=-1)[np.triu_indices(len(points), 1)]


@pytest.mark.parametrize(
    ("pattern", "least", "most"),
    [("line", 0.045, 5 * 0.045), ("grid", 0.045, 0.045 * 5**0.5), ("ring", 0.045, 0.09), ("stack", 0.04, 5 * 0.04)],
)
def test_a_pattern_has_its_distances_wherever_it_lies(pattern, least, most):
    spec = patterned(pattern, yaw_range_rad=[-1.5, 1.5])
    for seed in range(4):
        distances = apart(middles(spec, seed))
        assert distances.min() == pytest.approx(least) and distances.max() == pytest.approx(most)


def test_a_pyramid_stands():
    spec = patterned("pyramid")
    env = small_env(spec)
    env.reset(seed=0)
    heights = [env.data.body(name).xpos[2] for name in NAMES]
    assert heights == pytest.approx([0.02, 0.02, 0.02, 0.06, 0.06, 0.1], abs=2e-3)
    before = env.data.xpos.copy()
    for _ in range(20):
        env.step(env.target())
    assert np.abs(env.data.xpos - before).max() < 0.003


def test_a_partition_gives_each_object_a_cell():
    spec = patterned("partition", count=4, pitch_m=0.1, region_m=[-0.1, -0.2, 0.1, 0.2])
    for seed in range(5):
        xy = middles(spec, seed)[:, :2]
        assert {(x > 0, y > 0) for x, y in xy} == {(x, y) for x in (False, True) for y in (False, True)}


def test_on_is_on_top_and_beside_its_siblings():
    stand = thing("stand", "stand", half_extents_m=[0.09, 0.09, 0.03])
    on = {"kind": "on", "support": "stand", "within_m": 0.06}
    spec = small_task(
        stand, thing("a", place=on), thing("b", place=on), thing("top", place={**on, "support": "a", "within_m": 0})
    )
    for seed in range(5):
        places = dict(zip(["stand", "a", "b", "top"], middles(spec, seed), strict=True))
        assert places["a"][2] == places["b"][2] == pytest.approx(0.08)
        assert places["top"] == pytest.approx(places["a"] + [0, 0, 0.04])
        assert np.linalg.norm(places["a"] - places["b"]) >= 2 * 0.02 * 2**0.5
        assert np.abs(places["a"] - places["stand"])[:2].max() <= 0.06


def test_relative_turns_with_what_it_is_relative_to():
    turned = thing("a", region_m=CENTRE, yaw_range_rad=[1.2, 1.2])
    spec = small_task(turned, thing("b", place={"kind": "relative", "to": "a", "offset_m": [0.1, 0]}), thing("c"))
    a, b, _ = middles(spec)
    assert b - a == pytest.approx([0.1 * np.cos(1.2), 0.1 * np.sin(1.2), 0])


@pytest.mark.parametrize("pattern", ["line", "stack", "partition"])
def test_beside_an_object_of_a_pattern(pattern):
    layout = {"objects": ["a", "b"], "pattern": pattern, "pitch_m": 0.06, "region_m": [-0.1, -0.1, 0.1, 0.1]}
    beside = {"kind": "relative", "to": "b", "offset_m": [0.1, 0.1]}
    a, b, c = middles(small_task(thing("a"), thing("b"), thing("c", place=beside), layouts=[layout]), seed=2)
    assert c == pytest.approx([*(b[:2] + 0.1), 0.02])
    assert np.linalg.norm(a - b) > 0.03


IN_BOX = {"kind": "all", "parts": [{"kind": "inside", "object": name, "container": "box"} for name in "ab"]}


def test_inside_is_between_the_walls():
    inside = {"place": {"kind": "inside", "container": "box"}, "half": 0.012}
    box = {**thing("box"), "kind": "container", **CASES["container"], "yaw_range_rad": [0.5, 0.5]}
    spec = small_task(box, thing("a", **inside), thing("b", **inside), goal=IN_BOX)
    env = small_env(spec)
    for seed in range(5):
        assert env.reset(seed=seed)[1]["goal_holds"]
        assert np.linalg.norm((env.data.body("a").xpos - env.data.body("b").xpos)[:2]) >= 0.024
    with pytest.raises(ValueError, match="no room for 'a' inside 'box'"):
        middles(small_task(box, thing("a", place=inside["place"], half=0.05)))


def test_a_seed_decides_every_place():
    spec = patterned("line", yaw_range_rad=[-1, 1])
    np.testing.assert_array_equal(middles(spec, 3), middles(spec, 3))
    assert not np.array_equal(middles(spec, 3), middles(spec, 4))


FULL = {"kind": "on", "support": "a", "within_m": 0.01}
NO_ROOM = [
    (small_task(thing("a"), thing("b", place=FULL), thing("c", place=FULL)), "no room for 'c' on 'a'"),
    (patterned("line", count=5, pitch_m=0.2), "no room for 'a' and 'b' and"),
    (patterned("partition", pitch_m=0.1), "no room for 'a': a cell of the partition is"),
    (
        small_task(
            thing("a", region_m=[0.2] * 4), thing("b", place={"kind": "relative", "to": "a", "offset_m": [0.2, 0]})
        ),
        "no room for 'a' and 'b'",
    ),
]


@pytest.mark.parametrize(("spec", "message"), NO_ROOM, ids=range(len(NO_ROOM)))
def test_no_room_is_an_error(spec, message):
    with pytest.raises(ValueError, match=message):
        middles(spec)


def test_what_leaves_no_room_is_placed_anew():
    """In the middle of the strip, as half of all draws put it, the first block leaves no room for the second."""
    strip = {"region_m": [-0.06, 0, 0.06, 0], "half": 0.02}
    spec = small_task(thing("a", **strip), thing("b", **strip), clearance_m=0.01)
    apart = [np.abs(np.subtract(*middles(spec, seed))[0]) for seed in range(20)]
    assert min(apart) >= 0.05


def placed_by(name, kind, **fields):
    return {"place": {"kind": kind, **fields}, "name": name}


FAULTS = [
    ([{"name": "a"}, placed_by("b", "on", support="cup", within_m=0)], {}, "no object 'cup'"),
    (
        [placed_by("a", "on", support="b", within_m=0), placed_by("b", "on", support="a", within_m=0)],
        {},
        "round in a circle: a by b by a",
    ),
    ([{"name": "a"}, placed_by("b", "inside", container="a")], {}, r"no site 'inside' on 'a', a block; it has \['top'"),
    (
        [
            {"name": "a"},
            placed_by("b", "on", support="a", within_m=0),
            placed_by("c", "relative", to="b", offset_m=[0.1, 0]),
        ],
        {},
        "cannot stand beside 'b'",
    ),
    ([{"name": "a"}, {"name": "b"}], {"pattern": "pyramid"}, "pyramid needs 3, 6, 10 or 15 objects, not 2"),
    ([{"name": "a"}, {"name": "b"}], {"objects": ["a", "cup"]}, "no object 'cup'"),
    ([{"name": "a"}, {"name": "b"}], {"objects": ["a", "a"]}, "a layout names an object twice"),
    ([{"name": "a"}, placed_by("b", "on", support="a", within_m=0)], {"pattern": "line"}, "'b' has a place of its own"),
]


@pytest.mark.parametrize(("objects", "layout", "message"), FAULTS, ids=range(len(FAULTS)))
def test_a_fault_is_named(objects, layout, message):
    pattern = {"objects": ["a", "b"], "pattern": "line", "pitch_m": 0.05, "region_m": CENTRE, **layout}
    with pytest.raises(ValueError, match=message):
        small_task(*[thing(**one) for one in objects], layouts=[pattern] if layout else [])
