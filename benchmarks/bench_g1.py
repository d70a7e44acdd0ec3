"""Real robot, real actions: open-loop error of a policy that watched other robots and people, against one that watched nothing.

    LAPA_REAL_VIDEO=FOLDER python benchmarks/bench_g1.py out=FOLDER [watched=droid,whirl,bridge_page] [shares=5,20,100] \\
        [seeds=0,1,2] [quantizer_steps=500] [latent_steps=1000] [steps=500] [arms=pretrained,scratch] [image_px=64] [KEY=VALUE …]

Arms: pretrained; scratch; shuffled (pretrained on codes of other moments). Further KEY=VALUE go to every action training. Both
arms see the same episodes in the same order; the test is paired by held-out episode, on means over the seeds. What is done is
not done again.
"""

import json
import os
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from g1_dataset import link_dataset, link_videos

from lapa.cli import enter
from lapa.stats import signed_rank_p

HELD_OUT = 30  # percent of the episodes: 18 of 60
GUESSES = ("hold", "repeat", "mean")


class Sizes(NamedTuple):
    """What an argument may change."""

    watched: str = "droid,whirl,bridge_page"
    shares: str = "5,20,100"  # percent of the training episodes
    seeds: str = "0,1,2"
    arms: str = "pretrained,scratch"
    quantizer_steps: str = "500"
    latent_steps: str = "1000"
    steps: str = "500"  # of each action policy
    image_px: str = "64"
    val_batches: str = "4"


def watch(videos: Path, out: Path, sizes: Sizes, *, arms: list[str]) -> None:
    """Clips of the other sources → codes → a latent policy for each arm that has one."""
    folder = link_videos(videos, sizes.watched.split(","), out / "videos")
    enter("build", [f"videos={folder}", f"out={out}/clips", f"image_px={sizes.image_px}"])
    clips = f"clips={out}/clips"
    enter(
        "train", ["experiment=quantizer", clips, f"out={out}/quantizer", f"trainer.max_steps={sizes.quantizer_steps}"]
    )
    enter("label", [f"quantizer={out}/quantizer", clips, f"out={out}/codes"])
    for arm in arms:
        more = [f"data.shuffled={str(arm == 'shuffled').lower()}", f"trainer.max_steps={sizes.latent_steps}"]
        enter("train", ["experiment=latent_policy", clips, f"codes={out}/codes", f"out={out}/latent_{arm}", *more])


def errors(out: Path, arm: str, share: str, seed: str, sizes: Sizes, more: list[str]) -> dict[str, dict]:
    """One action policy, trained and replayed: each held-out episode's row."""
    init = "null" if arm == "scratch" else f"{out}/latent_{arm}"
    name = f"{arm}_{share}_{seed}"
    own = [f"data.train_percent={share}", f"data.val_percent={HELD_OUT}", f"data.val_batches={sizes.val_batches}"]
    own += [f"trainer.max_steps={sizes.steps}", f"seed={seed}", f"init_from={init}", f"out={out}/policy_{name}"]
    enter("train", ["experiment=action_policy", f"demos={out}/demos", *own, *more])
    replay = [f"checkpoint={out}/policy_{name}", f"demos={out}/demos", f"out={out}/error_{name}"]
    enter("open_loop", [*replay, f"val_percent={HELD_OUT}"])
    rows = [json.loads(line) for line in (out / f"error_{name}/open_loop.jsonl").read_text().splitlines()]
    return {row["key"]: row for row in rows}


def main(videos: Path, out: Path, sizes: Sizes, more: list[str]) -> None:
    """A table, printed anew after each share of the episodes."""
    arms = sizes.arms.split(",")
    watch(videos, out, sizes, arms=[arm for arm in arms if arm != "scratch"])
    dataset = link_dataset(videos, "g1", out / "g1")
    enter("convert", [f"dataset={dataset}", f"out={out}/demos", "fps=10", f"image_px={sizes.image_px}"])
    lines = [
        "| episodes | arm | error | over seeds | against scratch | better in | Wilcoxon p |",
        "|---|---|---|---|---|---|---|",
    ]
    for share in sizes.shares.split(","):
        found = {arm: [errors(out, arm, share, seed, sizes, more) for seed in sizes.seeds.split(",")] for arm in arms}
        lines += table(share, found)
        print("\n".join(["", *lines, ""]), flush=True)


def table(share: str, found: dict[str, list[dict[str, dict]]]) -> list[str]:
    """Rows of one share: errors in deviations of the training's actions, mean over held-out episodes."""
    keys = sorted(next(iter(found.values()))[0])
    means = {
        arm: np.array([[rows[key]["policy"] for key in keys] for rows in seeds]) for arm, seeds in found.items()
    }  # [seeds, episodes]
    lines = []
    for arm, values in means.items():
        cells = [f"{share} %", arm, f"{values.mean():.4f}", f"{values.mean(1).min():.4f} to {values.mean(1).max():.4f}"]
        cells += (
            _against(values.mean(0), means["scratch"].mean(0)) if arm != "scratch" and "scratch" in means else [""] * 3
        )
        lines.append(f"| {' | '.join(cells)} |")
    blind = next(iter(found.values()))[0]
    guessed = {guess: np.mean([blind[key][guess] for key in keys]) for guess in GUESSES}
    return lines + [f"| | {guess} | {error:.4f} | | | | |" for guess, error in guessed.items()]


def _against(ours: np.ndarray, theirs: np.ndarray) -> list[str]:
    change = 100 * (ours.mean() / theirs.mean() - 1)
    return [f"{change:+.1f} %", f"{int((ours < theirs).sum())} of {len(ours)}", f"{signed_rank_p(ours, theirs):.2g}"]


if __name__ == "__main__":
    given = dict(word.split("=", 1) for word in sys.argv[1:])
    home = Path(given.pop("out"))
    chosen = Sizes(**{key: given.pop(key) for key in Sizes._fields if key in given})
    main(Path(os.environ["LAPA_REAL_VIDEO"]), home, chosen, [f"{key}={value}" for key, value in given.items()])
