"""A body from a user's own folder: its yaml by path, MJCF beside the yaml, meshes where the MJCF says."""

import numpy as np
import pytest
from hydra.utils import instantiate
from simulation import make_env

from lapa.config import compose
from lapa.files import value_hash
from sim_finetune.embodiment import check_embodiment, load_embodiment
from sim_finetune.library import load_library, with_tasks
from sim_finetune.propose import by_content

CRANE = """<mujoco model="crane"><compiler meshdir="parts"/>
  <asset><mesh name="cone" file="cone.obj"/></asset>
  <worldbody><body name="arm" gravcomp="1"><joint name="lift" type="slide" axis="0 0 1" range="0 0.3"/>
    <geom type="mesh" mesh="cone" contype="0" conaffinity="0"/><site name="tip"/>
    <body name="jaw" gravcomp="1"><joint name="jaw" axis="1 0 0" range="-60 60" damping="0.1"/><geom size="0.01"/></body>
  </body></worldbody>
  <actuator><position name="lift" joint="lift" kp="900" kv="60"/><position name="jaw" joint="jaw" kv="0.1"/></actuator>
</mujoco>"""
CONE = "v 0 0 0\nv 0.1 0 0\nv 0 0.1 0\nv 0 0 0.1\nf 1 3 2\nf 1 2 4\nf 2 3 4\nf 3 1 4\n"
YAML = """
_target_: sim_finetune.embodiment.Embodiment
name: crane
mjcf: bodies/crane.xml
base_m: [0.0, 0.0, 0.1]
joint_names: [lift]
max_speed: [0.5]
home: [0.1]
home_noise: [0.0]
tool_site: tip
turn_cost: [0.5, 0.5]
gripper: {_target_: sim_finetune.embodiment.Gripper, joint_names: [jaw], closed: [0.0], open: [0.5], gap_m: [0.0, 0.1]}
"""


@pytest.fixture
def crane(tmp_path):
    """The path of the yaml."""
    (tmp_path / "bodies" / "parts").mkdir(parents=True)
    (tmp_path / "bodies" / "parts" / "cone.obj").write_text(CONE)
    (tmp_path / "bodies" / "crane.xml").write_text(CRANE)
    (tmp_path / "crane.yaml").write_text(YAML)
    return tmp_path / "crane.yaml"


def test_its_mjcf_and_meshes_are_found_from_the_yaml(crane):
    env = make_env(body=str(crane))
    assert env.embodiment.mjcf == str(crane.parent / "bodies" / "crane.xml")
    assert env.model.nmesh == 1
    env.reset(seed=0)
    for _ in range(20):
        env.step(np.array([0.25, 1.0]))
    np.testing.assert_allclose(env.state(), [0.25, 1.0], atol=0.01)


def test_an_edited_mjcf_of_ones_own_is_another_result_and_one_that_ships_leaves_no_trace(crane):
    watch = compose("build", ["out=x", "source=simulated", "tasks=seeds"]).source.episodes

    def told():
        own = compose("collect", ["tasks=seeds", "out=x"])
        own.embodiment.mjcf = str(crane.parent / "bodies" / "crane.xml")
        return [with_tasks(own, []).mjcf_hash, by_content(own).mjcf_hash, shown(str(crane))]

    def shown(body):
        load_embodiment.cache_clear()
        return instantiate(watch, embodiment=body).contents()

    before, ships = told(), compose("collect", ["tasks=seeds", "out=x"])
    assert told() == before
    (crane.parent / "bodies" / "crane.xml").write_text(CRANE.replace('kp="900"', 'kp="800"'))
    assert not set(told()) & set(before)
    assert set(with_tasks(ships, [])) - set(ships) == {"task_hashes"} and by_content(ships) == ships
    assert shown("hand") == value_hash([spec.hash for spec in load_library("seeds")])


def test_an_absolute_mjcf_stays_and_a_missing_one_is_named(crane):
    absolute = crane.parent / "bodies" / "crane.xml"
    crane.write_text(YAML.replace("bodies/crane.xml", str(absolute)))
    body = load_embodiment(str(crane))
    assert body.mjcf == str(absolute)
    with pytest.raises(ValueError, match="gone.xml"):
        check_embodiment(body._replace(mjcf="gone.xml"))
    absolute.write_text(CRANE.replace('<position name="jaw"', '<position name="claw"'))
    with pytest.raises(ValueError, match=r"no actuator 'jaw'; .*crane.xml has \['lift', 'claw'\]"):
        check_embodiment(body)
    with pytest.raises(ValueError, match="no embodiment file /nowhere/a.yaml"):
        load_embodiment("/nowhere/a.yaml")
