"""lapa.report_chain: each setting's stages, wherever they lie, tell how much of what was seen is left."""

import re

import pytest
from fake_transfer import fake_transfer
from test_report_transfer import again as told_of
from test_report_transfer import arm_of, stages

from lapa.report_chain import chains


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of three settings, only to be read."""
    settings = ("", "in_domain", "cross_environment", "human")
    return fake_transfer(tmp_path_factory.mktemp("runs") / "transfer", settings=settings, per_task=2)


def links_of(read, told):
    return {chain.title: chain.links for chain in chains(read, told.settings, "lapa")}


def test_the_chain_reads_each_stages_own_measure(run):
    told = told_of(run)
    links = links_of(stages(run), told)
    assert [link.text for link in links["In domain"][:3]] == ["0.64", "53\u00a0%", "0.19"]
    assert links["In domain"][0].value > links["Cross-environment"][0].value
    assert links["Human video only"][3].value == arm_of(told, "human", "lapa").row.rate


def test_what_another_setting_made_is_found(run):
    named = {stage.name: stage for stage in stages(run)}
    shared = [
        stage for name, stage in named.items() if not re.fullmatch("human/(codes|latent_policy|policy_lapa)", name)
    ]
    shared += [named["human/policy_lapa"]._replace(sources=["in_domain/latent_policy", "demos"])]
    shared += [named["in_domain/latent_policy"]._replace(sources=["demos", "in_domain/codes"])]
    links = links_of(shared, told_of(run))
    assert links["Human video only"][:2] == links["In domain"][:2]
    assert links["Cross-environment"][:2] != links["In domain"][:2]
