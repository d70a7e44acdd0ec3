"""Laws of the world model: what codes do is chained, the truth's codes lead back to the truth, the door shows it."""

import json
import math

import hydra
import pytest
import torch
from omegaconf import OmegaConf
from policy_toys import train_config
from small_quantizer import build, clip_folder, settings

from lapa import checkpoint
from lapa.config import compose
from lapa.files import file_hash
from lapa.stage import open_stage
from lapa.video import decode_mp4
from quantizer import imagine as door
from quantizer.world import held_still, imagine, psnr_by_step, random_codes, true_codes, unroll

PX = 8


class Rolling:
    """A quantizer that is exact: code c rolls the picture c pixels to the right."""

    num_codes, codes_per_step, image_px = 4, 1, PX

    def decode(self, before, codes):
        return torch.stack([image.roll(int(code), -1) for image, code in zip(before, codes, strict=True)]).float()

    def codes(self, before, after):
        moved = torch.stack([(before.roll(c, -1) == after).flatten(1).all(1) for c in range(4)], 1)
        return moved.int().argmax(1, keepdim=True)


def pictures(count=6, seed=0):
    return torch.randint(0, 256, (count, 3, PX, PX), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def test_codes_are_chained_and_the_truths_own_codes_lead_back_to_it():
    codes = random_codes(Rolling(), torch.empty(6, 5, 1), seed=1)
    truth = imagine(Rolling(), pictures(), codes)
    assert truth.shape == (6, 6, 3, PX, PX) and truth.dtype == torch.uint8
    total = codes.sum((1, 2))
    assert all(torch.equal(truth[i, -1], pictures()[i].roll(int(total[i]), -1)) for i in range(6))
    assert torch.equal(true_codes(Rolling(), truth), codes)


def test_a_rollout_is_causal_and_begins_with_the_first_frame():
    quantizer = build(bottleneck="fsq").eval()
    first = torch.randint(0, 256, (2, 3, 24, 24), dtype=torch.uint8)
    codes = random_codes(quantizer, torch.empty(2, 3, 4), seed=0)
    whole = imagine(quantizer, first, codes)
    assert torch.equal(whole[:, 0], first) and torch.equal(imagine(quantizer, first, codes[:, :2]), whole[:, :3])
    step = quantizer.decode(whole[:, 1], codes[:, 1]).round().to(torch.uint8)
    assert torch.equal(step, whole[:, 2])
    with pytest.raises(ValueError, match="this codebook has"):
        imagine(quantizer, first, codes + quantizer.num_codes)


def test_who_chooses_sees_what_was_imagined_and_not_the_truth():
    seen = []

    def choose(now, step):
        seen.append(now)
        return torch.full((len(now), 1), step)

    frames = unroll(Rolling(), pictures(), choose, steps=3)
    assert all(torch.equal(now, frames[:, i]) for i, now in enumerate(seen)) and len(seen) == 3


def test_psnr_is_that_of_the_definition():
    truth = imagine(Rolling(), pictures(), torch.ones(6, 2, 1, dtype=torch.int64))
    off = (truth.int() + torch.where(truth < 255, 1, -1)).to(torch.uint8)
    torch.testing.assert_close(psnr_by_step(off, truth), torch.full((2,), 20 * math.log10(255)))
    assert (psnr_by_step(truth, truth) > 70).all() and (psnr_by_step(held_still(truth), truth) < 15).all()


def quantizer_folder(folder, **changes):
    """An untrained quantizer, as `lapa train` would leave it."""
    model = build()
    with open_stage(OmegaConf.create({"out": str(folder)}), {}) as stage:
        checkpoint.save(folder, model, {"model": settings()["settings"]})
        facts = {"gap_s": 0.5, "image_px": 24, "num_codes": 8, "codes_per_step": 4}
        stage.finish(record="QuantizerModule", count=0, **facts | changes)
    return folder


def policy_folder(folder, *, num_codes=8):
    """An untrained latent policy."""
    cfg = train_config("latent_policy", "clips=none", "codes=none", "out=none", "model.backbone.image_px=24")
    module = hydra.utils.instantiate(cfg.model)
    module.setup_from(
        {"num_codes": num_codes, "codes_per_step": 4, "cameras": ["front"], "gap_s": 0.5, "gaps_s": [0.5]}
    )
    with open_stage(OmegaConf.create({"out": str(folder)}), {}) as stage:
        stage.finish(record="LatentPolicy", count=0, **module.export(folder))
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    quantizer_folder(root / "quantizer")
    clip_folder(root / "clips")
    clip_folder(root / "others", frames=7)
    policy_folder(root / "policy")
    return root


def run(folders, out, *more):
    places = [f"{name}={folders / name}" for name in ("quantizer", "clips")]
    door.main(compose("imagine", [*places, f"out={out}", "val_percent=50", "steps=3", "shown=2", *more]))
    return out


def test_the_door_shows_truth_codes_and_thoughts(folders, tmp_path):
    more = [f"latent_policy={folders / 'policy'}", f"others={folders / 'others'}"]
    out = run(folders, tmp_path / "out", *more)
    found = json.loads((out / "imagined.json").read_text())
    assert found["drawn"] == ["truth", "codes", "policy"] and found["steps"] == 3
    assert {name: len(values) for name, values in found["psnr_db"].items()} == dict.fromkeys(
        ("codes", "policy", "copy", "random"), 3
    )
    videos = sorted(out.glob("*.mp4"))
    assert len(videos) == 2
    assert decode_mp4(videos[0].read_bytes()).shape == (4, 3, 24 * 4, 3 * 24 * 4)
    grids = [f"codes_of_{a}_on_{b}.png" for a in ("clips", "others") for b in ("clips", "others")]
    assert {path.name for path in out.glob("*.png")} == {"sheet.png", *grids}
    again = run(folders, tmp_path / "again", *more)
    assert all(
        file_hash(path) == file_hash(again / path.name) for path in out.glob("*.[pjm]*") if path.stem != "timing"
    )


def test_without_a_policy_and_another_body_there_are_two_columns_and_one_grid(folders, tmp_path):
    out = run(folders, tmp_path / "out", "max_clips=1")
    found = json.loads((out / "imagined.json").read_text())
    assert found["drawn"] == ["truth", "codes"] and found["clips"] == 1
    assert {path.name for path in out.glob("*.png")} == {"sheet.png", "codes_of_clips_on_clips.png"}


def test_faults_are_named(folders, tmp_path):
    with pytest.raises(ValueError, match="no held-out clip of .* is longer than steps=9 gaps of 1 frames"):
        run(folders, tmp_path / "a", "steps=9")
    with pytest.raises(ValueError, match="has clips of 30 px; the quantizer reads 24 px"):
        run(folders, tmp_path / "b", f"clips={clip_folder(tmp_path / 'clips', image_px=30)}")
    other = policy_folder(tmp_path / "policy", num_codes=16)
    with pytest.raises(ValueError, match="the policy names 4 codes of 16; this quantizer has 4 of 8"):
        run(folders, tmp_path / "c", f"latent_policy={other}")
    with pytest.raises(ValueError, match="holds no model"):
        run(folders, tmp_path / "d", f"quantizer={folders / 'clips'}")
