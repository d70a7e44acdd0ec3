"""Stages in → the settings of a transfer run: which rollout is which arm's where, told by the names of folders."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from lapa.report_gather import Stage
from lapa.settings import AGAIN

ROLLOUT, ABLATIONS = "rollout_", "ablations"
WATCHED = "videos_percent"  # the ablation of what the ceiling was trained on, too
OWN = "The run's own folder"  # its title, where it is a setting itself
# from what knows nothing to the ceiling; then those of them that go on with their pretraining while they are fine-tuned
REHEARSED = ("rehearsed_vpt", "rehearsed", "rehearsed_shuffled", "rehearsed_actionvla")
ARMS = ("scratch", "scratch_long", "unipi", "vpt", "lapa", "shuffled", "actionvla", *REHEARSED)
COLOURS = {"lapa": 0, "vpt": 1, "unipi": 2, "shuffled": 3, "actionvla": 4, "scratch": 5}  # places in the page's series
COLOURS |= {
    "scratch_long": 5,
    "rehearsed": 0,
    "rehearsed_vpt": 1,
    "rehearsed_shuffled": 3,
    "rehearsed_actionvla": 4,
}  # as their twins
SETTINGS = {  # folder: (in words, what the videos show)
    "in_domain": ("In domain", "videos of the same robot, same tasks, same room"),
    "cross_task": ("Cross-task", "videos of all tasks, demonstrations of other tasks than most that are asked for"),
    "new_tasks": ("New tasks", "videos of other tasks than any that is asked for"),
    "cross_environment": ("Cross-environment", "videos of other tables, lights, cameras, textures"),
    "cross_embodiment": ("Cross-embodiment", "videos of another robot"),
    "human": ("Human video only", "videos of a hand-like body"),
    "multi": ("Multi-embodiment", "all videos together"),
}
CELL = re.compile(r"(?P<source>.+)_to_(?P<target>.+)")
CELL_OF = {"in_domain": ("panda", "panda"), "cross_embodiment": ("ur5e", "panda"), "human": ("hand", "panda")}

REPEATED = re.compile(
    r"(?:(?P<place>.+)/)?" + AGAIN.format(r"(?P<number>\d+)")
)  # where another training of a place's arms lies

Rollouts = dict[str, dict[str, Stage]]  # folder relative to the run ("" is the run's own) → arm → finished rollout
Taught = Mapping[str, set[tuple[str, float]]]  # rollout → (demonstrations, [%] of them) its policy was fine-tuned on


class Setting(NamedTuple):
    """One setting's rollouts by arm, in ARMS' order; `borrowed` names the folder of those that another setting made."""

    name: str
    title: str
    about: str
    arms: dict[str, Stage]
    borrowed: dict[str, str]


def is_transfer(stages: Sequence[Stage]) -> bool:
    """Whether a folder is called like a setting or a cell of body × body, or an arm was rolled out in several places."""
    firsts = {stage.name.split("/")[0] for stage in stages if "/" in stage.name}
    if any(first in SETTINGS or CELL.fullmatch(first) for first in firsts):
        return True
    arms = [arm for place in _everywhere(stages).values() for arm in place]
    return len(arms) > len(set(arms)) or any(is_repeated(stage) or ablated(stage) for stage in stages)


def ablated(stage: Stage) -> bool:
    """Whether a stage belongs to an ablation; those are shown as curves, not one by one."""
    return stage.name.split("/")[0] == ABLATIONS


def is_repeated(stage: Stage) -> bool:
    """Whether a stage belongs to a further training; those are shown by their success alone."""
    return REPEATED.fullmatch(stage.name.rpartition("/")[0]) is not None


def rollouts(stages: Sequence[Stage]) -> Rollouts:
    """All finished rollouts of first trainings, by folder and arm."""
    return {place: arms for place, arms in _everywhere(stages).items() if not REPEATED.fullmatch(place)}


def repeated(stages: Sequence[Stage]) -> dict[tuple[str, str], list[Stage]]:
    """(folder, arm) → rollouts of its further trainings, in their folders' order."""
    places = [(match, arms) for place, arms in _everywhere(stages).items() if (match := REPEATED.fullmatch(place))]
    found: dict[tuple[str, str], list[Stage]] = {}
    for match, arms in sorted(places, key=lambda place: int(place[0]["number"])):
        for arm, stage in arms.items():
            found.setdefault((match["place"] or "", arm), []).append(stage)
    return found


def _everywhere(stages: Sequence[Stage]) -> Rollouts:
    found: Rollouts = {}
    for stage in stages:
        place, _, last = stage.name.rpartition("/")
        if last.startswith(ROLLOUT) and stage.finished and stage.episodes:
            found.setdefault(place, {})[last.removeprefix(ROLLOUT)] = stage
    return found


def taught(stages: Sequence[Stage]) -> dict[str, set[tuple[str, float]]]:
    """{rollout: the demonstrations that what it plays was fine-tuned on, and how many of them [%]}; none where those stages
    are not in the report.
    """
    demos = {stage.name for stage in stages if stage.fact.get("record") == "Demo"}
    read = {stage.name: {(name, _percent(stage)) for name in demos.intersection(stage.sources)} for stage in stages}
    return {
        stage.name: set().union(*(read.get(one, ()) for one in stage.sources)) for stage in stages if stage.episodes
    }


def _percent(policy: Stage) -> float:
    """How many of its demonstrations a policy used [%]."""
    data = policy.fact.get("config", {}).get("data")
    return float(data.get("train_percent", 100)) if isinstance(data, Mapping) else 100.0


def settings(found: Rollouts, *, shared: Sequence[str], demos: Taught) -> list[Setting]:
    """The run's settings in SETTINGS' order, then others by name; cells of body × body and ablations are none, and the run's
    own folder only where not all its arms are shared.

    `shared`: arms that a setting may lack and that are then another's: control, others that watched nothing, ceiling.
    demos: see `taught`.
    """
    names = [name for name in found if _is_setting(name, found, shared)]
    order = {name: number for number, name in enumerate(SETTINGS)}
    return [
        setting(name, found, shared=shared, demos=demos)
        for name in sorted(names, key=lambda n: (order.get(n, len(order)), n))
    ]


def _is_setting(name: str, found: Rollouts, shared: Sequence[str]) -> bool:
    if not name:
        return not found[name].keys() <= set(shared)
    return name.split("/")[0] != ABLATIONS and not is_cell(name, found)


def cells(found: Rollouts, *, shared: Sequence[str], demos: Taught) -> dict[tuple[str, str], Setting]:
    """(source, target) → the rollouts of that cell; settings that are a cell by another name fill it where it is empty."""
    names = {pair: name for name, pair in CELL_OF.items() if name in found}
    for name in found:
        if (match := CELL.fullmatch(name)) and is_cell(name, found):
            names[match["source"], match["target"]] = name
    return {
        (source, target): setting(name, found, shared=shared, demos=demos)._replace(title=f"{source} → {target}")
        for (source, target), name in sorted(names.items())
    }


def setting(name: str, found: Rollouts, *, shared: Sequence[str], demos: Taught) -> Setting:
    """One setting with what it borrows, which must have learnt from the same demonstrations as what is its own."""
    own, borrowed = found[name], dict[str, str]()
    ours = set().union(*(demos.get(stage.name, set()) for stage in own.values()))
    if name.startswith(f"{ABLATIONS}/"):
        shared = unmoved(name.split("/")[1], own, shared)
    for arm in (arm for arm in shared if arm not in own):
        there = [place for place in _lenders(name, found) if arm in found.get(place, {})]
        learnt = {place: demos.get(found[place][arm].name, set()) for place in there}
        if alike := [place for place in there if not ours or not learnt[place] or ours & learnt[place]]:
            borrowed[arm] = alike[0]
    arms = own | {arm: found[place][arm] for arm, place in borrowed.items()}
    title, about = SETTINGS.get(name, (name.replace("_", " ") or OWN, ""))
    return Setting(name, title, about, in_order(arms), borrowed)


def unmoved(quantity: str, arms: Collection[str], shared: Sequence[str]) -> Sequence[str]:
    """Which of `shared`, the ceiling last, do not depend on what an ablation varies: none when one of them is among its own
    arms; not the ceiling when it would have had fewer videos too.
    """
    if set(shared) & set(arms):
        return ()
    return shared[:-1] if quantity == WATCHED else shared


def _lenders(name: str, found: Rollouts) -> list[str]:
    """Whose control and ceiling a setting may show: its target body's own cell's; the run's own, where that is its robot."""
    match = CELL.fullmatch(name) if is_cell(name, found) else None
    cell = [f"{match['target']}_to_{match['target']}"] if match else []
    return cell if match and match["target"] != CELL_OF["in_domain"][1] else [*cell, "", "in_domain"]


def is_cell(name: str, found: Rollouts) -> bool:
    """Whether a folder is called `<source>_to_<target>` and the target is the robot that acts in it."""
    match = CELL.fullmatch(name) if name not in SETTINGS and "/" not in name else None
    return match is not None and any(stage.fact.get("embodiment") == match["target"] for stage in found[name].values())


def rivals_of(arm: str, names: Sequence[str], control: str, ceiling: str) -> list[str]:
    """Every other arm but control and ceiling; arms that rehearse are rivals of one that does, not of others."""
    unlike = (arm, control, ceiling, *(() if arm in REHEARSED else REHEARSED))
    return [name for name in names if name not in unlike]


def in_order(arms: Mapping[str, Stage]) -> dict[str, Stage]:
    """Known arms in ARMS' order, others behind them by name."""
    order = {arm: number for number, arm in enumerate(ARMS)}
    return {arm: arms[arm] for arm in sorted(arms, key=lambda arm: (order.get(arm, len(order)), arm))}
