"""The report card's numbers in, a table with what good looks like and a verdict in words out; every threshold stands here."""

from typing import Any, NamedTuple

from quantizer.nuisance import MOTION

# What decides. Each is a floor below which a policy that learns the codes learns something else than the motion.
CARRIED = 0.5  # share of the linearly decodable motion: more of it kept than lost
MARGIN = 0.05  # R² above the best probe without the codes: about two standard errors of R² on 100 held-out videos
HEARD_DB = 0.1  # what another pair's codes must cost the picture: 2 % of the squared error
IN_USE = 0.5  # share of the codebook: fewer codes in use are the collapse that LAPA's users report
OTHER_MEANING = 0.25  # share of the codes in use that may speak of something else than motion
# What is only marked.
PCFC = 0.94  # LAPA's own quantizers score 0.94 to 0.99 (CoMo's measure, as CARE reports it), better ones less
ALIKE = 0.5  # cosine: nearer to what is asked for than to anything unrelated
READ_BACK = 2.0  # times chance

BLIND = {  # probes that do not see what happened between the frames
    "state_only": "state alone", "first_frame": "first frame alone", "next_frame": "next frame alone", "shuffled": "shuffled codes"
}  # fmt: skip
DENSE = {"flow_field": "flow of all patches", "frame_difference": "difference of the frames", "dense_motion": "both"}


class Row(NamedTuple):
    """One line of the card. `passed` is None where nothing is asked; `decides`: "good enough" needs it."""

    metric: str
    value: str
    baseline: str
    good: str
    passed: bool | None
    decides: bool


class Verdict(NamedTuple):
    """What the page and the terminal show; `lines` end with the sentence that says whether it is good enough."""

    good_enough: bool
    lines: list[str]
    table: list[Row]


def judge(found: dict[str, Any]) -> Verdict:
    """`found` is quality.json without its verdict."""
    table = [*_use(found), *_motion(found), *_picture(found), *_grammar(found), *_meaning(found)]
    missed = [row for row in table if row.decides and not row.passed]
    good = not missed
    reasons = "; ".join(f"{row.metric}: {row.value}, asked for is {row.good}" for row in missed)
    last = "Good enough: every line that decides is passed." if good else f"Not yet: {reasons}."
    return Verdict(good, [*_sentences(found), last], table)


def best_blind(found: dict[str, Any]) -> tuple[str, float]:
    """The best probe without the codes, in words, and its R²."""
    name = max((name for name in BLIND if name in found["probe"]), key=lambda name: found["probe"][name])
    return BLIND[name], found["probe"][name]


def _use(found: dict[str, Any]) -> list[Row]:
    used, size = found["codes_used"], found["num_codes"]
    slots = ", ".join(f"{slot['perplexity']:.1f}" for slot in found["slots"])
    empty = ", ".join(str(len(slot["unused"])) for slot in found["slots"])
    steps = found["distinct_steps"]
    return [
        Row("codes in use", f"{used} of {size}", "", f"at least {IN_USE:.0%}", used >= IN_USE * size, True),
        Row("perplexity over all slots", f"{found['perplexity']:.1f}", f"at most {size}", "", None, False),
        Row("perplexity slot by slot", slots, f"at most {size}", "no slot at 1.0", None, False),
        Row("codes unused slot by slot", empty, f"of {size}", "", None, False),
        Row("distinct steps", f"{steps} in {found['pairs']} pairs", "", "", None, False),
    ]


def _motion(found: dict[str, Any]) -> list[Row]:
    if found["probe"] is None:
        return [Row("motion read from codes", "not measured", "", "4 videos or more", False, True)]
    probe, (blind, floor) = found["probe"], best_blind(found)
    rows = [
        _probe_row(found, "codes_linear", "codes, linear probe", f"{floor:.2f} {blind}", floor + MARGIN, True),
        _probe_row(found, "codes_mlp", "codes, MLP", f"{floor:.2f} {blind}", None, False),
        _probe_row(found, "latents_linear", "latents before quantisation, linear probe", "", None, False),
        _probe_row(found, "latents_mlp", "latents before quantisation, MLP", "", None, False),
    ]
    if "codes_and_state" in probe:
        state = probe["state_only"]
        rows.append(
            _probe_row(
                found, "codes_and_state", "codes and state, MLP", f"{state:.2f} state alone", state + MARGIN, False
            )
        )
    if carried := found["carried"]:
        low, high = carried["interval"]
        rows.append(Row(
            "share of the linearly decodable motion", f"{carried['share']:.2f} ({low:.2f} to {high:.2f})",
            f"1 = R² {carried['r2']:.2f}, {DENSE[carried['of']]}", f"at least {CARRIED}", carried["share"] >= CARRIED, True,
        ))  # fmt: skip
    else:
        rows.append(
            Row("share of the linearly decodable motion", "none is decodable", "", f"at least {CARRIED}", False, True)
        )
    return rows + [
        Row(f"motion from {path['from'] or 'unnamed'} to {path['to'] or 'unnamed'}, R²", f"{path['r2']:.2f}",
            f"{path['own']:.2f} its own probe", "as its own", None, False)
        for path in found["transfer"]
    ]  # fmt: skip


def _probe_row(found: dict[str, Any], name: str, words: str, baseline: str, least: float | None, decides: bool) -> Row:
    score, (low, high) = found["probe"][name], found["interval"][name]
    good, passed = ("", None) if least is None else (f"above {least:.2f}", score > least)
    return Row(
        f"{found['probe_of']} from {words}, R²",
        f"{score:.2f} ({low:.2f} to {high:.2f})",
        baseline,
        good,
        passed,
        decides,
    )


def _picture(found: dict[str, Any]) -> list[Row]:
    if found["picture"] is None:
        return []
    gain, read = found["picture"]["gain_db"], found["picture"]["read_back"]
    least = READ_BACK * read["chance"]
    rows = [
        Row("picture against copying the first frame", f"{gain['copy']:+.2f} dB", "0 dB", "above 0", gain["copy"] > 0, False),
        Row("picture against another pair's codes", f"{gain['other_codes']:+.2f} dB", "0 dB", f"above {HEARD_DB} dB",
            gain["other_codes"] > HEARD_DB, True),
    ]  # fmt: skip
    if gain["no_codes"] is not None:
        rows.append(Row(
            "picture against no codes", f"{gain['no_codes']:+.2f} dB", "0 dB", f"above {HEARD_DB} dB", gain["no_codes"] > HEARD_DB, False
        ))  # fmt: skip
    places = {"own_scene": "on its own scene", "other_scene": "on other scenes", "other_body": "on other bodies"}
    return rows + [
        Row(f"codes read back from the picture {words}", f"{read[name]:.2f}", f"{read['chance']:.2f} chance",
            f"above {least:.2f}", read[name] > least, False)
        for name, words in places.items() if name in read
    ]  # fmt: skip


def _grammar(found: dict[str, Any]) -> list[Row]:
    chains = found["chains"]
    if chains is None:
        return []
    same = chains["s_pcfc"]
    rows = [Row(
        "cosine of past → current and future → current (S-PCFC)", f"{same['value']:.2f}", f"{same['shuffled']:.2f} of other clips",
        f"below {PCFC}", same["value"] < PCFC, False,
    )]  # fmt: skip
    for name, words in {
        "additivity": "z(a→c) against z(a→b) + z(b→c)",
        "reversibility": "z(b→a) against −z(a→b)",
    }.items():
        part = chains[name]
        value = f"{part['cosine']:.2f}, R² {part['r2']:.2f}"
        baseline = f"{part['shuffled_cosine']:.2f}, R² {part['shuffled_r2']:.2f} of other clips"
        rows.append(Row(f"{words}, cosine", value, baseline, f"above {ALIKE}", part["cosine"] > ALIKE, False))
    return rows


def _meaning(found: dict[str, Any]) -> list[Row]:
    rows = [
        Row(f"{name} from codes, R²", f"{part['codes']:.2f}", f"{part['shuffled']:.2f} shuffled, {part[MOTION]:.2f} from the motion",
            "no more than from the motion", part["codes"] <= max(part[MOTION], 0) + MARGIN, False)
        for name, part in (found["nuisance"] or {}).items()
    ]  # fmt: skip
    identity, others = found["clip_identity"], _other_meanings(found)
    rows.append(Row("share of the codes' variance between clips", f"{identity['codes']:.2f}",
                    f"{identity[MOTION]:.2f} of the motion", "no more than the motion's",
                    identity["codes"] <= identity[MOTION] + MARGIN, False))  # fmt: skip
    count, most = sum(map(len, others.values())), OTHER_MEANING * len(found["codes"])
    rows.append(Row("codes that speak of something else than motion", f"{count} of {len(found['codes'])} (slot, code)",
                    "", f"at most {OTHER_MEANING:.0%}", count <= most, True))  # fmt: skip
    return rows


def _other_meanings(found: dict[str, Any]) -> dict[str, list[str]]:
    """Quantity → the codes that speak of it more than of motion, as "slot:code"."""
    others: dict[str, list[str]] = {}
    for code in found["codes"]:
        if code["about"] not in ("", MOTION):
            others.setdefault(code["about"], []).append(f"{code['slot']}:{code['code']}")
    return others


def _sentences(found: dict[str, Any]) -> list[str]:
    """The card in a few sentences, a number in each."""
    used, size = found["codes_used"], found["num_codes"]
    lines = [
        f"{size - used} of {size} codes unused; perplexity {found['perplexity']:.1f}; {found['distinct_steps']} distinct steps."
    ]
    if found["probe"] is not None:
        blind, floor = best_blind(found)
        if carried := found["carried"]:
            share = f"Codes carry {carried['share']:.2f} of the linearly decodable motion ({found['probe_of']})"
            lines.insert(
                0,
                f"{share}: R² {found['probe']['codes_linear']:.2f} of {carried['r2']:.2f}; {blind} gives {floor:.2f}.",
            )
    names = [f"{len(codes)} encode {name} ({', '.join(codes)})" for name, codes in _other_meanings(found).items()]
    silent = sum(code["about"] == "" for code in found["codes"])
    told = f"{silent} of nothing measured" if silent else ""
    lines.append(
        f"Of {len(found['codes'])} (slot, code) in use: {'; '.join([*names, told]).strip('; ') or 'all speak of motion'}."
    )
    return lines
