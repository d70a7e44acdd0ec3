"""The report card's numbers in, its table out: metric, value, baseline, what good looks like; every threshold stands here."""

from typing import Any, NamedTuple

from quantizer.nuisance import MOTION

# What decides: below these, a policy that learns the codes learns something else than the motion.
CARRIED = (
    0.7  # share of the linearly decodable motion; on the demo's clips an untrained encoder had 0.67, a trained one 0.79
)
MARGIN = 0.05  # R² above the best probe without the codes: R²'s interval on 100 held-out videos is ± 0.04
HEARD_DB = 0.1  # what another pair's codes must cost the picture: 2 % of the squared error
IN_USE = 0.5  # share of the codebook: fewer codes in use are the collapse that trainers of LAPA's quantizer report
OTHER_MEANING = 0.25  # share of the codes in use that may speak of something else than motion
# What is only marked.
PCFC = 0.94  # published quantizers: LAPA 0.94 to 0.99, CARE 0.82 to 0.95
ALIKE = 0.5  # cosine: nearer to what is asked for than to anything unrelated
READ_BACK = 0.5  # of the way from chance to always

BLIND = {  # probes that do not see what happened between the frames
    "state_only": "state alone", "first_frame": "first frame alone", "next_frame": "next frame alone",
    "shuffled": "shuffled codes",
}  # fmt: skip
READERS = {
    "codes_linear": "codes, linear", "codes_mlp": "codes, MLP", "codes_and_state": "codes and state, MLP",
    "latents_linear": "latents before quantisation, linear", "latents_mlp": "latents before quantisation, MLP",
}  # fmt: skip
DENSE = {"flow_field": "flow", "frame_difference": "frame difference", "dense_motion": "flow and frame difference"}


class Row(NamedTuple):
    """One line of the card. `passed` is None where nothing is asked; `decides`: "good enough" needs it."""

    group: str
    metric: str
    value: str
    baseline: str
    good: str
    passed: bool | None
    decides: bool


def rows(found: dict[str, Any]) -> list[Row]:
    """The whole table of a card, group by group. `found` is quality.json without its verdict."""
    return [*_use(found), *_motion(found), *_transfer(found), *_picture(found), *_grammar(found), *_meaning(found)]


def best_blind(found: dict[str, Any]) -> tuple[str, float]:
    """The best probe without the codes, in words, and its R²."""
    name = max((name for name in BLIND if name in found["probe"]), key=lambda name: found["probe"][name])
    return BLIND[name], found["probe"][name]


def other_meanings(found: dict[str, Any]) -> dict[str, list[str]]:
    """Quantity → the codes that speak of it more than of motion, as "slot:code"."""
    others: dict[str, list[str]] = {}
    for code in found["codes"]:
        if code["about"] not in ("", MOTION):
            others.setdefault(code["about"], []).append(f"{code['slot']}:{code['code']}")
    return others


def shown(number: float) -> str:
    """Two digits, with a minus sign that is one; no "−0.00"."""
    return f"{round(number, 2) + 0.0:.2f}".replace("-", "\u2212")


def spanned(number: float, interval: tuple[float, float]) -> str:
    """A number with its interval."""
    return f"{shown(number)} ({shown(interval[0])} to {shown(interval[1])})"


def told(group: str, metric: str, value: str, baseline: str) -> Row:
    """A row of which nothing is asked."""
    return Row(group, metric, value, baseline, "", None, False)


def above(
    group: str, metric: str, number: float, least: float, baseline: str, *, value: str = "", decides: bool = False
) -> Row:
    """A row whose number should be above `least`; `value` is how it is shown, if not by its two digits."""
    return Row(group, metric, value or shown(number), baseline, f"above {shown(least)}", number > least, decides)


def below(group: str, metric: str, number: float, most: float, baseline: str) -> Row:
    """A row whose number should be below `most`."""
    return Row(group, metric, shown(number), baseline, f"below {shown(most)}", number < most, False)


def _use(found: dict[str, Any]) -> list[Row]:
    group, used, size = "Code use", found["codes_used"], found["num_codes"]
    each = ", ".join(f"{slot['perplexity']:.1f}" for slot in found["slots"])
    empty = ", ".join(str(len(slot["unused"])) for slot in found["slots"])
    return [
        Row(group, "codes in use", f"{used} of {size}", "", f"at least {IN_USE:.0%}", used >= IN_USE * size, True),
        told(group, "perplexity, all slots", f"{found['perplexity']:.1f}", f"{size} at most"),
        told(group, "perplexity, slot by slot", each, f"{size} at most"),
        told(group, "codes unused, slot by slot", empty, f"of {size}"),
        told(group, "distinct steps", f"{found['distinct_steps']} in {found['pairs']} pairs", ""),
    ]


def _motion(found: dict[str, Any]) -> list[Row]:
    group = f"R² of probes of the {found['probe_of']}, on videos they have not seen"
    if found["probe"] is None:
        return [Row(group, "codes, linear", "not measured", "", "4 videos or more", False, True)]
    table = []
    for name in (name for name in READERS if name in found["probe"]):
        blind, floor = best_blind(found)
        if name == "codes_and_state":
            blind, floor = BLIND["state_only"], found["probe"]["state_only"]
        score, value = found["probe"][name], spanned(found["probe"][name], found["interval"][name])
        asked, baseline = max(floor, 0) + MARGIN, f"{shown(floor)} {blind}"
        table.append(above(group, READERS[name], score, asked, baseline, value=value, decides=name == "codes_linear"))
    if "untrained" in found["probe"]:
        gain, free = found["probe"]["codes_linear"] - found["probe"]["untrained"], found["probe"]["untrained"]
        table.append(
            above(group, "codes, linear: gained by training the encoder", gain, 0.0, f"{shown(free)} untrained")
        )
    name, carried = "codes' share of the linearly decodable motion", found["carried"]
    if carried is None:
        return [*table, Row(group, name, "none is decodable", "", f"above {CARRIED}", False, True)]
    value, most = (
        spanned(carried["share"], carried["interval"]),
        f"1: R² {shown(carried['r2'])} of {DENSE[carried['of']]}",
    )
    return [*table, above(group, name, carried["share"], CARRIED, most, value=value, decides=True)]


def _transfer(found: dict[str, Any]) -> list[Row]:
    """A row a body that is scored on; the mean where several others' probes read it."""
    group = "R² of a probe of the codes, fitted on another body"
    read: dict[str, list[float]] = {}
    for path in found["transfer"]:
        read.setdefault(path["to"], []).append(path["r2"])
    own = {path["to"]: f"{shown(path['own'])} its own probe" for path in found["transfer"]}
    words = {body: f"{shown(sum(scores) / len(scores))}, mean of {len(scores)}" for body, scores in read.items()}
    return [told(group, f"on {body or 'unnamed'}", words[body], own[body]) for body in read]


def _picture(found: dict[str, Any]) -> list[Row]:
    if found["picture"] is None:
        return []
    gain, read = found["picture"]["gain_db"], found["picture"]["read_back"]
    group = "The decoder's picture: PSNR gained by the codes, in dB"
    asked = {"copy": ("over copying the first frame", 0.0), "no_codes": ("over the decoder without codes", HEARD_DB),
             "other_codes": ("over another pair's codes", HEARD_DB)}  # fmt: skip
    table = [
        above(group, words, gain[name], least, "0", decides=name == "other_codes")
        for name, (words, least) in asked.items()
        if gain[name] is not None
    ]
    group, least = (
        "Codes read back from the decoder's picture, share of slots",
        read["chance"] + READ_BACK * (1 - read["chance"]),
    )
    places = {"own_scene": "on its own scene", "other_scene": "on other scenes", "other_body": "on other bodies"}
    found_again = [(words, read[name]) for name, words in places.items() if name in read]
    return table + [
        above(group, words, share, least, f"{shown(read['chance'])} chance") for words, share in found_again
    ]


def _grammar(found: dict[str, Any]) -> list[Row]:
    chains = found["chains"]
    if chains is None:
        return []
    group, same = "Grammar of the latents: cosine", chains["s_pcfc"]
    metric, baseline = "past → current with future → current (S-PCFC)", f"{shown(same['shuffled'])} other clips"
    table = [below(group, metric, same["value"], PCFC, baseline)]
    for name, words in {"additivity": "z(a→c) with z(a→b) + z(b→c)", "reversibility": "z(b→a) with −z(a→b)"}.items():
        part = chains[name]
        value = f"{shown(part['cosine'])}; R² {shown(part['r2'])}, length {shown(part['length'])}"
        baseline = f"{shown(part['shuffled_cosine'])}; R² {shown(part['shuffled_r2'])} other clips"
        table.append(above(group, words, part["cosine"], ALIKE, baseline, value=value))
    return table


def _meaning(found: dict[str, Any]) -> list[Row]:
    group, codes, clip = "What else the codes speak of", found["codes"], found["clip_identity"]
    table = []
    for name, part in (found["nuisance"] or {}).items():
        baseline = f"{shown(part[MOTION])} from the motion; {shown(part['shuffled'])} shuffled"
        table.append(below(group, f"{name}, R²", part["codes"], max(part[MOTION], 0) + MARGIN, baseline))
    baseline = f"{shown(clip[MOTION])} of the motion"
    table.append(
        below(group, "the clip, share of variance between clips", clip["codes"], clip[MOTION] + MARGIN, baseline)
    )
    count = sum(map(len, other_meanings(found).values()))
    value, good = f"{count} of {len(codes)}", f"at most {OTHER_MEANING:.0%}"
    passed = count <= OTHER_MEANING * len(codes)
    return [*table, Row(group, "(slot, code) of something else than motion", value, "", good, passed, True)]
