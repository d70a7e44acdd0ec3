"""lapa.settings: settings and arms filled in, each step once for each name it gets; what a recipe lacks is told."""

import pytest
from omegaconf import OmegaConf

from lapa.settings import steps_of

TABLE = {
    "all": ["one", "two"],
    "sizes": {"count": 3},
    "settings": {
        "one": {"body": "panda", "shared": ".", "arms": ["scratch", "lapa"], "more": []},
        "two": {"body": "hand", "shared": ".", "arms": ["scratch", "lapa", "vpt"], "more": ["a=$body", "b=2"]},
    },
    "arms": {"scratch": {"home": "$shared"}, "lapa": {"home": "$setting"}, "vpt": {"home": "$setting"}},
    "steps": {
        "tasks": {"door": "propose", "with": ["count=$count"]},
        "others": {"settings": ["two"], "door": "propose", "with": []},
        "$setting/clips": {"arms": ["lapa", "vpt"], "door": "build", "with": ["$more", "body=$body"]},
        "$home/policy_$arm": {"door": "train", "with": ["out/$shared/demos"]},
    },
}


def names_of(setting="all", arms=None, seed=0, trainings=1, **changes):
    tree = OmegaConf.create({**TABLE, **changes})
    return steps_of(tree, setting=setting, arms=arms, seed=seed, trainings=trainings)


def test_a_step_is_made_once_for_each_name_it_gets():
    steps = names_of()
    assert list(steps) == [
        "tasks", "policy_scratch", "one/clips", "one/policy_lapa", "others", "two/clips", "two/policy_lapa", "two/policy_vpt",
    ]  # fmt: skip
    assert steps["tasks"]["with"] == ["count=3"] and steps["two/clips"]["with"] == ["a=hand", "b=2", "body=hand"]
    assert steps["policy_scratch"]["with"] == ["out/demos"] and steps["one/clips"]["with"] == ["body=panda"]


TUNED = {
    "$setting/clips": {"arms": ["lapa", "vpt"], "door": "build", "with": []},
    "$home/$again/policy_$arm": {"door": "train", "with": ["seed=$seed"]},
    "$home/$again/rollout_$arm": {"door": "rollout", "with": ["checkpoint=out/$home/$again/policy_$arm"]},
}


def test_further_trainings_come_last_each_in_a_folder_with_a_seed_and_share_the_rest():
    once, thrice = names_of(["one"], seed=4, steps=TUNED), names_of(["one"], seed=4, trainings=3, steps=TUNED)
    assert list(once) == ["policy_scratch", "rollout_scratch", "one/clips", "one/policy_lapa", "one/rollout_lapa"]
    assert list(thrice) == [
        *once,
        *(f"{home}seed_{n}/{what}" for n in (1, 2) for home, what in (
            ("", "policy_scratch"), ("", "rollout_scratch"), ("one/", "policy_lapa"), ("one/", "rollout_lapa"))),
    ]  # fmt: skip
    assert {name: step for name, step in thrice.items() if name in once} == once
    assert once["policy_scratch"]["with"] == ["seed=4"] and thrice["one/seed_2/policy_lapa"]["with"] == ["seed=6"]
    assert once["rollout_scratch"]["with"] == ["checkpoint=out/policy_scratch"]
    assert thrice["seed_1/rollout_scratch"]["with"] == ["checkpoint=out/seed_1/policy_scratch"]


@pytest.mark.parametrize(("tree", "trainings"), [({"steps": {}}, 2), (TABLE, 0), (TABLE, "two")])
def test_trainings_that_cannot_be_are_refused(tree, trainings):
    with pytest.raises(
        ValueError, match=f"trainings={trainings}: a whole number from 1 up, and 1 for a recipe without"
    ):
        steps_of(OmegaConf.create(tree), setting="all", arms=None, trainings=trainings)


def test_settings_and_arms_are_chosen():
    assert list(names_of("one", ["scratch"])) == ["tasks", "policy_scratch"]
    assert list(names_of(["two"], ["vpt"])) == ["tasks", "others", "two/clips", "two/policy_vpt"]
    with pytest.raises(ValueError, match=r"no setting 'three'; there are \['all', 'one', 'two'\]"):
        names_of("three")
    with pytest.raises(ValueError, match=r"no arm 'unipi'; there are \['scratch', 'lapa', 'vpt'\]"):
        names_of("one", ["unipi"])


def test_one_word_is_a_list_of_one():
    assert list(names_of("one", "scratch")) == list(names_of(["one"], ["scratch"]))
    own = {"one": {**TABLE["settings"]["one"], "arms": "scratch"}}
    assert list(names_of("one", settings=own)) == ["tasks", "policy_scratch"]
    clips = {"$setting/clips": {"arms": "scratch_long", "door": "build", "with": []}, **TABLE["steps"]}
    assert "one/clips" not in names_of("one", "scratch", steps=clips)


def test_nothing_is_written_as_hydra_reads_it():
    own = {"one": {**TABLE["settings"]["one"], "from": None}}
    steps = names_of("one", settings=own, steps={"s": {"door": "train", "with": ["init_from=$from"]}})
    assert steps["s"]["with"] == ["init_from=null"]


def setting_one(**values):
    return {"settings": {"one": values, "two": {"like": "one"}}}


@pytest.mark.parametrize(
    ("told", "changes", "setting"),
    [
        (r"'two' cannot be like 'onne'; it can be like \['one'\]", {"settings": {"one": {}, "two": {"like": "onne"}}}, "two"),
        (r"setting '(one|two)' cannot be like '(one|two)'; it can be like \[\]", setting_one(like="two"), "all"),
        (r"setting 'one' cannot be like 'one'; it can be like \['two'\]", setting_one(like="one"), "one"),
        (r"setting 'one' has no arms; there are \['scratch', 'lapa', 'vpt'\]", setting_one(body="panda"), "one"),
        (r"setting=all names no setting; there are \['one', 'two'\]", {"all": None}, "all"),
        (r"setting=\[\] names no setting; there are \['one', 'two'\]", {}, []),
        (r"step 'tasks' needs .* steps are \['tasks', 'clips'\]", {"steps": {"tasks": {"door": "propose"}, "clips": {}}}, "all"),
        (r"step 'tasks' needs", {"steps": {"tasks": {"arms": ["lapa"]}}}, "all"),
        (r"step 'tasks' needs", {"steps": {"tasks": None}}, "all"),
        (r"step 'tasks' needs", {"steps": {"tasks": {"door": "propose", "with": [{"count": 3}]}}}, "all"),
        ("this recipe has no 'steps'", {"steps": None}, "all"),
        ("this recipe has no 'sizes'", {"sizes": None}, "all"),
    ],
)  # fmt: skip
def test_a_slip_in_a_recipe_is_told(told, changes, setting):
    with pytest.raises(ValueError, match=told):
        names_of(setting, **changes)


def test_a_slip_in_a_recipe_without_settings_is_told():
    with pytest.raises(ValueError, match="step 'tasks' needs"):
        steps_of(OmegaConf.create({"steps": {"tasks": {"door": "propose"}}}), setting="all", arms=None)


def test_two_steps_of_one_name_and_values_that_are_not_there_are_named():
    with pytest.raises(ValueError, match="two steps of this recipe are called clips"):
        names_of(steps={"clips": {"door": "build", "with": ["body=$body"]}})
    with pytest.raises(
        ValueError, match=r"'x=\$colour': no value 'colour'; there are \['again', 'arm', 'arms', 'body'"
    ):
        names_of(steps={"clips": {"door": "build", "with": ["x=$colour"]}})
    with pytest.raises(ValueError, match="a value that names itself"):
        names_of(sizes={"count": "$count"})
