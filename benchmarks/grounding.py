"""How many samples a backbone needs before words choose a place: coloured squares, a hand, "reach the red block".

    python benchmarks/grounding.py [steps=300] [backbone=tiny] [key=value of model…]

The label is what a quantizer would say: direction, x and y of the coming motion, as k = 4 codes of 8, a tenth of them
random. Prints loss, accuracy of each code on scenes never seen, and samples a second of CPU time and of wall time.
"""

import math
import sys
import time

import hydra
import numpy as np
import torch

from lapa.config import compose
from lapa.precision import has_bf16
from lapa.records import LatentStep

COLOURS = {
    "red": (200, 40, 40), "green": (40, 170, 60), "blue": (50, 70, 200),
    "yellow": (220, 200, 50), "purple": (140, 50, 160), "orange": (230, 130, 40),
}  # fmt: skip
PX, CODES, BATCH, NOISE, STEP_PX = 64, 8, 64, 0.1, 10
HAS_BF16 = has_bf16("cpu")


def scene(rng):
    """A table with four blocks: picture, their places, their colours' names."""
    picture = np.full((PX, PX, 3), rng.uniform(90, 170)) + rng.normal(0, 3, (PX, PX, 3))
    places = []
    while len(places) < 4:
        place = rng.uniform(8, PX - 8, 2)
        if all(np.hypot(*(place - other)) > 10 for other in places):
            places.append(place)
    names = rng.choice(list(COLOURS), 4, replace=False)
    for name, (x, y) in zip(names, places, strict=True):
        half = rng.uniform(2.5, 3.5)
        paint(picture, lambda xx, yy, x=x, y=y, half=half: (abs(xx - x) < half) & (abs(yy - y) < half), COLOURS[name])
    return picture, places, names


def paint(picture, inside, colour):
    yy, xx = np.mgrid[:PX, :PX]
    picture[inside(xx, yy)] = colour


def sample(rng, drawn):
    """A hand somewhere on its way to the block that is named: picture, words, codes."""
    picture, places, names = drawn[0].copy(), *drawn[1:]
    wanted = int(rng.integers(4))
    start, goal = rng.uniform(6, PX - 6, 2), places[wanted]
    x, y = start + rng.uniform(0, 0.9) * (goal - start) + rng.normal(0, 2, 2)
    paint(picture, lambda xx, yy: np.hypot(xx - x, yy - y) < 4.5, (224, 172, 135))
    paint(picture, lambda xx, yy: (abs(xx - x) < 1.5) & (yy < y - 4) & (yy > y - 14), (200, 150, 120))
    pixels = torch.from_numpy(np.clip(picture, 0, 255).astype(np.uint8).transpose(2, 0, 1).copy())
    text, codes = f"reach the {names[wanted]} block", labels(rng, goal - np.array([x, y]))
    unknown = (torch.tensor(0.5), torch.full_like(codes, -1), pixels[:, :0, :0], torch.zeros(0))
    return LatentStep("", {"front": pixels}, text, codes, *unknown)


def labels(rng, way):
    """Codes of the next STEP_PX pixels of `way`."""
    if rng.random() < NOISE:
        return torch.from_numpy(rng.integers(0, CODES, 4))
    step = way / max(np.hypot(*way), 1e-6) * min(np.hypot(*way), STEP_PX)
    eighths = math.atan2(way[1], way[0]) % (2 * math.pi) / (2 * math.pi) * 8
    x, y = (int(np.clip((value / STEP_PX + 1) / 2 * CODES, 0, CODES - 1)) for value in step)
    return torch.tensor([int(eighths + 0.5) % 8, x, y, int(eighths) % 8])


def batches(seed, *, per_scene, size):
    """Endless batches; scenes come back with another hand `per_scene` times in all."""
    rng = np.random.default_rng(seed)
    while True:
        scenes = [scene(rng) for _ in range(size)]
        for _ in range(per_scene):
            yield torch.utils.data.default_collate([sample(rng, drawn) for drawn in scenes])


def main(overrides):
    steps = int(dict(o.split("=") for o in overrides).get("steps", 300))
    backbone = dict(o.split("=") for o in overrides).get("backbone", "tiny")
    more = [f"model.{o}" for o in overrides if o.split("=")[0] not in ("steps", "backbone")]
    names = ["experiment=latent_policy", "clips=-", "codes=-", "out=-", f"backbone@model.backbone={backbone}"]
    torch.manual_seed(0)
    module = hydra.utils.instantiate(compose("train", names + more).model)
    module.setup_from({"num_codes": CODES, "codes_per_step": 4, "cameras": ["front"], "gaps_s": [0.5]})
    module.log = lambda *_, **__: None
    print(f"{sum(p.numel() for p in module.parameters()) / 1e6:.2f} M parameters, {torch.get_num_threads()} threads")
    module._trainer = type("Trainer", (), {"max_steps": steps})()
    fit(module, steps, next(batches(1, per_scene=1, size=512)))


def fit(module, steps, held_out):
    """Train and print; drawing the pictures is not counted."""
    made = module.configure_optimizers()
    optimiser, scheduler = made["optimizer"], made["lr_scheduler"]["scheduler"]
    stream, cpu, wall = batches(0, per_scene=14, size=BATCH), 0.0, 0.0
    for step in range(1, steps + 1):
        batch, cpu_start, wall_start = next(stream), time.process_time(), time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=HAS_BF16):
            loss = module.training_step(batch, step)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimiser.step()
        scheduler.step()
        cpu, wall = cpu + time.process_time() - cpu_start, wall + time.perf_counter() - wall_start
        if step % 25 == 0:
            rates = f"{step * BATCH / cpu:.0f} samples/s CPU, {step * BATCH / wall:.0f} wall"
            counts = f"{step:5d} steps {step * BATCH:6d} samples {cpu:5.0f} s CPU"
            print(f"{counts}  loss {loss:.3f}  {accuracy(module, held_out)}  {rates}", flush=True)


@torch.no_grad()
def accuracy(module, batch):
    """Share of right codes at each position."""
    module.eval()
    with torch.autocast("cpu", torch.bfloat16, enabled=HAS_BF16):
        right = (module.model.predict(batch.images, list(batch.text)) == batch.codes).float().mean(dim=0)
    module.train()
    return " ".join(f"{value:.2f}" for value in right.tolist())


if __name__ == "__main__":
    main(sys.argv[1:])
