"""Rungs R0–R3, which need no physics: a candidate in, the candidate with what was learnt out; ValueError refuses it."""

import json
from string import Formatter
from typing import Any, NamedTuple

from pydantic import ValidationError

from sim_finetune.episode import Episode, Studio
from sim_finetune.faults import Pairs, with_path
from sim_finetune.novelty import Signature
from sim_finetune.reading import read_json
from sim_finetune.scene import compile_scene
from sim_finetune.spec import TaskSpec, read_spec


class Candidate(NamedTuple):
    """A proposal on its way up. studio: the body and how its episodes are played; first_seed: of its trials."""

    text: str
    spec: TaskSpec | None  # from R2 on
    studio: Studio
    first_seed: int
    known: tuple[Signature, ...]  # of the tasks it must differ from
    episodes: tuple[Episode, ...]  # those that the oracle solved, from R8 on
    facts: dict[str, Any]  # what the last rung measured
    done_at_start: tuple[int, ...] = ()  # seeds at whose starts R4 found the goal to hold

    @property
    def task(self) -> TaskSpec:
        """The spec, on rungs that have one."""
        assert self.spec is not None
        return self.spec

    def seeds(self, count: int) -> range:
        """The first `count` seeds of its trial episodes."""
        return range(self.first_seed, self.first_seed + count)


def text(candidate: Candidate, *, max_bytes: int, max_depth: int) -> Candidate:
    """R0: short, flat JSON without duplicate keys, before anything else looks at it."""
    value = read_json(candidate.text, max_bytes=max_bytes, max_depth=max_depth)
    if not isinstance(value, Pairs):
        raise ValueError(f"a task is a JSON object, not a {type(value).__name__}")
    return candidate


def schema(candidate: Candidate) -> Candidate:
    """R1: fields, types and ranges. Faults of names across fields (found on the whole task) are left to R2."""
    try:
        TaskSpec.model_validate_json(candidate.text)
    except ValidationError as error:
        if any(fault["loc"] for fault in error.errors()):
            read_spec(candidate.text)  # raises with the one-line message
    return candidate


def names(candidate: Candidate) -> Candidate:
    """R2: every name binds to an object of a fitting kind; each instruction names all goal objects, unmistakably."""
    try:
        spec = read_spec(candidate.text)
    except ValueError as error:
        raise ValueError(with_path(str(error), json.loads(candidate.text))) from error
    goal = {thing.name: thing.words for thing in spec.goal_objects()}
    for number, template in enumerate(spec.instructions):
        said = {field for _, field, _, _ in Formatter().parse(template)}
        if missing := sorted(set(goal) - said):
            raise ValueError(f"instructions.{number}: {template!r} does not mention {missing}")
    words = [thing.words for thing in spec.objects]
    if unclear := sorted({word for word in goal.values() if words.count(word) > 1}):
        raise ValueError(f"objects.{words.index(unclear[0])}: the words {unclear} fit more than one object")
    return candidate._replace(spec=spec)


def compiles(candidate: Candidate, *, max_bodies: int, max_geoms: int, max_dofs: int) -> Candidate:
    """R3: MuJoCo compiles the scene with this body, within caps on what was added to it."""
    model = compile_scene(candidate.task, candidate.studio.embodiment)
    sizes = {"bodies": (model.nbody, max_bodies), "geoms": (model.ngeom, max_geoms), "dofs": (model.nv, max_dofs)}
    over = [f"{count} {name} (at most {most})" for name, (count, most) in sizes.items() if count > most]
    if over:
        raise ValueError("too large: " + ", ".join(over))
    return candidate._replace(facts={name: int(count) for name, (count, _) in sizes.items()})
