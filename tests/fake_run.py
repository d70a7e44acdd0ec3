"""A recipe's folder as the doors leave it, made up in a second: what the report's tests and its author look at."""

import csv
import io
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from matplotlib.figure import Figure

from lapa.files import write_json
from lapa.stage import manifest_hash

RULES = {
    "arm": "lapa",
    "control": "scratch",
    "claim": "Watching",
    "measure": "success_held",
    "alpha": 0.05,
    "min_pairs": 100,
}

WORDS = {
    "open_drawer": "open the drawer",
    "pick_and_place": "put the red block on the stand",
    "push_to_zone": "push the red block to the blue zone",
    "reach": "reach the red block",
}
FAMILIES = tuple(WORDS)
TASKS = {family: f"{family}_{number:06x}" for number, family in enumerate(FAMILIES, start=0xA31C5F)}


def fake_run(folder: Path, *, episodes: int = 100, lapa: float = 0.62, scratch: float = 0.33) -> Path:
    """Fill `folder` with every stage of the demo's recipe, the rollouts with the given success rates; returns it."""
    rng = np.random.default_rng(0)
    dropped = {"no_motion": 31, "too_short": 4}
    stage(folder / "tasks", 88.0, record="TaskSpec", count=24, proposed=40, funnel=funnel(folder / "tasks"))
    stage(folder / "clips", 41.2, ["tasks"], record="Clip", count=1965, frames=39300, dropped=dropped, quarantined=2)
    train(folder / "quantizer", 176.0, ["clips"], rng, record="QuantizerModule", ratio=True)
    label(folder / "codes", rng)
    train(folder / "latent_policy", 121.0, ["clips", "codes"], rng, record="LatentPolicy")
    stage(folder / "demos", 33.0, ["tasks"], record="Demo", count=160, planned=160, failed_episodes=7, frames=6211)
    train(folder / "policy_lapa", 74.0, ["demos", "latent_policy"], rng, record="ActionPolicy", floor=0.11)
    train(folder / "policy_scratch", 73.0, ["demos"], rng, record="ActionPolicy", floor=0.17)
    ease = rng.normal(size=episodes)  # a start is easy or hard for both arms: outcomes are correlated, as in truth
    rollout(folder / "rollout_lapa", ["policy_lapa", "tasks"], rng, ease, lapa)
    rollout(folder / "rollout_scratch", ["policy_scratch", "tasks"], rng, ease, scratch)
    return folder


def stage(folder: Path, seconds: float, sources: list[str] | None = None, **manifest: Any) -> None:
    """What every door leaves: fingerprint, timing, and the manifest last."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {"name": f"{folder.parent.name}/{folder.name}"} | manifest.pop("config", {})
    inputs = {name: manifest_hash(folder.parent / name) for name in sources or []}
    write(folder / "fingerprint.json", {"config": config, "inputs": inputs})
    write(folder / "timing.json", {"seconds": seconds, "machine": "x86_64, 2 cores"})
    versions = {"torch": "2.13.0", "mujoco": "4.0.0", "python": "3.11.7"}
    write(folder / "manifest.json", {**manifest, "config": config, "inputs": inputs, "versions": versions})


def train(
    folder: Path, seconds: float, sources: list[str], rng: Any, *, record: str, floor=0.2, ratio=False, **final: float
) -> None:
    """A training's folder with Lightning's sparse CSV of curves."""
    rows = []
    for step in range(0, 1500, 10):
        value = floor + 0.9 * np.exp(-step / 350)
        noise = 1 + rng.normal(0, 0.09)
        row = {"step": step, "epoch": 0, "train/loss": value * noise, "speed/samples_per_s": 171 + rng.normal()}
        if ratio:
            row |= {"train/perplexity": 6.4 - 5 * np.exp(-step / 120) + rng.normal(0, 0.15)}
        rows.append(row)
        if step % 150 == 140:
            held_out = {"step": step, "epoch": 0, "val/loss": value * 1.12}
            accuracy = {"val/perplexity": 6.2 - 5 * np.exp(-step / 120)} if ratio else {"val/accuracy": 0.8 - value / 2}
            rows.append(held_out | accuracy)
    (folder / "logs" / "0").mkdir(parents=True)
    names = list(dict.fromkeys(name for row in rows for name in row))
    with open(folder / "logs" / "0" / "metrics.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
    stage(folder, seconds, sources, record=record, count=1500, parameters=2_410_000, final={"val/loss": floor} | final)


def card(quality: float) -> dict[str, Any]:
    """quality.json of codes whose linear probe reaches R² `quality`."""
    probe = {"codes_linear": quality, "codes_mlp": quality + 0.11, "dense_motion": 0.66, "state_only": 0.06}
    found = {"perplexity": 6.3, "codes_used": 8, "num_codes": 8, "probe_of": "motion", "good_enough": quality > 0.4}
    found |= {"probe": probe | {"first_frame": 0.11, "shuffled": -0.01}}
    found |= {"interval": {name: [score - 0.04, score + 0.05] for name, score in probe.items()}}
    good = "Good enough: every line that decides is passed." if quality > 0.4 else "Not good enough: too little motion."
    row = {"group": "Code use", "metric": "codes in use", "value": "8 of 8", "baseline": "", "good": "at least 50%"}
    told = {"metric": "distinct steps", "value": "38 in 3200 pairs", "good": "", "passed": None, "decides": False}
    table = [row | {"passed": True, "decides": True}, row | told]
    return found | {"verdict": ["Codes carry 0.71 of the linearly decodable motion.", good], "table": table}


def label(folder: Path, rng: Any) -> None:
    """Codes with their card and three pictures."""
    folder.mkdir(parents=True)
    write(folder / "quality.json", card(0.47))
    for name, rows in (("strips", 3), ("swaps", 2), ("codes", 2)):
        figure = Figure(figsize=(10, 1.3 * rows))
        for axes in figure.subplots(rows, 8).flat:
            axes.imshow(scene(rng.uniform(), reached=False))
            axes.set_axis_off()
        figure.savefig(folder / f"{name}.png", dpi=100)
    stage(folder, 19.5, ["clips", "quantizer"], record="Codes", count=1965, num_codes=8, codes_per_step=4)


def funnel(folder: Path) -> dict[str, int]:
    """How many proposals reached each rung, also written to funnel.json."""
    folder.mkdir(parents=True)
    rungs = ("text", "schema", "names", "compiles", "settles", "visible", "not_solved", "reachable", "oracle")
    rungs += ("mutants", "novelty")
    counts = [40, 40, 40, 38, 38, 35, 34, 33, 29, 28, 26]
    reached = {f"R{number}_{name}": count for number, (name, count) in enumerate(zip(rungs, counts, strict=True))}
    write_json(folder / "funnel.json", reached | {"accepted": 24})  # as `lapa propose` does: R10 stands before R2
    return reached | {"accepted": 24}


def rollout(folder: Path, sources: list[str], rng: Any, ease: np.ndarray, rate: float) -> None:
    """Episodes of one arm on starts whose ease both arms share, and a video of four of them."""
    folder.mkdir(parents=True)
    worth = ease + rng.normal(size=len(ease))
    won = worth > np.quantile(worth, 1 - rate)
    rows = []
    for number, success in enumerate(won.tolist()):
        family = FAMILIES[number % len(FAMILIES)]
        row = {"task": TASKS[family], "family": family, "seed": 3_000_000 + number // 4, "steps": 27 if success else 60}
        row |= {"success_held": success, "success_at_end": success and number % 9 > 0, "policy_hash": folder.name}
        row |= {"success_once": success or number % 13 == 0, "text": WORDS[family], "state_hash": f"{number:08x}"}
        rows.append(row)
        if number < 4:
            name = f"rollout_{row['task']}_{row['seed']}.mp4"
            (folder / name).write_bytes(video(success, steps=30, offset=number))
    (folder / "episodes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write(folder / "summary.json", {"success_once": float(won.mean()), "episodes": len(rows)})
    stage(folder, 62.0, sources, record="Episode", count=len(rows))


def video(success: bool, *, steps: int, offset: int) -> bytes:
    """A hand that reaches a block, or stops half way, as H.264 mp4 of 64 px."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(10), options={"crf": "18", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for step in range(steps):
            way = min(1.0, step / 20) * (1 if success else 0.5)
            picture = scene(way, reached=success and step > 20, height=36 + 4 * offset)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


def scene(way: float, *, reached: bool, height: int = 40) -> np.ndarray:
    """A table top, a red block and a hand `way` of the distance to it; uint8 [64, 64, 3]."""
    picture = np.full((64, 64, 3), (203, 193, 176), dtype=np.uint8)
    picture[:14] = (120, 130, 142)
    picture[height - 4 : height + 4, 46:54] = (60, 160, 80) if reached else (200, 50, 40)
    x = round(8 + 34 * way)
    picture[height - 6 : height + 2, x : x + 6] = (226, 172, 140)
    return picture


def write(path: Path, value: Any) -> None:
    """JSON to a file."""
    path.write_text(json.dumps(value))
