"""A task spec survives JSON, has one identity, and says in one line what is wrong with it."""

import copy
import json
import random

import pytest
from simulation import TASKS, task

from sim_finetune.objects import object_classes
from sim_finetune.predicates import kind_of, predicate_classes
from sim_finetune.spec import TaskSpec, json_schema, read_spec


def broken(*path_and_value) -> dict:
    """The reach task with one value replaced."""
    *path, last, value = path_and_value
    data = copy.deepcopy(task("reach").model_dump(mode="json"))
    place = data
    for step in path:
        place = place[step]
    place[last] = value
    return data


@pytest.mark.parametrize("name", TASKS)
def test_json_round_trip_keeps_spec_and_hash(name):
    spec = task(name)
    again = read_spec(spec.model_dump_json())
    assert again == spec
    assert again.hash == spec.hash


def test_hash_tells_colours_apart():
    assert read_spec(broken("objects", 0, "colour", "purple")).hash != task("reach").hash


@pytest.mark.parametrize("name", TASKS)
def test_every_instruction_names_the_first_goal_object(name):
    spec = task(name)
    texts = [spec.instruction(index) for index in range(len(spec.instructions))]
    assert all(spec.goal_objects()[0].words in text for text in texts), texts


FAULTS = [
    (broken("goal", "object", "cup"), r"no object 'cup'; this task has \['target', 'other1', 'other2'\]"),
    (broken("instructions", ["reach the {cup}"]), r"no object 'cup'; this task has"),
    (broken("instructions", ["reach the {target.words}"]), r"no object 'target.words'"),
    (broken("objects", 0, "colour", "puce"), r"no colour 'puce'; there are \['red', 'green'"),
    (broken("objects", 1, "name", "target"), r"two objects share a name"),
    (broken("objects", 0, "region_m", [0.2, 0, 0.1, 0]), r"must be \(x_min, y_min, x_max, y_max\)"),
    (broken("objects", 0, "half_extents_m", [0.02, -1, 0.02]), r"half_extents_m.1: Input should be greater than 0"),
    (broken("family", "Juggle!"), r"family: String should match pattern"),
    (broken("instructions", ["reach {target:>999999999}"]), r"only {name} may stand in braces"),
    (broken("instructions", ["reach {target!r}"]), r"only {name} may stand in braces"),
    (broken("objects", 0, "region_m", [0, 0, 1e308, 1e308]), r"region_m.2: Input should be less than or equal to 1"),
    (broken("objects", 0, "yaw_range_rad", [1, 0]), r"must be \(low, high\)"),
    (broken("objects", 0, "yaw_range_rad", [float("nan"), 0]), r"yaw_range_rad.0: Input should be less"),
    (broken("speed", 3), r"speed: Extra inputs are not permitted"),
    (broken("goal", {"kind": "in_zone", "object": "target", "zone": "other1", "fraction": 1}), "'zone'.*is a block"),
]


@pytest.mark.parametrize(("data", "message"), FAULTS, ids=range(len(FAULTS)))
def test_a_fault_is_named_in_one_line(data, message):
    with pytest.raises(ValueError, match=message) as caught:
        read_spec(data)
    assert "\n" not in str(caught.value)


def test_spec_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        TaskSpec.model_validate(task("reach").model_dump()).name = "other"


# Identities of the first version: seeds of every recorded result hang on them.
FIRST_HASHES = {
    "open_drawer": "b76d0dc6b18db765",
    "pick_and_place": "eed8bb09855d2ced",
    "push_to_zone": "fd4542c822f443e4",
    "reach": "62ea8a0e40ad70ba",
}


@pytest.mark.parametrize("name", FIRST_HASHES)
def test_first_tasks_keep_their_identity(name):
    assert task(name).hash == FIRST_HASHES[name]


def test_where_a_task_comes_from_is_no_part_of_its_identity():
    about = {"provenance": {"proposer": "me", "parents": ["abc"]}, "missing_primitives": ["pour"]}
    document = task("reach").model_dump(mode="json")
    assert read_spec({**document, **about}).hash == task("reach").hash
    changes = {"stages": [{"goal": document["goal"], "instruction": "go", "weight": 1, "timeout_s": 9}]}
    changes |= {"randomise": {"light": 0.5}, "oracle": [{"skill": "reach", "object": "target"}]}
    hashes = {read_spec({**document, field: value}).hash for field, value in changes.items()}
    assert len(hashes | {task("reach").hash}) == 4


def test_the_json_schema_knows_every_kind():
    text = json.dumps(json_schema())
    kinds = [kind_of(cls) for cls in (*object_classes(), *predicate_classes())]
    assert all(f'"const": "{kind}"' in text for kind in kinds)
    assert set(json_schema()["required"]) == set(task("reach").model_dump(exclude_defaults=True))


ODD = [
    None,
    True,
    -1,
    0,
    1e308,
    float("nan"),
    10**400,
    "",
    "a" * 99,
    "{target}",
    "../x",
    "é",
    [],
    {},
    [[]],
    {"kind": "all"},
]


def mutate(node, rng):
    """One value somewhere in a document replaced by an odd one, left out, or said twice."""
    while isinstance(node, dict | list) and node:
        key = rng.choice(list(node) if isinstance(node, dict) else range(len(node)))
        if not isinstance(node[key], dict | list) or not node[key] or rng.random() < 0.3:
            break
        node = node[key]
    action = rng.random()
    if action < 0.6:
        node[key] = copy.deepcopy(rng.choice(ODD))
    elif action < 0.8:
        del node[key]
    elif isinstance(node, dict):
        node[rng.choice(["ref", "place", "kind", "parts", "name"])] = node[key]
    else:
        node.append(copy.deepcopy(node[key]))


def test_mutants_are_read_or_refused_in_one_line():
    rng, documents, refused = random.Random(0), [task(name).model_dump(mode="json") for name in TASKS], 0
    for _ in range(2000):
        document = copy.deepcopy(rng.choice(documents))
        for _ in range(rng.randint(1, 3)):
            mutate(document, rng)
        try:
            spec = read_spec(document, seed=0)
            assert read_spec(spec.model_dump_json()).hash == spec.hash
        except ValueError as error:
            assert "\n" not in str(error)
            refused += 1
    assert 500 < refused < 2000
