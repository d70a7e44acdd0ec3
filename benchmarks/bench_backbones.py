"""Latency: a whole policy's `act` against one bare pass of its backbone, and codes behind a cached prefix against not.

    python benchmarks/bench_backbones.py [backbones=tiny,smollm] [rounds=30] [threads=1] [batch=1]

An instruction of nine words, one camera, k = 4 queries, chunk head; smollm has random weights of the real sizes. The bare
pass has its pixels and words prepared, so that what is above it is checking, tokenising, scaling and the head. CPU time of
this process, all cases in turn; medians, and the median of the rounds' ratios.
"""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from timing import in_turn, markdown, share

from lapa.config import compose
from lapa.records import Observation
from policy.infer import Policy
from policy.models import ActionModel, LatentModel
from policy.module import plain

CPU = torch.device("cpu")
TEXT = "put the red block on the green block carefully"
NAMES = ["joint1", "joint2", "joint3", "joint4", "joint5", "joint6", "gripper"]
CODES, STEPS = 4, 8
RANDOM = {"smollm": ["model.backbone.weights=random"]}

Work = dict[str, Callable[[], Any]]


def settings(backbone: str, experiment: str, *more: str) -> dict[str, Any]:
    """Backbone and head as the training door would build them."""
    places = {"latent_policy": ["clips=-", "codes=-"], "action_policy": ["demos=-", "init_from=null"]}[experiment]
    words = [f"experiment={experiment}", "out=-", *places, f"backbone@model.backbone={backbone}"]
    model = compose("train", [*words, *RANDOM.get(backbone, []), *more]).model
    return {"backbone": plain(model.backbone), "head": plain(model.head), "codes_per_step": CODES, "cameras": ["front"]}


def policy(backbone: str) -> Policy:
    """An untrained one."""
    row = {"mean": [0.0] * 7, "std": [1.0] * 7, "q01": [-1.0] * 7, "q99": [1.0] * 7}
    statistics = {
        kind: {key: [value] * n for key, value in row.items()} for kind, n in (("state", 1), ("action", STEPS))
    }
    robot = {"embodiment": "panda", "state_names": NAMES, "action_names": NAMES, "chunk_steps": STEPS}
    more = {"absolute": [], "statistics": statistics | {"head": {}}, "normalisation": "mean_std"}
    model = ActionModel(**settings(backbone, "action_policy"), **robot, **more)
    return Policy(model=model, device=CPU, hash="", facts=robot)


def coder(backbone: str) -> LatentModel:
    """An untrained latent policy that tells its codes one after the other."""
    own = settings(backbone, "latent_policy", "head@model.head=autoregressive")
    return LatentModel(**own, num_codes=8, gaps_s=[0.5], future=None).eval()


def cases(backbone: str, batch: int) -> Work:
    """What is timed."""
    actor, speaker = policy(backbone), coder(backbone)
    trunk, seeing = actor.model.trunk, actor.model.trunk.backbone
    picture = torch.randint(0, 256, (3, seeing.image_px, seeing.image_px), dtype=torch.uint8)
    images, texts = torch.stack([picture] * batch), [TEXT] * batch
    seen = [Observation({"front": picture}, TEXT, torch.zeros(len(NAMES)))] * batch
    pixels, words, queries = (
        seeing.prepare(images[:, None]), seeing.tokenise(texts, CPU), trunk.queries.expand(batch, -1, -1)
    )  # fmt: skip
    prefix = seeing.prefix(pixels, words)
    return {
        "bare pass": lambda: seeing(pixels, words, queries),
        "act": lambda: actor.act_batch(seen),
        "queries behind a prefix": lambda: seeing.go_on(prefix, queries),
        f"{CODES} codes, whole passes": lambda: by_whole_passes(speaker, images[:, None], texts),
        f"{CODES} codes, cached prefix": lambda: speaker.predict({"front": images}, texts),
    }


def by_whole_passes(model: LatentModel, images: torch.Tensor, texts: list[str]) -> torch.Tensor:
    """Pictures and words anew for each code."""
    codes = torch.zeros(len(images), CODES, dtype=torch.int64)
    for i in range(CODES):
        codes[:, i] = model.codes.logits(model.trunk, images, texts, codes)[:, i].argmax(dim=-1)
    return codes


@torch.inference_mode()
def main(backbones: str = "tiny,smollm", rounds: str = "30", threads: str = "1", batch: str = "1") -> None:
    """Build, time, print."""
    torch.manual_seed(0)
    torch.set_num_threads(int(threads))
    rows = []
    for backbone in backbones.split(","):
        work = cases(backbone, int(batch))
        taken = in_turn(list(work.values()), int(rounds))
        for number, name in enumerate(work):
            rows.append([backbone, name, f"{np.median(taken[:, number]) * 1e3:.1f} ms", share(taken, number, 0)])
    print(f"batch {batch}, {threads} threads, {rounds} rounds")
    print(markdown(["backbone", "work", "CPU time", "of a bare pass"], rows))


if __name__ == "__main__":
    main(**dict(word.split("=", 1) for word in sys.argv[1:]))
