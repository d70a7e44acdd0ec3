"""Whatever is said, the ladder answers: no crash, no hang, one line, at the rung and with the place where the fault is.

pytest tests/test_fuzz.py -m slow      10,000 texts, under a cap of memory, each within seconds
"""

import json
import resource
import time
from collections import Counter

import pytest
from fuzz import Said, said
from omegaconf import OmegaConf
from small_sim import studio

from lapa.config import compose
from sim_finetune.faults import with_path
from sim_finetune.ladder import BROKEN, PASSED, RUNGS, Verdict, climb

FEW, MANY = 420, 10_000
SECONDS, KIB = 10.0, 3 * 2**20  # that a text may take, and that the process may need
CHEAP = {  # one seed a rung: what is asked here is whether it answers, not whether the task is good
    "R4_settles": {"placements": 1, "seeds": 1, "seconds": 0.2},
    "R5_visible": {"seeds": 1},
    "R6_not_solved": {"still_seeds": 1, "still_s": 0.2, "random_seeds": 1},
    "R7_reachable": {"seeds": 1},
    "R8_oracle": {"seeds": 1},
}


@pytest.fixture(scope="module")
def settings() -> dict:
    found = OmegaConf.to_container(compose("propose", ["out=x", "ladder=quick"]).ladder)
    return {name: {**rung, **CHEAP.get(name, {})} for name, rung in found.items()}


def judged(text: str, settings: dict) -> Verdict:
    return climb(text, settings=settings, studio=studio("hand", max_steps=4), first_seed=4_000_000)


def fault(found: Said, verdict: Verdict) -> str:
    """What is wrong with the ladder's answer, or ""."""
    if verdict.rung not in (*RUNGS, PASSED) or bool(verdict.reason) == (verdict.rung == PASSED):
        return "no verdict"
    if verdict.reason.startswith(BROKEN):
        return "the ladder broke"
    if not verdict.reason.isprintable():
        return "more than a line"
    if found.rungs and verdict.rung not in found.rungs:
        return f"not at {found.rungs}"
    return "" if found.path in verdict.reason else f"does not name {found.path}"


def answers(count: int, settings: dict) -> tuple[Counter, list[str]]:
    rungs: Counter = Counter()
    wrong = []
    for number in range(count):
        found, started = said(number), time.monotonic()
        verdict = judged(found.text, settings)
        rungs[verdict.rung] += 1
        slow = "slow" if time.monotonic() - started > SECONDS else ""
        if why := fault(found, verdict) or slow:
            wrong.append(f"text {number}: {why}: {verdict.rung}: {verdict.reason[:200]}")
    return rungs, wrong


def test_whatever_is_said_is_answered_at_its_rung(settings):
    rungs, wrong = answers(FEW, settings)
    assert not wrong, "\n".join(wrong[:20])
    assert {"R0_text", "R1_schema", "R2_names"} < set(rungs)  # and some get to the scene
    json.dumps(rungs)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_ten_thousand_texts_are_answered_within_time_and_memory(settings):
    rungs, wrong = answers(MANY, settings)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"\n{dict(rungs)}; {peak / 2**10:.0f} MiB at most")
    assert not wrong, "\n".join(wrong[:20])
    assert peak < KIB


def test_a_fault_is_told_where_it_stands_and_not_where_the_object_is_defined():
    document = {"objects": [{"name": "a"}], "instructions": ["push {b}"], "goal": {"parts": [{"object": "b"}]}}
    assert with_path("task: no object 'b'", document) == "goal.parts.0.object: no object 'b'"
    assert with_path("task: no object 'a'", document) == "objects.0.name: no object 'a'"
    del document["goal"]
    assert with_path("task: no object 'b'", document) == "instructions.0: no object 'b'"
    assert with_path("task: nothing is quoted", document) == "task: nothing is quoted"
