"""How long until a quantizer is as good on sprites as LAPA's own ever gets? Its step time beside ours, in one run.

    LAPA_REPOSITORY=CHECKOUT python benchmarks/bench_time_to_quality.py

LAPA's own (0.11 M parameters, 24 px, learning rate 1e-3) has, after its 3000 steps of 32 pairs, directions 86 % and MSE 0.0056.
Its time is 3000 times the median of 30 steps, which a training of ours with the default settings is then measured against: the
wall time of its steps until both figures are reached, as looked at every 25 steps (looking is not timed).
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import hydra
import torch

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))

from lapas_own import as_video, laq
from small_quantizer import settings
from sprites import direction_accuracy, sprites

LAPA_STEPS, BATCH, SIDE_PX = 3000, 32, 24
DIRECTION, MSE = 0.86, 0.0056
LOOK_EVERY, MOST_STEPS = 25, 3000


def seconds_of(step: Callable[[], object]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


def lapas_seconds(repository: Path) -> float:
    """Its whole training, from 30 steps."""
    model = laq(repository, image_px=SIDE_PX, patch_px=3, dim=48, quant_dim=16, depth=1, dim_head=24, heads=2).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.9, 0.99))
    video = as_video(BATCH, SIDE_PX)

    def step() -> None:
        optimizer.zero_grad()
        model(video)[0].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()

    size = sum(p.numel() for p in model.parameters())
    print(f"LAPA's own: {size / 1e6:.2f} M parameters")
    return LAPA_STEPS * median(seconds_of(step) for _ in range(30))


def our_seconds() -> float:
    """Time of our steps until both figures are reached; inf when they are not."""
    torch.manual_seed(0)
    module = hydra.utils.instantiate(settings())
    module.configure_model()
    module.trainer = type("Trainer", (), {"max_steps": LAPA_STEPS})  # all that the schedule asks
    model, made = module.model.train(), module.configure_optimizers()
    print(f"ours: {sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters")
    spent = 0.0
    for number in range(1, MOST_STEPS + 1):
        before, after, _ = sprites(BATCH, SIDE_PX, seed=number)

        def step(before: torch.Tensor = before, after: torch.Tensor = after) -> None:
            made["optimizer"].zero_grad()
            model.loss(model(before, after, None)).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            made["optimizer"].step()
            made["lr_scheduler"]["scheduler"].step()

        spent += seconds_of(step)
        if number % LOOK_EVERY == 0 and good_enough(model, number):
            return spent
    return torch.inf


@torch.inference_mode()
def good_enough(model: torch.nn.Module, step: int) -> bool:
    """Looks at sprites that no training has seen."""
    before, after, direction = sprites(2000, SIDE_PX, seed=10**6 + 1)
    codes = model.eval().codes(before, after)  # type: ignore[operator]
    accuracy = direction_accuracy(codes, direction, model.num_codes)  # type: ignore[arg-type]
    mse = float((model.decode(before, codes) - after).div(255).square().mean())  # type: ignore[operator]
    model.train()
    print(f"step {step}: direction {accuracy:.1%}, MSE {mse:.4f}")
    return accuracy >= DIRECTION and mse <= MSE


if __name__ == "__main__":
    if "LAPA_REPOSITORY" not in os.environ:
        sys.exit("set LAPA_REPOSITORY to a checkout of LAPA's repository")
    theirs = lapas_seconds(Path(os.environ["LAPA_REPOSITORY"]))
    ours = our_seconds()
    print(
        f"LAPA's own {theirs:.0f} s, ours {ours:.1f} s: {theirs / ours:.0f} times as fast ({torch.get_num_threads()} threads)"
    )
