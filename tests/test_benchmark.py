"""The benchmark's tasks: seen and unseen share nothing that is held out, and faults are named."""

from functools import lru_cache

import pytest
from hydra.utils import instantiate

from lapa.config import compose
from sim_finetune.proposers.benchmark import HALVES
from sim_finetune.spec import TaskSpec, read_spec


@lru_cache
def tasks(*overrides: str, count: int = 500) -> list[TaskSpec]:
    proposer = compose("propose", ["out=x", "proposer=benchmark", f"count={count}", *overrides]).proposer
    return [read_spec(text) for text in instantiate(proposer).proposals()]


def combinations(specs: list[TaskSpec]) -> set[tuple[str, str]]:
    """Family and colour of the object that is named first."""
    return {(spec.family, spec.goal_objects()[0].colour) for spec in specs}


def kinds(specs: list[TaskSpec]) -> set[str]:
    return {thing.kind for spec in specs for thing in spec.objects}


def words(specs: list[TaskSpec]) -> set[str]:
    return {template for spec in specs for template in spec.instructions}


def test_each_half_is_new_in_its_own_way_and_in_no_other():
    seen, combined, objects, said = (
        tasks(f"proposer.half={half}") for half in ("seen", "combinations", "objects", "words")
    )
    assert not combinations(seen) & combinations(combined) and kinds(combined) <= kinds(seen)
    assert not words(seen) & words(said) and combinations(said) <= combinations(seen) | combinations(objects)
    assert kinds(objects) - kinds(seen) == {"cylinder"} and words(objects) <= words(seen)
    assert not combinations(objects) & combinations(combined) and words(combined) <= words(seen)
    assert {spec.family for spec in seen} == {spec.family for spec in combined} == {spec.family for spec in said}


def test_the_unseen_half_has_all_three_and_no_task_of_the_seen():
    seen, unseen = tasks(), tasks("proposer.half=unseen")
    assert {spec.name.split("_")[0] for spec in unseen} == {"combinations", "objects", "words"}
    assert not {spec.hash for spec in seen} & {spec.hash for spec in unseen}
    for spec in unseen:
        new = [combinations([spec]) <= combinations(seen), kinds([spec]) <= kinds(seen), words([spec]) <= words(seen)]
        assert new.count(False) == 1, spec.name


def test_no_family_is_both_evaluated_and_of_the_others():
    families = {name: {spec.family for spec in tasks(f"proposer.group={name}")} for name in ("evaluated", "others")}
    assert not families["evaluated"] & families["others"]
    assert len(families["evaluated"]) == 7 and len(families["others"]) == 4


def test_a_task_depends_on_seed_and_number_alone():
    first = [spec.hash for spec in tasks(count=10)]
    assert first == [spec.hash for spec in tasks(count=20)][:10] != [spec.hash for spec in tasks("seed=1", count=10)]


def test_colours_name_one_object_and_the_variant_stands_in_the_words():
    for spec in tasks():
        assert len({thing.colour for thing in spec.objects}) == len(spec.objects)
        assert not any("@" in spec.instruction(i) for i in range(len(spec.instructions)))
    right = [spec for spec in tasks() if spec.family == "beside" and spec.goal.side == "right"]
    assert right and all("right" in spec.instruction(0) for spec in right)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("proposer.half=new", rf"no half 'new' of group 'evaluated'; there are \['{HALVES[0]}'"),
        ("proposer.group=mine", r"group 'mine'; there are .* of \['evaluated', 'others'\]"),
        ("+proposer.groups.others.juggle=1", r"groups name \['juggle'\], which are no families"),
    ],
)
def test_what_is_not_there_is_named(override, message):
    with pytest.raises(Exception, match=message):
        tasks(override)
