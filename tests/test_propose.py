"""Proposing: seeded, judged, resumable; the library that comes out is read back, and names what is wrong with it."""

import json

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf
from PIL import Image
from small_sim import studio, task

from lapa.config import compose
from lapa.stage import read_manifest
from lapa.video import decode_mp4
from sim_finetune import propose, render
from sim_finetune.album import CAPTION_PX
from sim_finetune.ladder import BROKEN, NOVELTY, PASSED, RUNGS, Verdict, climb
from sim_finetune.library import load_evidence, load_library, load_task, save_task
from sim_finetune.novelty import signature
from sim_finetune.propose import Court, Proposal, by_content, judge, main, verdicts_on
from sim_finetune.proposers.sampler import Sampler
from sim_finetune.spec import read_spec

ONLY_REACH = [f"proposer.weights.{family}=0" for family in ("push_to_zone", "pick_and_place", "open_drawer")]
FAST = ["ladder=quick", "embodiment=hand", *ONLY_REACH, "ladder.R8_oracle.seeds=7"]


def sampler(**changes):
    settings = {"weights": {"reach": 1, "push_to_zone": 3}, "size_scale": (1.0, 1.1), "distractors": (0, 3)}
    settings["colours"] = ["red", "green", "blue", "yellow", "purple", "cyan"]
    templates = {name: task(name).model_dump(mode="json") for name in ("reach", "push_to_zone")}
    return Sampler(**({"templates": templates, **settings, "wordings": 2, "count": 30, "seed": 0} | changes))


def test_proposals_are_tasks_and_depend_on_seed_and_number_alone():
    first = list(sampler().proposals())
    specs = [read_spec(text) for text in first]
    assert first == list(sampler().proposals()) and first[:5] == list(sampler(count=5).proposals())
    assert first != list(sampler(seed=1).proposals())
    assert len({spec.hash for spec in specs}) > 25 and {spec.family for spec in specs} == {"reach", "push_to_zone"}
    for spec in specs:
        colours = [thing.colour for thing in spec.objects]
        assert len(set(colours)) == len(colours) and len(spec.instructions) == 2


def test_only_the_given_colours_are_drawn_and_unknown_ones_are_refused():
    things = [
        thing
        for text in sampler(colours=["red", "black"], distractors=(0, 0)).proposals()
        for thing in read_spec(text).objects
    ]
    assert {thing.colour for thing in things} == {"red", "black"}
    with pytest.raises(ValueError, match=r"no colours \['beige'\]; there are"):
        sampler(colours=["red", "beige"])


def test_the_demo_has_the_tasks_it_was_measured_on():
    cfg = compose("propose", ["out=none", "count=48", *ONLY_REACH])
    hashes = sorted(read_spec(text).hash for text in instantiate(cfg.proposer).proposals())
    assert hashes[:2] == ["0078aaa293856dc3", "023c28bd7507d52b"], (
        "another palette or size makes other, easier or harder tasks"
    )


def test_weights_of_an_unknown_template_are_refused():
    with pytest.raises(ValueError, match=r"must name templates, one above 0; there are \['reach', 'push_to_zone'\]"):
        sampler(weights={"juggle": 1})


def test_the_configured_sampler_knows_all_hand_written_tasks():
    built = instantiate(compose("propose", ["out=x", "count=60"]).proposer)
    families = {json.loads(text)["family"] for text in built.proposals()}
    assert families == {"reach", "push_to_zone", "pick_and_place", "open_drawer"}


def test_the_door_keeps_what_was_accepted_and_goes_on_where_it_was_stopped(tmp_path, capsys):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    main(compose("propose", [f"out={whole}", "count=2", *FAST]))
    specs, manifest = load_library(whole), read_manifest(whole)
    assert len(specs) == manifest["count"] == manifest["funnel"]["accepted"] == 2
    assert "validation ladder" in capsys.readouterr().out
    main(compose("propose", [f"out={stopped}", "count=2", *FAST]))
    for path in (stopped / "manifest.json", *stopped.glob("resume/verdict-000001-*.json")):
        path.unlink()  # as after a kill in the second proposal
    main(compose("propose", [f"out={stopped}", "count=2", *FAST]))
    assert read_manifest(stopped)["files"] == manifest["files"]


def test_a_fault_of_ours_is_no_verdict_that_is_kept(tmp_path, monkeypatch):
    """A full memory in one worker would have dropped a task for good."""
    court = Court({}, studio(), 0, ())
    proposal = Proposal(tmp_path / "verdict.json", "…")
    for reason, kept in ((f"{BROKEN} MemoryError", False), ("the table is not seen", True)):
        monkeypatch.setattr(
            propose, "climb", lambda text, reason=reason, **_: Verdict("R5_visible", reason, "", text, {})
        )
        assert judge(proposal, court=court).reason == reason and proposal.path.exists() == kept


def test_a_machine_that_cannot_draw_ends_it_before_a_task_is_blamed(tmp_path, monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "disable")
    monkeypatch.setattr(render, "_gl", render._gl.__wrapped__)
    with pytest.raises(ValueError, match="cannot draw pictures"):
        main(compose("propose", [f"out={tmp_path / 'o'}", "count=1", *FAST]))
    assert not (tmp_path / "o").exists()


def test_another_library_is_another_result_wherever_it_lies(tmp_path):
    for name in ("reach", "push_to_zone"):
        save_task(tmp_path / "one", task(name))
        save_task(tmp_path / "two", task(name))

    def settled(folder):
        cfg = compose("propose", ["out=x", "proposer=evolve", f"proposer.library={folder}", f"known={folder}"])
        return OmegaConf.to_container(by_content(cfg), resolve=True)

    before = settled(tmp_path / "one")
    assert before == settled(tmp_path / "two") and len(before["known"]) == 2
    save_task(tmp_path / "two", task("press_button"))
    assert before != settled(tmp_path / "two")
    assert by_content(compose("propose", ["out=x"])) == compose("propose", ["out=x"])


def test_nothing_accepted_is_an_error_with_the_first_reason(tmp_path):
    impossible = [f"out={tmp_path / 'o'}", "count=1", *FAST, "ladder.R3_compiles.max_bodies=2"]
    with pytest.raises(ValueError, match=r"no task was accepted of 1 proposals; .*R3_compiles: too large: \d+ bodies"):
        main(compose("propose", impossible))


def test_a_saved_task_comes_back_equal(tmp_path):
    path = save_task(tmp_path, task("open_drawer"))
    assert load_task(path) == task("open_drawer") and path.stem == task("open_drawer").hash
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(ValueError, match=r"broken\.json"):
        load_library(tmp_path)


def test_what_was_accepted_lies_there_with_record_picture_and_film(tmp_path):
    main(compose("propose", [f"out={tmp_path / 'o'}", "count=1", *FAST]))
    (spec,) = load_library(tmp_path / "o")
    folder = tmp_path / "o" / "tasks" / spec.hash
    assert {path.name for path in folder.iterdir()} == {"ladder.json", "thumbnail.png", "oracle.mp4"}
    record = load_evidence(tmp_path / "o", spec)
    assert record["embodiment"] == "hand" and record["rung"] == PASSED and set(record["facts"]) == set(RUNGS)
    assert len(decode_mp4((folder / "oracle.mp4").read_bytes())) > 9
    assert Image.open(tmp_path / "o" / "contact_sheet.png").size == (160, 160 + CAPTION_PX)


class Twice:
    """Says the same thing twice, and what it hears of it is kept."""

    def __init__(self) -> None:
        self.heard: list[Verdict] = []

    def proposals(self):
        for text in ("prose", task("reach").model_dump_json(), task("reach").model_dump_json()):
            self.said = len(self.heard)
            yield text

    def learn(self, verdict: Verdict) -> None:
        self.heard.append(verdict)


def test_a_proposer_that_learns_hears_every_verdict_in_order_and_nothing_is_accepted_twice(tmp_path):
    cfg = compose("propose", ["out=x", "ladder=quick"])
    settings = OmegaConf.to_container(cfg.ladder)
    proposer, court = Twice(), Court(settings, studio("hand"), 4_000_000, ())
    found = list(verdicts_on(proposer, court=court, folder=tmp_path, batch=1, num_workers=0))
    assert [verdict.rung for verdict in found] == ["R0_text", PASSED, NOVELTY] and proposer.heard == found
    assert proposer.said == 2 and "the same as" in found[2].reason
    known = court._replace(known=(signature(task("reach")),))
    assert climb(task("reach").model_dump_json(), **known._asdict()).rung == NOVELTY
