"""The grammar and its children: every scenario gives tasks that bind, by seed and number alone; faults are named."""

import json

import numpy as np
import pytest
from hydra.utils import instantiate

from lapa.config import compose
from lapa.doors import configs_dir
from sim_finetune.ladder import PASSED
from sim_finetune.predicates import every
from sim_finetune.proposers.casting import bind, cast, listed, say
from sim_finetune.proposers.mutations import MUTATIONS, joined
from sim_finetune.rungs_text import Candidate, names
from sim_finetune.spec import read_spec

GRAMMAR = instantiate(compose("propose", ["out=x", "proposer=grammar", "count=60"]).proposer)
EVOLVER = instantiate(compose("propose", ["out=x", "proposer=evolve", "count=60"]).proposer)
CATALOGUE = GRAMMAR.catalogue
BLANK = Candidate(**dict.fromkeys(Candidate._fields))


def bound(document: dict):
    """The spec, once rung R2 lets it through."""
    return names(BLANK._replace(text=json.dumps(document))).spec


@pytest.mark.parametrize("scenario", GRAMMAR.scenarios)
def test_every_scenario_gives_tasks_whose_names_bind_and_are_said(scenario):
    specs = [bound(GRAMMAR.task(scenario, np.random.default_rng(seed))) for seed in range(8)]
    assert {spec.family for spec in specs} == {scenario}
    assert len({spec.hash for spec in specs}) == 8


def test_proposals_depend_on_the_seed_and_their_number_alone():
    first = list(GRAMMAR.proposals())
    assert first == list(GRAMMAR.proposals())
    GRAMMAR.seed, other = 1, GRAMMAR.seed
    assert first[0] != next(GRAMMAR.proposals())
    GRAMMAR.seed = other


def test_a_hundred_and_twenty_tasks_span_kinds_and_predicates():
    specs = [read_spec(GRAMMAR.draw(np.random.default_rng([3, i]))) for i in range(120)]
    kinds = {thing.kind for spec in specs for thing in spec.objects}
    said = {part.kind for spec in specs for goal in (spec.goal, *(s.goal for s in spec.stages)) for part in every(goal)}
    assert len(kinds) >= 25 and len(said) >= 20 and any(spec.stages for spec in specs)


def test_objects_have_colours_of_their_own_unless_they_shall_match():
    roles = {
        "places": {"group": "field", "count": 3},
        "items": {"group": "block", "count": "places", "colours_of": "places"},
    }
    made = cast(roles, CATALOGUE, np.random.default_rng(0))
    colours = [thing["colour"] for thing in made.things]
    assert colours[:3] == colours[3:] and len(set(colours)) == 3
    assert made.members == {"places": ["places1", "places2", "places3"], "items": ["items1", "items2", "items3"]}


def test_roles_become_names_in_statements_and_words():
    members = {"a": ["a1", "a2"], "b": ["b1", "b2"], "c": ["c"]}
    goal = [
        {"kind": "x", "objects": ["a"], "to": "c"},
        {"each": ["a", "b"], "part": {"kind": "y", "o": "a", "in": "b"}},
    ]
    assert bind(goal, members) == [
        {"kind": "x", "objects": ["a1", "a2"], "to": "c"},
        {"kind": "y", "o": "a1", "in": "b1"},
        {"kind": "y", "o": "a2", "in": "b2"},
    ]
    assert say("put the {a} in the {c}", members) == "put the {a1} and the {a2} in the {c}"
    assert listed(["x", "y", "z"]) == "{x}, the {y} and the {z}"


def test_a_scenario_with_a_fault_is_refused_by_name():
    with pytest.raises(ValueError, match=r"no kind or group 'teapot'; there are kinds \['block'"):
        cast({"x": "teapot"}, CATALOGUE, np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"role 'x' has \['size'\]"):
        cast({"x": {"group": "block", "size": 1}}, CATALOGUE, np.random.default_rng(0))
    settings = compose("propose", ["out=x", "proposer=grammar", "+proposer.scenarios.reach.cheer=1"]).proposer
    with pytest.raises(Exception, match=r"scenario 'reach' has \['cheer'\]"):
        instantiate(settings)


@pytest.mark.parametrize("name", MUTATIONS)
@pytest.mark.parametrize("scenario", ["put_in", "stack", "close", "unpack", "insert_ell", "sort_by_colour"])
def test_a_mutation_leaves_its_parent_alone_and_changes_a_task(name, scenario):
    parent = GRAMMAR.task(scenario, np.random.default_rng(4))
    before = json.dumps(parent)
    children = [MUTATIONS[name](parent, CATALOGUE, np.random.default_rng(seed)) for seed in range(6)]
    assert json.dumps(parent) == before
    if name != "clear":
        assert any(json.dumps(child) != before for child in children)
    for child in children if name != "exchange" else []:  # another kind may not fit the goal: the ladder says so
        bound(child)


def test_a_tolerance_of_what_is_not_to_be_stays():
    parent = GRAMMAR.task("take_off", np.random.default_rng(4))
    children = [MUTATIONS["retune"](parent, CATALOGUE, np.random.default_rng(seed)) for seed in range(20)]
    assert all(child["goal"]["parts"][0] == parent["goal"]["parts"][0] for child in children)
    assert any(child["goal"] != parent["goal"] for child in children)


def test_clearing_undoes_crowding_and_nothing_else():
    rng = np.random.default_rng(0)
    parent = MUTATIONS["clear"](GRAMMAR.task("put_in", rng), CATALOGUE, rng)
    crowded = MUTATIONS["crowd"](parent, CATALOGUE, rng)
    assert len(crowded["objects"]) == len(parent["objects"]) + 1
    assert MUTATIONS["clear"](crowded, CATALOGUE, rng) == parent


def test_two_tasks_joined_are_both_asked_for_and_the_first_is_a_stage():
    rng = np.random.default_rng(0)
    one, two = GRAMMAR.task("lift", rng), GRAMMAR.task("open", rng)
    spec = bound(joined(one, two, CATALOGUE))
    assert len(spec.objects) == len(one["objects"]) + len(two["objects"])
    assert spec.stages[0].goal.kind == "all" and ", then " in spec.instructions[0]
    kinds = {part.kind for part in every(spec.goal)}
    assert "joint_fraction" in kinds and "grasped" not in kinds  # it cannot hold up one thing and open another
    assert len({thing.colour for thing in spec.objects}) == len(spec.objects)


def test_children_name_their_parents_and_accepted_ones_become_parents():
    children = [json.loads(text) for text in EVOLVER.proposals()]
    hashes = {spec.hash for spec in EVOLVER.pool}
    assert all(set(child["provenance"]["parents"]) <= hashes for child in children)
    read = [text for text in EVOLVER.proposals() if _reads(text)]
    assert len(read) > 45 and len({read_spec(text).hash for text in read}) > 40
    before = len(EVOLVER.pool)
    for rung in (PASSED, "R8_oracle"):
        EVOLVER.learn(type("Verdict", (), {"rung": rung, "spec": read[0]})())
    assert len(EVOLVER.pool) == before + 1


def _reads(text: str) -> bool:
    try:
        bound(json.loads(text))
    except ValueError:
        return False
    return True


def test_unknown_mutations_are_refused():
    with pytest.raises(Exception, match=r"no mutations \['sing'\]"):
        instantiate(compose("propose", ["out=x", "proposer=evolve", "+proposer.mutations.sing=1"]).proposer)
    assert str(configs_dir())
