"""The author: recorded replies of good, lazy and broken models; memory, repair, reflection, curriculum; costs written down."""

import json
from types import SimpleNamespace

import pytest
import yaml
from hydra.utils import instantiate

from lapa.config import choices, compose
from lapa.doors import configs_dir
from sim_finetune.ladder import PASSED
from sim_finetune.language_models import Message, Reply
from sim_finetune.language_models.recorded import Recorded
from sim_finetune.proposers.llm import Author
from sim_finetune.spec import read_spec

TASKS = str(configs_dir() / "task")
LOOK = {"size": "medium", "place": "anywhere", "state": "usual"}


def wire(colour: str = "red", **changes) -> dict:
    """A small task in the wire form."""
    task = {
        "name": f"reach_{colour}",
        "instructions": ["go to the {item1}"],
        "objects": [{"name": "item1", "kind": "block", "colour": colour, **LOOK}],
        "statements": [{"kind": "tool_near", "object": "item1", "above_m": 0.015, "within_m": 0.03}],
        "stages": [],
        "goal": [0],
        "missing_primitives": [],
    }
    return task | changes


class Scripted:
    """Answers with the given texts, the last one for ever, and keeps what it was asked."""

    name = "scripted"

    def __init__(self, *texts: str):
        self.texts, self.asked = list(texts), list[tuple[list[Message], bool, int]]()

    def reply(self, dialogue, *, schema, seed):
        self.asked.append((dialogue, schema is not None, seed))
        text = self.texts.pop(0) if len(self.texts) > 1 else self.texts[0]
        return Reply(text, 10, len(text), 0.1)


def author(model, **changes) -> Author:
    settings = instantiate(compose("propose", ["out=x", "proposer=llm"]).proposer, model=model)
    prompts = settings.talk.prompts._asdict() | {"turns": ["wanted: {aim}\n{names}\n{examples}\n{faults}\n{lessons}"]}
    table = settings.catalogue._asdict()
    limits = settings.limits._asdict() | changes.pop("limits", {})
    given = {"target": "", "library": "", "transcript": "", "count": 20, "seed": 0} | changes
    return Author(model=model, catalogue=table, prompts=prompts, limits=limits, **given)


def verdict(rung: str) -> SimpleNamespace:
    """What an author reads of a verdict."""
    return SimpleNamespace(rung=rung, reason="" if rung == PASSED else "too easy")


def judged(made: Author, *rungs: str) -> list[str]:
    """The proposals, each judged in turn by the given rungs (the last for all that follow)."""
    said = []
    for i, proposal in enumerate(made.proposals()):
        said.append(proposal)
        rung = rungs[min(i, len(rungs) - 1)]
        made.learn(verdict(rung))
    return said


COLOURS = ["red", "green", "blue", "yellow", "purple", "cyan"]


def test_each_reply_becomes_a_task_that_says_where_it_came_from():
    model = Scripted(*(json.dumps(wire(colour)) for colour in COLOURS))
    specs = [read_spec(text) for text in judged(author(model, count=6), PASSED)]
    assert [spec.objects[0].colour for spec in specs] == COLOURS
    assert all(spec.provenance.model == "scripted" and len(spec.provenance.prompt_hash) == 16 for spec in specs)
    assert len({seed for _, _, seed in model.asked}) == 6 and all(schema for _, schema, _ in model.asked)


@pytest.mark.parametrize(
    "text", ["", "I would rather talk about the weather.", json.dumps(wire())[:90], "{}", "[" * 9999]
)
def test_a_reply_that_is_no_task_goes_to_the_ladder_once_and_then_it_ends(text):
    model = Scripted(text)
    said = judged(author(model, limits={"patience": 5}), "R0_text")
    assert len(said) == 1 and len(model.asked) == 1 + 5
    with pytest.raises(ValueError):
        read_spec(said[0])


def test_the_same_task_a_hundred_times_is_one_proposal():
    said = judged(author(Scripted(*[json.dumps(wire(name=f"a{i}")) for i in range(100)]), count=100), PASSED)
    assert len(said) == 1  # another name does not make another task


def test_a_reply_as_long_as_a_book_is_cut_before_anybody_reads_it():
    said = judged(author(Scripted('{"name": "' + "a" * 10**6), count=1), "R0_text")
    assert len(said[0]) == 16384


def test_a_refused_task_is_mended_at_most_so_often_with_the_ladders_words():
    model = Scripted(*(json.dumps(wire(colour)) for colour in COLOURS))
    judged(author(model, count=5, limits={"repairs": 2}), "R6_not_solved")
    lengths = [len(dialogue) for dialogue, _, _ in model.asked]
    assert lengths == [2, 4, 6, 2, 4]  # asked, mended, mended again, asked afresh, mended
    assert "R6_not_solved: too easy" in model.asked[1][0][-1].text and model.asked[1][0][-2].role == "assistant"


def test_what_is_wrong_with_a_wire_form_is_told_rather_than_the_ladders_complaint():
    model = Scripted(json.dumps(wire(goal=[7])), json.dumps(wire()))
    judged(author(model, count=2), "R1_schema", PASSED)
    assert "goal: 7 is no earlier statement" in model.asked[1][0][-1].text


def test_verdicts_may_come_late_and_in_batches():
    made = author(Scripted(*(json.dumps(wire(colour)) for colour in COLOURS)), count=4)
    proposals = made.proposals()
    for _ in range(2):
        next(proposals), next(proposals)
        for rung in (PASSED, "R8_oracle"):
            made.learn(verdict(rung))
    assert len(made.memory.accepted) == 2 and len(made.memory.refused) == 2


def test_accepted_and_refused_tasks_and_lessons_are_shown_to_the_model():
    model = Scripted(
        *(json.dumps(wire(colour)) for colour in COLOURS[:3]), "less of the same", json.dumps(wire("cyan"))
    )
    limits = {"repairs": 0, "reflect_every": 2}
    judged(author(model, count=4, limits=limits), PASSED, "R5_visible", "R8_oracle", PASSED)
    last = model.asked[-1][0][-1].text
    assert "reach_red" in last and "R8_oracle: too easy" in last and "less of the same" in last
    assert [schema for _, schema, _ in model.asked] == [True, True, True, False, True]


def test_a_library_s_tasks_are_examples_and_count_as_said():
    made = author(Scripted("x"), library=TASKS)
    assert "open_drawer" in made.memory.names()
    first = json.loads(made.memory.examples(1, 0))
    assert not made.memory.admit(first)


def test_a_whole_spec_instead_of_its_wire_form_is_taken_when_the_ladder_takes_it():
    made = author(Scripted((configs_dir() / "task" / "reach.yaml").read_text(), json.dumps(wire())), count=2)
    spec = read_spec(yaml.safe_load((configs_dir() / "task" / "reach.yaml").read_text()))
    for _ in made.proposals():
        made.learn(SimpleNamespace(rung=PASSED, reason="", spec=spec.model_dump_json()))
    assert made.memory.names() == "reach, reach_red"


def test_top_down_goes_from_step_to_step_and_ends_with_the_target():
    steps = json.dumps({"steps": ["reach a block", "lift a block"]})
    model = Scripted(steps, *(json.dumps(wire(colour)) for colour in COLOURS))
    said = judged(author(model, target="stack two blocks", limits={"repairs": 0}), PASSED)
    asked = [dialogue[-1].text.splitlines()[0] for dialogue, _, _ in model.asked[1:]]
    assert asked == ["wanted: reach a block", "wanted: lift a block", "wanted: stack two blocks"] and len(said) == 3


def test_a_model_without_a_curriculum_is_an_error_that_names_it():
    with pytest.raises(ValueError, match="scripted gave no curriculum for 'fly'"):
        next(author(Scripted("none"), target="fly").proposals())


def test_a_transcript_can_be_told_again(tmp_path):
    path = tmp_path / "said.jsonl"
    texts = [json.dumps(wire(colour)) for colour in COLOURS[:3]]
    first = judged(author(Scripted(*texts), count=3, transcript=str(path)), PASSED)
    again = judged(author(Recorded(path=str(path)), count=3), PASSED)
    assert [read_spec(a).hash for a in again] == [read_spec(a).hash for a in first]
    assert json.loads(path.read_text().splitlines()[0])["prompt_tokens"] == 10
    with pytest.raises(ValueError, match="holds 3 replies; number 4 was asked for"):
        judged(author(Recorded(path=str(path)), count=4), PASSED)


def test_a_transcript_is_of_one_run(tmp_path):
    """After a kill the same command asks everything once more: what the killed one wrote would be told first."""
    path = tmp_path / "said.jsonl"
    path.write_text('{"text": "of a run that was killed"}\n')
    judged(author(Scripted(json.dumps(wire())), count=1, transcript=str(path)), PASSED)
    assert [json.loads(row)["text"] for row in path.read_text().splitlines()] == [json.dumps(wire())]
    with pytest.raises(ValueError, match="is what the model reads its replies from: give another file"):
        author(Recorded(path=str(path)), transcript=str(path))


@pytest.mark.parametrize("style", choices("prompts"))
def test_every_style_fills_its_slots(style):
    overrides = ["out=x", "proposer=llm", f"prompts@proposer.prompts={style}", f"proposer.library={TASKS}", "count=1"]
    model = Scripted(json.dumps(wire()))
    made = instantiate(compose("propose", overrides).proposer, model=model)
    judged(made, "R6_not_solved")
    shown = "\n".join(message.text for message in model.asked[-1][0])
    assert '"kind":"' in shown and "{aim}" not in shown and "{examples}" not in shown
    assert style == "short" or ("tool_near(" in shown and "graspable: block" in shown and "open_drawer" in shown)
    made.talk.reflect(made.memory, faults=3)
    made.talk.curriculum("stack")
    assert "R6_not_solved" in model.asked[-2][0][-1].text and "stack" in model.asked[-1][0][-1].text
