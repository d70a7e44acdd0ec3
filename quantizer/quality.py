"""A quantizer and clips in, its report card out: quality.json, pictures, and a verdict in words."""

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from lapa.files import write_json
from quantizer.card import Reading, code_use, mean_motion, probes, read, shuffled, used_columns
from quantizer.consistency import chains
from quantizer.model import Quantizer
from quantizer.nuisance import MOTION, clip_identity, encoded, meanings, quantities
from quantizer.pictures import draw_codes, draw_strips, draw_swaps, varied
from quantizer.probe import LEAST_EPISODES
from quantizer.reconstruction import redraw
from quantizer.sample import FLOW, Pairs, gather
from quantizer.transfer import transfer
from quantizer.untrained import fitted_codes
from quantizer.verdict import judge

BATCH = 64  # faster on a CPU than 256


def write_quality(
    quantizer: Quantizer, folder: Path, out: Path, *, gap: int, uses: Int64[Tensor, "num_codes"], max_clips: int,
    pairs_per_clip: int, seed: int, untrained: Quantizer | None = None, label_percent: float = 0,
) -> dict[str, Any]:  # fmt: skip
    """Measure on the clips in `folder`; write quality.json and pictures into `out`; return the former.

    `uses` counts each code over all labels: perplexity is of those.
    `untrained`: a twin to compare with. `label_percent`: see `gather`. "verdict" holds the card in words, line by line.
    """
    pairs = gather(folder, gap=gap, max_clips=max_clips, pairs_per_clip=pairs_per_clip, label_percent=label_percent)
    reading = read(quantizer, pairs, BATCH)
    if pairs.truth == FLOW:
        pairs = pairs._replace(change=mean_motion(quantizer, pairs, BATCH))
    found = measure(quantizer, pairs, reading, uses=uses, seed=seed, untrained=untrained)
    verdict = judge(found)
    found |= {
        "good_enough": verdict.good_enough,
        "verdict": verdict.lines,
        "table": [row._asdict() for row in verdict.table],
    }
    if quantizer.draws:
        draw(quantizer, pairs, reading, out)
    write_json(out / "quality.json", found)
    return found


def measure(
    quantizer: Quantizer,
    pairs: Pairs,
    reading: Reading,
    *,
    uses: Int64[Tensor, "num_codes"],
    seed: int,
    untrained: Quantizer | None,
) -> dict[str, Any]:
    """Every number of the card; None where the clips or the quantizer do not allow a measure."""
    coded = used_columns(reading.codes, quantizer.num_codes)
    known = quantities(pairs)
    enough = len(pairs.clip.unique()) >= LEAST_EPISODES
    free = None
    if untrained is not None:
        free = used_columns(fitted_codes(untrained, pairs, BATCH, seed), untrained.num_codes)
    probed = probes(reading, coded, pairs, seed, free) or dict.fromkeys(("probe", "interval", "carried"))
    return (
        code_use(reading.codes, uses)
        | {"probe_of": pairs.truth, **probed, "transfer": transfer(coded, pairs)}
        | {
            "picture": redraw(quantizer, pairs, reading.codes, BATCH) if quantizer.draws else None,
            "chains": chains(quantizer, pairs, reading.latents, BATCH),
            "nuisance": encoded(coded, shuffled(coded, seed), pairs, known) if enough else None,
            "clip_identity": {
                name: clip_identity(values, pairs.clip) for name, values in (("codes", coded), (MOTION, pairs.change))
            },
            "codes": [row._asdict() for row in meanings(reading.codes, quantizer.num_codes, pairs.change, known)],
        }
    )


@torch.inference_mode()
def draw(quantizer: Quantizer, pairs: Pairs, reading: Reading, out: Path) -> None:
    """strips.png, swaps.png and codes.png of pairs that move."""
    chosen = varied(reading.drift)
    before, after, codes = pairs.before[chosen], pairs.after[chosen], reading.codes[chosen]
    draw_strips(quantizer, before, after, codes, out / "strips.png")
    draw_swaps(quantizer, before, after, codes, out / "swaps.png")
    draw_codes(quantizer, before[0], reading.codes, out / "codes.png")
