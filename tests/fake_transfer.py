"""A transfer run's folder as the doors leave it, made up in seconds: settings, arms, ablations, a matrix of bodies."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from fake_run import card, stage, train, video, write

from lapa.files import write_jsonl

# Success by setting and arm; what is not named lies where contract and paper put it: in the run's folder or in domain.
RATES: dict[str, dict[str, float]] = {
    "": {"scratch": 0.22},
    "in_domain": {"unipi": 0.30, "vpt": 0.52, "lapa": 0.66, "shuffled": 0.21, "actionvla": 0.74},
    "cross_task": {"unipi": 0.24, "vpt": 0.55, "lapa": 0.63, "shuffled": 0.23, "actionvla": 0.66},
    "cross_environment": {"unipi": 0.20, "vpt": 0.28, "lapa": 0.44, "shuffled": 0.20, "actionvla": 0.62},
    "cross_embodiment": {"unipi": 0.21, "vpt": 0.25, "lapa": 0.48, "shuffled": 0.24},
    "human": {"unipi": 0.18, "vpt": 0.24, "lapa": 0.51, "shuffled": 0.20},
    "multi": {"lapa": 0.69, "shuffled": 0.22, "actionvla": 0.76},
}
FAMILIES = ("object_to_object", "object_to_absolute", "object_to_relative", "separate", "pick_and_place", "open_drawer")
CAUSES = ("never_near", "wrong_object", "not_moved", "not_there", "nearly", "not_held", "disturbed")
ABLATIONS: dict[str, dict[str, dict[str, float]]] = {
    "videos_percent": {"10": {"lapa": 0.33}, "30": {"lapa": 0.51}},
    "demos_percent": {
        "10": {"lapa": 0.31, "scratch": 0.03},
        "20": {"lapa": 0.45, "scratch": 0.07},
        "50": {"lapa": 0.58, "scratch": 0.14},
    },
    "target": {"pixels": {"lapa": 0.31}, "features": {"lapa": 0.55}, "flow": {"lapa": 0.64}},
}
MAIN_VALUES = {"videos_percent": "100", "demos_percent": "100"}
BODIES = ("panda", "ur5e", "hand")


def fake_transfer(
    folder: Path, *, settings: Sequence[str] = tuple(RATES), per_task: int = 14, films: int = 2, more: bool = True
) -> Path:
    """Fill `folder` with the given settings (and "more": ablations and a matrix); returns it. 36 tasks, half of them seen."""
    tasks = [f"{number:016x}" for number in range(36)]
    stage(folder / "tasks", 90.0, record="TaskSpec", count=36, proposed=60)
    stage(
        folder / "demos",
        60.0,
        ["tasks"],
        record="Demo",
        count=180,
        planned=180,
        frames=6211,
        config={"task_hashes": tasks[::2]},
    )
    rng = np.random.default_rng(0)
    ease = rng.normal(size=36 * per_task)
    for name in settings:
        if name:
            steps_of_watching(folder / name, rng, quality=RATES[name]["lapa"])
        for arm, rate in RATES[name].items():
            rollout(folder / name / f"rollout_{arm}", rng, ease, rate, films=films)
    if more:
        for quantity, values in ABLATIONS.items():
            for value, arms in values.items():
                for arm, rate in arms.items():
                    rollout(folder / "ablations" / quantity / value / f"rollout_{arm}", rng, ease, rate)
        for cell, rates in matrix().items():
            for arm, rate in rates.items():
                rollout(folder / cell / f"rollout_{arm}", rng, ease, rate, body=cell.split("_to_")[1])
    return folder


def matrix() -> dict[str, dict[str, float]]:
    """Cells `<source>_to_<target>` that are not settings by another name; a target's own has its scratch and ceiling."""
    cells: dict[str, dict[str, float]] = {}
    for target in BODIES[1:]:
        for row, source in enumerate(BODIES):
            cells[f"{source}_to_{target}"] = {"lapa": 0.55 - 0.1 * abs(row - BODIES.index(target))}
        cells[f"{target}_to_{target}"] |= {"scratch": 0.25, "actionvla": 0.7}
    return cells


def steps_of_watching(folder: Path, rng: Any, *, quality: float) -> None:
    """Clips, quantizer, codes with their card, latent policy and the policy after it: all the better, the higher `quality`."""
    stage(folder / "clips", 41.2, record="Clip", count=1965, frames=39300, dropped={"no_motion": 31}, quarantined=2)
    train(folder / "quantizer", 176.0, ["clips"], rng, record="QuantizerModule", ratio=True)
    (folder / "codes").mkdir()
    write(folder / "codes" / "quality.json", card(0.8 * quality))
    stage(folder / "codes", 19.5, record="Codes", count=1965, num_codes=8, codes_per_step=4)
    foretold = {"val/accuracy": 0.2 + 0.5 * quality, "val/majority": 0.31}
    train(folder / "latent_policy", 121.0, ["clips", "codes"], rng, record="LatentPolicy", **foretold)
    floor = 0.45 - 0.4 * quality
    train(
        folder / "policy_lapa",
        74.0,
        ["latent_policy"],
        rng,
        record="ActionPolicy",
        floor=floor,
        **{"val/mean_error": 0.53},
    )


def rollout(folder: Path, rng: Any, ease: np.ndarray, rate: float, *, films: int = 0, body: str = "panda") -> None:
    """Episodes of one arm on starts whose ease all arms share, unseen tasks harder, and the first starts' films."""
    folder.mkdir(parents=True)
    unseen = np.arange(len(ease)) % 2
    worth = ease - 0.8 * unseen + 0.7 * rng.normal(size=len(ease))
    won = worth > np.quantile(worth, 1 - rate)
    rows = [_row(number, bool(success), rng, folder.name, body) for number, success in enumerate(won)]
    for number, row in enumerate(rows[:films]):
        film = video(row["success_held"], steps=30, offset=number)
        (folder / f"rollout_{row['task']}_{row['seed']}.mp4").write_bytes(film)
    write_jsonl(folder / "episodes.jsonl", rows)
    stage(folder, 62.0, record="Episode", count=len(rows), embodiment=body, renderer="egl")


def _row(number: int, success: bool, rng: Any, arm: str, body: str) -> dict[str, Any]:
    task = number % 36
    family = FAMILIES[task // 2 % len(FAMILIES)]
    weights = np.array([6, 3 if "vpt" in arm else 1, 2, 4 if "lapa" in arm else 2, 1, 2, 1], dtype=float)
    cause = "" if success else str(rng.choice(CAUSES, p=weights / weights.sum()))
    about = {
        "task": f"{family}_{task:06x}",
        "task_hash": f"{task:016x}",
        "family": family,
        "seed": 3_000_000 + number // 36,
    }
    about |= {
        "text": f"{family.replace('_', ' ')}: the red block",
        "state_hash": f"{body}{number:08x}",
        "policy_hash": arm + body,
    }
    outcome: Mapping[str, Any] = {
        "success_once": success or number % 13 == 0,
        "success_at_end": success,
        "success_held": success,
    }
    return about | outcome | {"steps": 27 if success else 60, "failure": cause, "latency_ms": 3.1, "renderer": "egl"}


def spoil(path: Path, **changed: Any) -> None:
    """Change entries of every row of an episodes.jsonl."""
    write_jsonl(path, [json.loads(line) | changed for line in path.read_text().splitlines()])
