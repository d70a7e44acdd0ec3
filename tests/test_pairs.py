"""video_data.pairs: the gap is in seconds, no pair leaves its clip, and the seed decides every batch."""

import itertools
import json
import shutil
from collections import Counter

import numpy as np
import pytest
import torch
from raw_videos import steady, write_video

from lapa.config import compose
from lapa.records import FramePair
from lapa.shards import read_shard, write_shard
from lapa.video import gap_frames
from video_data.build import main
from video_data.pairs import Drawing, LabelPlan, PairData, PairLoader, label_plan, motion_chances, take_pairs

GAP_S = 0.5
NO_LABELS = LabelPlan(0, "", 0)


def numbered(length: int, fps: float) -> dict:
    """A decoded clip whose frame i is filled with i."""
    frames = torch.arange(length, dtype=torch.uint8)[:, None, None, None].expand(length, 3, 8, 8)
    return {"__key__": "k", "frames": frames, "json": {"fps": fps, "text": "do it"}}


@pytest.mark.parametrize("fps", [4, 10, 30])
@pytest.mark.parametrize("length_s", [0.75, 3.0])
def test_pairs_are_a_gap_apart_whatever_the_rate(fps, length_s):
    clip = numbered(int(length_s * fps), fps)
    pairs = take_pairs(clip, np.random.default_rng(0), drawing=Drawing((GAP_S,), 6, 0), labels=NO_LABELS)
    starts = [int(pair.before[0, 0, 0]) for pair in pairs]
    assert len(pairs) == 6 and starts == sorted(starts) and starts[0] >= 0
    assert all(int(pair.after[0, 0, 0]) - start == GAP_S * fps for pair, start in zip(pairs, starts, strict=True))
    assert all(pair.gap_s == GAP_S and pair.text == "do it" for pair in pairs)


def test_starts_are_drawn_without_repetition_and_reach_the_last():
    clip, seen = numbered(12, 10), set()
    for seed in range(40):
        pairs = take_pairs(clip, np.random.default_rng(seed), drawing=Drawing((GAP_S,), 4, 0), labels=NO_LABELS)
        starts = {int(pair.before[0, 0, 0]) for pair in pairs}
        assert len(starts) == 4
        seen |= starts
    assert seen == set(range(7))


def test_a_clip_no_longer_than_the_gap_is_refused_not_clamped():
    with pytest.raises(ValueError, match="clip k has 5 frames; a gap of 5 does not fit"):
        take_pairs(numbered(5, 10), np.random.default_rng(0), drawing=Drawing((GAP_S,), 1, 0), labels=NO_LABELS)


@pytest.mark.parametrize("gap_s", [0.02, 0.14])
def test_a_gap_between_frames_is_refused(gap_s):
    with pytest.raises(ValueError, match=r"choose a multiple of 0\.1"):
        gap_frames(gap_s, 10)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Twelve clips of 1 s and more."""
    folder = tmp_path_factory.mktemp("pairs")
    for number in range(6):
        write_video(folder / "videos" / f"push_block_{number}.mp4", times_ms=steady(60 + number))
    out = folder / "clips"
    small = ["image_px=16", "max_clip_s=1", "num_workers=0", "filters.max_twin_bits=-1"]
    main(compose("build", [f"videos={folder / 'videos'}", f"out={out}", *small]))
    return out


def loader(folder, **changes) -> PairLoader:
    settings = {"gap_s": GAP_S, "pairs_per_clip": 4, "split": "all", "val_percent": 0, "batch_size": 8}
    settings |= {"clips_per_block": 4, "seed": 0, "rank": 0, "world": 1, "start_batch": 0, "num_workers": 0}
    return PairLoader(folder=folder, **(settings | changes))


def batches(folder, count: int, **changes) -> list[FramePair]:
    return list(itertools.islice(loader(folder, **changes), count))


def same(one: FramePair, other: FramePair) -> bool:
    return one.key == other.key and bool((one.before == other.before).all() and (one.after == other.after).all())


def test_batches_are_stacked_pairs_in_which_something_moved(clips):
    batch = batches(clips, 1)[0]
    assert batch.before.shape == batch.after.shape == (8, 3, 16, 16) and batch.before.dtype == torch.uint8
    assert batch.gap_s.tolist() == [GAP_S] * 8 and set(batch.text) == {"push block"}
    assert (batch.before != batch.after).flatten(1).any(1).all()


def test_seed_and_rank_decide_every_batch_and_an_epoch_differs_from_the_next(clips):
    first = batches(clips, 12)
    assert all(same(a, b) for a, b in zip(first, batches(clips, 12), strict=True))
    assert not same(first[0], batches(clips, 1, seed=1)[0])
    assert not same(first[0], batches(clips, 1, rank=1, world=2)[0])
    assert not any(same(a, b) for a, b in zip(first[:6], first[6:], strict=True))


@pytest.mark.parametrize("num_workers", [0, 2])
def test_any_batch_can_be_the_first(clips, num_workers):
    whole = batches(clips, 6)
    rest = batches(clips, 3, num_workers=num_workers, start_batch=3)
    assert all(same(a, b) for a, b in zip(whole[3:], rest, strict=True))


def test_a_gap_longer_than_the_shortest_clip_is_refused_at_once(clips):
    with pytest.raises(ValueError, match=r"gap_s=1 needs longer clips than 0\.7 s"):
        loader(clips, gap_s=1.0)


def data(folder, **changes) -> PairData:
    settings = {"batch_size": 8, "clips_per_block": 4, "val_percent": 0, "val_batches": 0, "num_workers": 0, "seed": 0}
    settings |= {"train_percent": 100, "gap_s": GAP_S, "more_gaps_s": [], "motion_power": 0, "pairs_per_clip": 4}
    settings |= {"mixture": None, "label_percent": 0, "labels_of": "state.npy"}
    return PairData(folder=folder, **(settings | changes))


def test_the_data_module_tells_the_true_gap(clips):
    facts = data(clips, gap_s=0.45, more_gaps_s=[0.2]).facts()
    assert facts["gap_s"] == 0.4 and facts["gaps_s"] == [0.4, 0.2] and facts["fps"] == 10 and facts["image_px"] == 16


def labelled(key: str, size: int = 2) -> dict:
    """A clip of 12 frames whose state is (i, 10 i, …) at frame i."""
    state = np.arange(12, dtype=np.float32)[:, None] * 10.0 ** np.arange(size, dtype=np.float32)
    return numbered(12, 10) | {"__key__": key, "state.npy": state}


def test_labels_are_the_change_of_the_state_over_the_gap():
    plan = LabelPlan(100, "state.npy", 2)
    for pair in take_pairs(labelled("k"), np.random.default_rng(0), drawing=Drawing((GAP_S,), 4, 0), labels=plan):
        assert pair.label.tolist() == [5.0, 50.0]


def test_few_clips_show_their_labels_and_always_the_same():
    plan = LabelPlan(10, "state.npy", 2)
    shown = [plan.state(labelled(f"clip{i}")) is not None for i in range(1000)]
    assert 60 < sum(shown) < 140 and shown == [plan.state(labelled(f"clip{i}")) is not None for i in range(1000)]
    hidden = next(f"clip{i}" for i in range(1000) if not shown[i])
    pairs = take_pairs(labelled(hidden), np.random.default_rng(0), drawing=Drawing((GAP_S,), 4, 0), labels=plan)
    assert all(pair.label.isnan().all() and pair.label.shape == (2,) for pair in pairs)


def test_another_bodys_clips_have_no_labels_and_a_folder_without_any_is_refused(clips):
    assert LabelPlan(100, "state.npy", 2).state(labelled("k", size=3)) is None
    with pytest.raises(ValueError, match=r"no clip in .* has state\.npy"):
        label_plan(clips, 5, "state.npy")
    with pytest.raises(ValueError, match="choose 0 to 100"):
        label_plan(clips, 101, "state.npy")


def test_several_gaps_share_a_clips_pairs_evenly():
    drawing, seen = Drawing((0.2, 0.5, 0.7), 7, 0), Counter()
    for seed in range(30):
        pairs = take_pairs(numbered(12, 10), np.random.default_rng(seed), drawing=drawing, labels=NO_LABELS)
        counts = Counter(round(float(pair.gap_s), 2) for pair in pairs)
        assert sorted(counts.values()) == [2, 2, 3] and set(counts) == set(drawing.gaps_s)
        assert all(
            int(pair.after[0, 0, 0]) - int(pair.before[0, 0, 0]) == round(10 * float(pair.gap_s)) for pair in pairs
        )
        seen += counts
    assert max(seen.values()) - min(seen.values()) < 20  # the one that is left over is not always of the same gap


def test_moments_with_motion_are_drawn_more_often_and_still_ones_now_and_then():
    clip = numbered(40, 10)
    clip["frames"] = clip["frames"].clone()
    clip["frames"][20:] = 20  # from here on nothing moves
    chances = motion_chances(clip["frames"], 5, 1.0)
    assert chances.sum() == pytest.approx(1) and (chances > 0).all() and chances[:15].sum() > 0.8
    drawing = Drawing((GAP_S,), 4, 1.0)
    drawn = [
        pair
        for seed in range(50)
        for pair in take_pairs(clip, np.random.default_rng(seed), drawing=drawing, labels=NO_LABELS)
    ]
    share = np.mean([bool((pair.before != pair.after).any()) for pair in drawn])
    assert 0.85 < share <= 1


def test_a_mixture_holds_each_folders_share_and_goes_on_at_any_batch(clips, tmp_path):
    other = shutil.copytree(clips, tmp_path / "other")
    for path in other.glob("*.tar"):  # the same clips by other names
        rows = [row | {"__key__": f"other-{row['__key__']}"} for row in read_shard(path)]
        write_shard(path, rows)
    mixed = data(clips, mixture={"people": {"clips": other, "weight": 1 / 3}})
    assert mixed.facts()["mixture"] == {"clips": 6, "people": 2}
    whole = [row.key for row in itertools.islice(mixed.stream("train"), 40)]
    assert Counter(key.startswith("other-") for key in whole[:8]) == {False: 6, True: 2}
    assert [row.key for row in itertools.islice(mixed.stream("train", start_batch=3), 16)] == whole[24:]


def test_a_mixture_of_picture_sizes_is_refused(clips, tmp_path):
    other = shutil.copytree(clips, tmp_path / "other")
    manifest = json.loads((other / "manifest.json").read_text()) | {"image_px": 32}
    (other / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match="one picture size: image_px is 32 in people, 16 in clips"):
        data(clips, mixture={"people": {"clips": other, "weight": 1}})
