"""The report card's numbers in, the verdict in words out: is this quantizer good enough to label with, and why (not)?"""

from typing import Any, NamedTuple

from quantizer.nuisance import MOTION
from quantizer.sample import FLOW
from quantizer.table import CARRIED, Row, best_blind, other_meanings, rows, shown

ADVICE = "But flow is what quantizers learn from: label again with probe=FOLDER of clips that have motion or state."


class Verdict(NamedTuple):
    """What the page and the terminal show; `lines` end with the sentence that says whether it is good enough."""

    good_enough: bool
    lines: list[str]
    table: list[Row]


def judge(found: dict[str, Any]) -> Verdict:
    """`found` is quality.json without its verdict."""
    table = rows(found)
    deciding = [row for row in table if row.decides]
    missed = [row for row in deciding if not row.passed]
    lines = [_motion(found), _use(found), _meaning(found)]
    if missed:
        reasons = "; ".join(f"{row.metric}: {row.value}, asked for is {row.good}" for row in missed)
        return Verdict(False, [*lines, f"Not yet: {reasons}."], table)
    carried = f"codes carry {shown(found['carried']['share'])} of the decodable motion, above {CARRIED} is asked for"
    last = f"{carried}, and {len(deciding)} of {len(deciding)} lines that decide are passed."
    if found["probe_of"] == FLOW:  # which a quantizer that is trained to tell it passes by heart
        last = f"Not known: these clips know no true motion. By the optical flow that stands in for it, {last} {ADVICE}"
        return Verdict(False, [*lines, last], table)
    return Verdict(True, [*lines, f"Good enough: {last}"], table)


def _motion(found: dict[str, Any]) -> str:
    if found["probe"] is None:
        return "Too few videos to hold some out: nothing is known of what the codes mean."
    (blind, floor), carried, score = best_blind(found), found["carried"], shown(found["probe"]["codes_linear"])
    most = f"{shown(carried['r2'])} decodable" if carried else "none decodable"
    share = f"{shown(carried['share'])} of the" if carried else "no"
    what = f"linearly decodable motion ({found['probe_of']})"
    return f"Codes carry {share} {what}: R² {score}, {most}, {shown(floor)} from {blind}."


def _use(found: dict[str, Any]) -> str:
    size, empty = found["num_codes"], ", ".join(str(len(slot["unused"])) for slot in found["slots"])
    unused = f"{size - found['codes_used']} of {size} codes unused (slot by slot {empty})"
    return f"{unused}; perplexity {found['perplexity']:.1f}; {found['distinct_steps']} distinct steps."


def _meaning(found: dict[str, Any]) -> str:
    """Which codes encode what."""
    about = [code["about"] for code in found["codes"]]
    parts = [f"{about.count(MOTION)} encode motion"]
    parts += [f"{len(codes)} encode {name} ({', '.join(codes)})" for name, codes in other_meanings(found).items()]
    parts += [f"{about.count('')} nothing that was measured"] if "" in about else []
    return f"Of {len(about)} codes in use, counted slot by slot: {'; '.join(parts)}."
