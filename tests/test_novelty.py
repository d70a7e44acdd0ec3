"""Novelty: the same task under other names is the same; structure and words tell others apart; without words, structure."""

from typing import Any

import numpy as np
import pytest
from small_sim import task

from sim_finetune import novelty
from sim_finetune.novelty import canonical_hash, jaccard, repeats, signature
from sim_finetune.spec import TaskSpec, read_spec
from sim_finetune.wording import embedder, model_folder

STRICT = {"structure": 0.8, "cosine": 0.9}
LAX = {"structure": 1.0, "cosine": 0.9}


def changed(name: str = "pick_and_place", **fields: Any) -> TaskSpec:
    return read_spec({**task(name).model_dump(mode="json"), **fields})


def renamed() -> TaskSpec:
    """pick_and_place with other names, wordings, and order of objects and parts."""
    text = task("pick_and_place").model_dump_json()
    for old, new in (("target", "thing"), ("stand", "base")):
        for quoted in ('"{}"', "{{{}}}"):
            text = text.replace(quoted.format(old), quoted.format(new))
    text = text.replace('"kind":"base"', '"kind":"stand"')
    document = read_spec(text).model_dump(mode="json")
    document["objects"].reverse()
    document["goal"]["parts"].reverse()
    return read_spec({**document, "name": "other", "instructions": ["lift the {thing} on to the {base}"]})


def test_names_order_and_wording_make_no_other_task():
    one, other = task("pick_and_place"), renamed()
    assert one.hash != other.hash and canonical_hash(one) == canonical_hash(other)
    assert one.hash in repeats(signature(other), [signature(one)], **LAX)


@pytest.mark.parametrize("field", ["hold_s", "clearance_m"])
def test_a_number_makes_another_task(field):
    assert canonical_hash(changed(**{field: 0.02})) != canonical_hash(task("pick_and_place"))


def test_jaccard_is_the_share_that_two_sets_have_in_common():
    assert jaccard(frozenset("ab"), frozenset("bc")) == pytest.approx(1 / 3)
    assert jaccard(frozenset(), frozenset()) == 1.0


def test_a_signature_says_what_there_is_and_what_is_asked():
    found = signature(task("pick_and_place"))
    assert found.assets == {"stand 1", "block 1", "block 2"}
    assert found.predicates == {"on_top(block, stand)", "released(block)"}
    assert found.text == "put the red block on the cyan stand"


def with_words(monkeypatch, cosine: float | None) -> None:
    other = None if cosine is None else np.array([cosine, np.sqrt(1 - cosine**2)])
    vectors = {"put the red block on the cyan stand": np.array([1.0, 0.0])}
    embed = None if other is None else lambda text: vectors.get(text, other)
    monkeypatch.setattr(novelty, "embedder", lambda: embed)


@pytest.mark.parametrize(("cosine", "fault"), [(0.95, "words 0.95"), (0.85, ""), (None, "no text model")])
def test_what_is_made_alike_is_told_apart_by_its_words_if_they_can_be_compared(monkeypatch, cosine, fault):
    with_words(monkeypatch, cosine)
    near = changed(hold_s=0.4, instructions=["set the {target} upon the {stand}"])
    found = repeats(signature(near), [signature(task("pick_and_place"))], **STRICT)
    assert fault in found and bool(found) == bool(fault)
    assert not repeats(signature(near), [signature(task("pick_and_place"))], **LAX)


def test_what_is_made_otherwise_needs_no_words(monkeypatch):
    monkeypatch.setattr(novelty, "embedder", lambda: pytest.fail("the text model was asked"))
    assert not repeats(signature(task("reach")), [signature(task("open_drawer"))], **STRICT)


@pytest.mark.skipif(model_folder() is None, reason="the extra `text` is not installed")
def test_the_text_model_hears_what_means_the_same():
    embed = embedder()
    assert embed is not None
    put, place, drawer = map(
        embed,
        ("put the red block on the stand", "place the red block onto the stand", "pull the drawer open"),
    )
    assert put @ put == pytest.approx(1, abs=1e-5) and put @ place > 0.9 > 0.5 > put @ drawer
