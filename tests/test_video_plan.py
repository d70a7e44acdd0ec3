"""policy.video_plan: what follows a moment, a planner that learns what words say, exact resume, one answer to one picture."""

import json

import hydra
import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from lapa.checkpoint import load_settings as read_settings
from lapa.config import compose
from lapa.files import file_hash
from lapa.metrics import read_metrics
from lapa.shards import write_shard
from lapa.stage import open_stage, read_manifest
from lapa.train import main
from lapa.video import encode_mp4
from policy.augment import shift
from policy.video_plan import foresee
from policy.video_plan.data import change_scale, take_plans
from policy.video_plan.module import VideoPlan
from policy.video_plan.player import load_plan
from tests import policy_toys as toys

SMALL = [
    "painter@model.head=flow",
    "model.head.dim=32",
    "model.head.depth=1",
    "model.head.num_heads=2",
    "model.head.feed_forward=64",
    "init_from=null",
]
COMPONENTS = [
    "model.head.num_components=16",
    "model.head.num_examples=64",
    "model.head.flow.hidden=64",
    "model.head.flow.depth=1",
    "init_from=null",
]
WAYS = {"left": -5, "right": 5}  # pixels a gap


def config(clips, *more, painter=SMALL):
    return toys.train_config("video_plan", f"clips={clips}", *painter, *more)


def built(clips, *more, painter=SMALL):
    cfg = config(clips, "out=unused", *more, painter=painter)
    torch.manual_seed(0)
    data, module = hydra.utils.instantiate(cfg.data), hydra.utils.instantiate(cfg.model)
    module.setup_from(data.facts())
    module.log = module.log_dict = lambda *_, **__: None
    return module, data


def painter_of(plan):
    """The overrides that `plan` was trained with."""
    return COMPONENTS if "Component" in read_settings(plan)["model"]["head"]["_target_"] else SMALL


def moving(number):
    """A white square that waits for a gap, then jumps where the words say: at first only they tell."""
    way, frames = list(WAYS)[number % 2], torch.full((12, 3, toys.PX, toys.PX), 40, dtype=torch.uint8)
    for i in range(len(frames)):
        place = 13 + i // 5 * WAYS[way]
        frames[i, :, 10:18, place : place + 6] = 220
    return {"__key__": f"c{number}", "json": {"text": f"go {way}", "fps": 10}, "mp4": encode_mp4(frames, fps=10)}


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("moving") / "clips"
    with open_stage(OmegaConf.create({"out": str(folder)}), {}) as stage:
        count = write_shard(folder / "clips-000000.tar", [moving(i) for i in range(40)])
        stage.finish(record="Clip", count=count, fps=10, image_px=toys.PX)
    return folder


@pytest.fixture(scope="module", params=[SMALL, COMPONENTS], ids=["flow", "components"])
def trained(request, clips):
    """A planner after some seconds of training."""
    out = clips.parent / f"plan{len(request.param)}"
    more = [
        "trainer.max_steps=100",
        "trainer.val_check_interval=100",
        "data.batch_size=16",
        "data.val_batches=2",
        "data.steps_per_clip=7",
    ]
    rates = [f"model.lr.{name}=3e-3" for name in ("vision", "language", "head")]
    main(config(clips, f"out={out}", *more, *rates, painter=request.param))
    return out


def test_what_follows_a_moment_and_what_the_clip_does_not_show():
    frames = torch.arange(9, dtype=torch.uint8)[:, None, None, None].expand(9, 3, 4, 4)
    sample = {"__key__": "a", "frames": frames, "json": {"text": "go"}}
    take = {"camera": "front", "gap": 3, "num_frames": 2, "steps_per_clip": 6}
    steps = take_plans(sample, np.random.default_rng(0), **take)
    assert sorted(int(step.images["front"][0, 0, 0]) for step in steps) == list(range(6))
    for step in steps:
        now = int(step.images["front"][0, 0, 0])
        assert step.exist.tolist() == [True, now + 6 < 9]
        assert step.frames[:, 0, 0, 0].tolist() == [now + 3, now + 6 if now + 6 < 9 else 0]
    with pytest.raises(ValueError, match="clip 'a' has 9 frames; a gap of 9 does not fit"):
        take_plans(sample, np.random.default_rng(0), **take | {"gap": 9})


def test_the_unit_is_how_much_pictures_change():
    frames = (25 * torch.arange(8, dtype=torch.uint8))[:, None, None, None].expand(8, 3, 4, 4)
    assert change_scale(iter([frames]), gap=2, num_frames=2) == pytest.approx([50 / 255, 100 / 255])
    with pytest.raises(ValueError, match="no clip is longer than num_frames=3 gaps of 3 frames"):
        change_scale(iter([frames]), gap=3, num_frames=3)
    with pytest.raises(ValueError, match="nothing moves"):
        change_scale(iter([frames * 0]), gap=2, num_frames=2)


def test_components_say_all_of_changes_that_they_can_say(clips):
    module, data = built(clips, painter=COMPONENTS)
    painter, changes = module.model.painter, data.facts()["changes"](64)
    assert 32 <= len(changes) <= 64  # what lies behind the end of a clip is missing
    assert torch.equal(changes, data.facts()["changes"](64))
    flat = painter.components.flatten(1)
    assert torch.allclose(flat @ flat.T, torch.eye(16), atol=1e-4)  # the square takes few ways: 16 pictures are enough
    amounts = painter.amounts(changes) * painter.deviation
    assert (amounts @ flat - changes.flatten(1)).square().sum() < 0.1 * changes.square().sum()
    assert painter.amounts(changes).square().mean() == pytest.approx(1, rel=1e-3)
    with pytest.raises(ValueError, match="changes of pictures are too few for num_components=500"):
        built(clips, "model.head.num_components=500", painter=COMPONENTS)


def test_pictures_of_a_sample_are_shifted_alike():
    pictures = torch.randint(0, 256, (8, 1, 3, 16, 16), dtype=torch.uint8)
    moved = shift(torch.cat([pictures, pictures], dim=2), max_px=3)
    assert torch.equal(moved[:, :, :3], moved[:, :, 3:]) and not torch.equal(moved[:, :, :3], pictures)


def test_it_imagines_better_than_copying_and_goes_by_the_words(trained):
    final = read_manifest(trained)["final"]
    assert final["val/error"] < 0.6 and final["val/error_shuffled"] > 1.4 * final["val/error"]
    losses = list(read_metrics(trained)["train/loss"].values())
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])


def test_an_untrained_planner_copies_when_it_starts_from_the_middle_of_the_noise(clips):
    module, data = built(clips, "model.head.start_std=0")
    batch, shown = next(iter(data._loader(data.stream("val")))), {}
    module.log, module.log_dict = (
        (lambda name, value, **_: shown.update({name: value})),
        lambda rows, **_: shown.update(rows),
    )
    module.eval()
    module.validation_step(batch, 0)
    module.on_validation_epoch_end()
    assert shown["val/error"] == pytest.approx(1) and shown["val/error_1"] == pytest.approx(1)


def test_the_same_picture_is_answered_alike_alone_and_among_others(trained, clips):
    first, second = load_plan(trained, "cpu"), load_plan(trained, "cpu")
    _, data = built(clips)
    batch = next(iter(data._loader(data.stream("val"))))
    pictures, texts = batch.images["front"][:, None], list(batch.text)
    together = first.imagine(pictures, texts)
    assert together.shape == (4, 2, 3, toys.PX, toys.PX) and torch.equal(together, second.imagine(pictures, texts))
    for i in range(4):
        alone = first.imagine(pictures[i : i + 1], texts[i : i + 1])[0]
        assert (alone.int() - together[i].int()).abs().max() <= 1
    assert first.hash == second.hash == file_hash(trained / "weights.safetensors")


@pytest.mark.parametrize("painter", [SMALL, COMPONENTS], ids=["flow", "components"])
def test_a_killed_training_resumes_exactly(clips, tmp_path, painter):
    main(config(clips, f"out={tmp_path / 'whole'}", painter=painter))
    killed = config(clips, f"out={tmp_path / 'killed'}", painter=painter)
    toys.killed_and_resumed(killed, VideoPlan, "training_step", 3)
    assert read_manifest(tmp_path / "killed")["files"] == read_manifest(tmp_path / "whole")["files"]


def test_demonstrations_are_clips_too_and_the_units_go_with_the_weights(trained, tmp_path):
    demos = toys.write_demos(tmp_path / "demos")
    module, data = built(demos, f"init_from={trained}", painter=painter_of(trained))
    assert module.settings["scale"] == read_manifest(trained)["scale"] != data.facts()["scale"]
    assert next(iter(data._loader(data.stream("train")))).frames.shape == (4, 2, 3, toys.PX, toys.PX)


def test_what_does_not_fit_is_named(trained, clips, tmp_path):
    painter = painter_of(trained)
    depth = "head.flow.depth" if painter is COMPONENTS else "head.depth"
    with pytest.raises(ValueError, match=rf"is another planner \(there → here\): {depth}: 1 → 2"):
        built(clips, f"init_from={trained}", f"model.{depth}=2", painter=painter)
    with pytest.raises(ValueError, match=r"gap_s: 0.5 → 0.4; num_frames: 2 → 1"):
        built(clips, f"init_from={trained}", "data.gap_s=0.4", "data.num_frames=1", painter=painter)
    wrist = toys.write_demos(tmp_path / "wrist", cameras=("wrist",))
    with pytest.raises(ValueError, match=r"cameras: \['front'\] → \['wrist'\]"):
        built(wrist, f"init_from={trained}", painter=painter)
    with pytest.raises(ValueError, match="no clip to train on: all .* are held out"):
        built(clips, "data.val_percent=100")
    short = tmp_path / "short"
    with open_stage(OmegaConf.create({"out": str(short)}), {}) as stage:
        write_shard(short / "clips-000000.tar", [moving(0)])
        stage.finish(record="Clip", count=1, fps=10, image_px=toys.PX, min_clip_s=0.8)
    with pytest.raises(Exception, match=r"gap_s=0\.9 needs longer clips than 0\.8 s"):
        built(short, "data.gap_s=0.9")
    with pytest.raises(Exception, match="image_px 32 a multiple of patch_px; got 4, 1.5, 5"):
        built(clips, "model.head.patch_px=5")


def test_a_mixture_has_its_share_of_every_batch(clips, tmp_path):
    other = toys.write_clips(tmp_path / "other")
    _, data = built(clips, f"mixture={{people: {{clips: {other}, weight: 1.0}}}}")
    batch = next(iter(data._loader(data.stream("train"))))
    assert sum(text.startswith("reach") for text in batch.text) == 2
    with open_stage(OmegaConf.create({"out": str(tmp_path / "slow")}), {}) as stage:
        write_shard(tmp_path / "slow" / "clips-000000.tar", [moving(0)])
        stage.finish(record="Clip", count=1, fps=5, image_px=toys.PX)
    with pytest.raises(Exception, match="fps is 5 in people, 10 in clips"):
        built(clips, f"mixture={{people: {{clips: {tmp_path / 'slow'}, weight: 1.0}}}}")


def test_components_say_what_another_body_does_too(clips, tmp_path):
    with open_stage(OmegaConf.create({"out": str(tmp_path / "robot")}), {}) as stage:
        turned = [moving(i) for i in range(12)]
        shards = [sample | {"mp4": encode_mp4(lying(i), fps=10)} for i, sample in enumerate(turned)]
        write_shard(tmp_path / "robot" / "clips-000000.tar", shards)
        stage.finish(record="Clip", count=12, fps=10, image_px=toys.PX)
    theirs = built(tmp_path / "robot", painter=COMPONENTS)[1].facts()["changes"](64)
    lost = []
    for basis in ("null", str(tmp_path / "robot")):
        painter = built(clips, f"basis={basis}", painter=COMPONENTS)[0].model.painter
        said = (painter.amounts(theirs) * painter.deviation) @ painter.components.flatten(1)
        lost.append(float((said - theirs.flatten(1)).square().sum() / theirs.square().sum()))
    assert lost[0] > 0.4 and lost[1] < 0.15


def lying(number):
    """The square of `moving`, up and down."""
    frames = torch.full((12, 3, toys.PX, toys.PX), 40, dtype=torch.uint8)
    for i in range(len(frames)):
        place = 13 + i // 5 * list(WAYS.values())[number % 2]
        frames[i, :, place : place + 6, 4:8] = 220
    return frames


def test_foreseen_is_what_validation_tells_and_a_picture(trained, clips, tmp_path):
    foresee.main(compose("foresee", [f"plan={trained}", f"clips={clips}", f"out={tmp_path / 'out'}"]))
    found = json.loads((tmp_path / "out" / "foreseen.json").read_text())
    assert found["clips"] == read_manifest(tmp_path / "out")["count"] > 0
    assert found["error"]["imagined"][0] < 0.6 < found["error"]["other words"][0]
    with Image.open(tmp_path / "out" / "sheet.png") as sheet:
        assert sheet.width == 9 * 2 * (toys.PX + 2)
    small = toys.write_demos(tmp_path / "demos")
    again = [f"plan={trained}", f"clips={small}", f"out={tmp_path / 'again'}"]
    with pytest.raises(ValueError, match="is longer than 2 gaps of 5 frames"):
        foresee.main(compose("foresee", [*again, "val_percent=0"]))
    with pytest.raises(ValueError, match="trained on .*: it held out val_percent=10, not 40"):
        foresee.main(
            compose("foresee", [f"plan={trained}", f"clips={clips}", f"out={tmp_path / 'o'}", "val_percent=40"])
        )
