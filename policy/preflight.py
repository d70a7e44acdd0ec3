"""What a checkpoint was made for and what demonstrations or a robot offer in; nothing, or one ValueError with all faults."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lapa import checkpoint
from policy.bodies import each_robot

Facts = Mapping[str, Any]  # by the manifests' own keys; what a side does not know is absent or None, and not compared

# Degrees and radians differ 57-fold, percent and shares 100-fold, mm and m 1000-fold.
OTHER_UNITS = 20.0
SMALL = 0.2  # [own unit] a joint that hardly moved in one data set may move in the other: no other unit
FAR_STD = 10.0  # the first pose of long demonstrations may lie that far from their mean
FAR_LEAST = 0.05  # [own unit] a state that never changed has no deviation to be measured in
ROBOT = {
    "embodiment", "fps", "cameras", "image_px", "state_names", "action_names", "state_units", "action_units", "state",
    "execute_steps",
}  # fmt: skip
CHOICES = {  # keys of a rollout's configuration
    "embodiment": "embodiment", "fps": "studio.control_hz", "image_px": "studio.image_px", "cameras": "studio.cameras",
    "execute_steps": "execute_steps",
}  # fmt: skip


def check_demos(folder: Path, data: Facts) -> None:
    """Before a fine-tuning: the checkpoint in `folder` against the facts of a data module.

    A latent policy has no robot yet: its pictures, cameras and gap are compared.
    """
    saved = checkpoint.load_settings(folder)
    if saved.get("kind") not in ("latent", "action"):
        raise ValueError(f"{folder} holds a model of kind {saved.get('kind')!r}; init_from takes latent or action")
    there = read_facts(saved)
    if saved["kind"] == "action":
        rows = [*_each(there, data), *_same(there, data, "cameras", "chunk_steps")]
    else:
        theirs, ours = ({"cameras": len(facts["cameras"])} for facts in (there, data))
        rows = [*_same(theirs, ours, "cameras")]
    rows += [*_pictures(there, data), *_same(there, data, "gap_s")]
    _refuse(f"{folder} does not fit these demonstrations", rows)


def check_robot(there: Facts, robot: Facts, *, origin: str) -> None:
    """Before a rollout: a policy's facts against a robot's.

    `robot` has the manifests' keys, `state` (one pose to be expected, such as its home) and `execute_steps` (of a chunk),
    as far as they are known.
    """
    if unknown := sorted(robot.keys() - ROBOT):
        raise ValueError(f"a robot has no {', '.join(unknown)}; it may have {', '.join(sorted(ROBOT))}")
    rows = [*_robot(there, robot), *_cameras(there, robot), *_pictures(there, robot), *_statistics(there, robot)]
    if robot.get("execute_steps", 0) > there["chunk_steps"]:
        rows.append(f"execute_steps: {there['chunk_steps']} → {robot['execute_steps']}")
    _refuse(f"{origin} does not fit this robot", [row + _choice(row.partition(":")[0], there) for row in rows])


def read_facts(saved: Mapping[str, Any]) -> dict[str, Any]:
    """What a checkpoint's settings say of robot and data."""
    return {**saved["model"], **saved.get("facts", {})}


def _each(there: Facts, here: Facts) -> Iterator[str]:
    """Every robot of the data against the same one of the checkpoint, or its only one."""
    theirs = each_robot(there)
    for name, ours in each_robot(here).items():
        other = next(iter(theirs.values())) if len(theirs) == 1 else theirs.get(name)
        if other is None:
            yield f"embodiment: {', '.join(theirs)} → {name}"
        else:
            yield from (*_robot(other, ours), *_statistics(other, ours))


def _refuse(words: str, rows: Sequence[str]) -> None:
    if rows:
        raise ValueError(f"{words} (there → here): {'; '.join(rows)}")


def _choice(key: str, there: Facts) -> str:
    """What to tell a rollout instead, where it can be told."""
    if key not in CHOICES:
        return ""
    fits = there["chunk_steps"] if key == "execute_steps" else there[key]
    if key == "embodiment":
        fits = " or ".join(there.get("embodiments", [fits]))
    return f" ({CHOICES[key]}={'[' + ','.join(fits) + ']' if key == 'cameras' else fits} fits)"


def _same(there: Facts, here: Facts, *keys: str) -> Iterator[str]:
    for key in keys:
        one, other = (facts.get(key) for facts in (there, here))
        one, other = (list(value) if isinstance(value, tuple) else value for value in (one, other))
        if one is not None and other is not None and one != other:
            yield f"{key}: {one} → {other}"


def _robot(there: Facts, here: Facts) -> Iterator[str]:
    yield from _same(there, here, "embodiment", "fps", "state_units", "action_units")
    for key in ("state_names", "action_names"):
        one, other = list(there[key]), list(here.get(key, there[key]))
        if one != other and sorted(one) == sorted(other):
            yield f"{key}, another order: {one} → {other}"
        elif one != other:
            yield f"{key}: {len(one)} {one} → {len(other)} {other}"


def _cameras(there: Facts, here: Facts) -> Iterator[str]:
    """A robot may have more cameras than the policy looks through."""
    if not set(there["cameras"]) <= set(here.get("cameras", there["cameras"])):
        yield f"cameras: {list(there['cameras'])} → {list(here['cameras'])}"


def _pictures(there: Facts, here: Facts) -> Iterator[str]:
    """Of another size, unless the backbone resizes them itself."""
    if there.get("backbone", {}).get("image_px") in (there.get("image_px"), None):
        yield from _same(there, here, "image_px")


def _statistics(there: Facts, here: Facts) -> Iterator[str]:
    """States of another magnitude are in other units; most of them far from what was seen are another task or pose."""
    names = list(there["state_names"])
    if "statistics" not in there or names != list(here.get("state_names", names)):
        return
    mean, std = _moments(there["statistics"])
    if "statistics" in here:
        mean_here, std_here = _moments(here["statistics"])
    elif here.get("state") is not None:
        mean_here, std_here = np.asarray(here["state"], np.float64), np.zeros(len(names))
    else:
        return
    sizes = [np.maximum(np.abs(m) + 2 * s, SMALL) for m, s in ((mean, std), (mean_here, std_here))]
    shrunk = sizes[0] / sizes[1] > OTHER_UNITS
    other = (sizes[1] / sizes[0] > OTHER_UNITS) | (shrunk & (std_here > 0))  # one pose may be zero by itself
    far = np.abs(mean_here - mean) > FAR_STD * np.maximum(std, FAR_LEAST / FAR_STD)
    if other.any() or far.mean() >= 0.5:
        why = "in other units?" if other.any() else "far from all that was seen"
        rows = [
            f"{names[i]} {mean[i]:.3g} ± {std[i]:.3g} → {mean_here[i]:.3g}"
            + (f" ± {std_here[i]:.3g}" if std_here.any() else "")
            for i in np.flatnonzero(other if other.any() else far)
        ]
        yield f"states {why} {', '.join(rows)}"


def _moments(statistics: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    mean, std = (np.asarray(statistics["state"][key][0], np.float64) for key in ("mean", "std"))
    return mean, std
