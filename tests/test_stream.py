"""lapa.stream: each clip once an epoch; the same order for the same seed, whoever reads; any batch can be the first."""

import itertools
import zlib
from collections import Counter
from hashlib import sha256
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, default_collate

from lapa import readers, stream
from lapa.shards import write_shard
from lapa.stream import ClipStream, Plan, Records, share_of, split_indices
from lapa.video import encode_mp4

CLIPS, PER_CLIP, BATCH = 12, 2, 4
FRAMES_BYTES = 2 * 3 * 16 * 16
MP4 = encode_mp4(torch.zeros(2, 3, 16, 16, dtype=torch.uint8), fps=10)


class Inner(NamedTuple):
    key: str
    images: dict


class Outer(NamedTuple):
    step: Inner
    change: int


def take(sample, rng):
    return [f"{sample['__key__']}:{rng.integers(1000)}:{i}" for i in range(PER_CLIP)]


@pytest.fixture
def folder(tmp_path):
    for shard in range(2):
        rows = [{"__key__": f"s{shard}_{i}", "mp4": MP4, "json": {}} for i in range(CLIPS // 2)]
        write_shard(tmp_path / f"clips-{shard:06d}.tar", rows)
    return tmp_path


def stream_of(folder, *, start=0, seed=0, rank=0, world=1):
    plan = Plan(PER_CLIP, 3, BATCH, seed, rank, world)
    return ClipStream(folder=folder, take=take, split="all", val_percent=0, plan=plan, start_batch=start)


def batches(folder, count, *, workers=0, **where):
    records = Records(stream_of(folder, **where), num_workers=workers)
    return list(itertools.islice(DataLoader(records, batch_size=BATCH), count))


def test_an_epoch_holds_each_clip_equally_and_the_next_differs(folder):
    per_epoch = CLIPS * PER_CLIP // BATCH
    seen = batches(folder, 2 * per_epoch)
    keys = [row.split(":")[0] for batch in seen for row in batch]
    first, second = keys[: CLIPS * PER_CLIP], keys[CLIPS * PER_CLIP :]
    assert set(Counter(first).values()) == {PER_CLIP} == set(Counter(second).values()) and first != second


def test_seed_decides(folder):
    assert batches(folder, 5) == batches(folder, 5) != batches(folder, 5, seed=1)


@pytest.mark.parametrize("workers", [0, 1, 2, 3, 5])
def test_any_number_of_processes_reads_the_same_from_any_batch_on(folder, workers, monkeypatch):
    """Over several epochs, with parts that do not divide a block, for one rank and for the second of two."""
    monkeypatch.setattr(readers, "CLIPS_AT_ONCE", 2)
    for world in (1, 2):
        where = {"rank": world - 1, "world": world}
        whole = batches(folder, 16, **where)
        for start in (0, 1, 7) if world == 1 else (4,):
            assert batches(folder, 16 - start, start=start, workers=workers, **where) == whole[start:]


def test_the_order_is_its_plain_definition(folder):
    """Permutations of (seed, epoch), dealt out to ranks, block by block; a block shuffled by its first clip."""
    clips, rng = range(CLIPS), np.random.default_rng
    dealt = [(epoch, clip) for epoch in range(4) for clip in rng((0, epoch)).permutation(clips).tolist()]
    stream, plain = stream_of(folder, rank=1, world=2), []
    for epoch, pairs in itertools.groupby(dealt[1::2], lambda pair: pair[0]):
        mine = [clip for _, clip in pairs]
        for block in (mine[start : start + 3] for start in range(0, len(mine), 3)):
            records = [record for clip in block for record in stream.records(clip, epoch)]
            plain += [records[i] for i in rng((0, epoch, block[0])).permutation(len(records))]
    assert list(itertools.islice(stream, len(plain))) == plain and len(plain) == 4 * CLIPS * PER_CLIP // 2


def test_another_loaders_processes_are_refused(folder):
    """Each would give every record."""
    with pytest.raises(ValueError, match="num_workers of lapa's loader"):
        next(iter(DataLoader(stream_of(folder), batch_size=BATCH, num_workers=1)))


def test_what_was_put_together_comes_apart():
    pairs = [Outer(Inner(f"k{i}", {"front": torch.full((2, 0), i), "wrist": torch.tensor([i])}), i) for i in range(3)]
    again = readers.apart(default_collate(pairs))
    assert [type(pair) for pair in again] == [Outer] * 3
    for one, other in zip(pairs, again, strict=True):
        torch.testing.assert_close(one.step.images, other.step.images, rtol=0, atol=0)
        assert (one.step.key, one.change) == (other.step.key, other.change)


@pytest.mark.parametrize(("kept_bytes", "decoded"), [(0, 48), (3 * FRAMES_BYTES, 39), (2**20, 12)])
def test_kept_frames_change_nothing_but_how_often_a_clip_is_decoded(folder, monkeypatch, kept_bytes, decoded):
    """Twelve clips, four times each."""
    count, asked, decode = 4 * CLIPS * PER_CLIP // BATCH, [], stream.decode_mp4
    plain = batches(folder, count)
    monkeypatch.setattr(stream, "decode_mp4", lambda data: asked.append(data) or decode(data))
    monkeypatch.setattr(stream, "KEPT_BYTES", kept_bytes)
    assert batches(folder, count) == plain
    assert len(asked) == decoded


def test_ranks_share_the_clips(folder):
    keys = [{row.split(":")[0] for b in batches(folder, 3, rank=rank, world=2) for row in b} for rank in (0, 1)]
    assert not keys[0] & keys[1] and len(keys[0] | keys[1]) == CLIPS


@pytest.mark.parametrize("world", [5, 7, 12])
def test_no_clip_is_lost_or_doubled_where_numbers_do_not_divide(folder, world):
    """What all ranks read of `world` epochs is every clip so many times; with processes as well, from any batch on."""
    streams = [stream_of(folder, rank=rank, world=world) for rank in range(world)]
    rows = [list(itertools.islice(stream, CLIPS * PER_CLIP)) for stream in streams]
    counts = Counter(row.split(":")[0] for part in rows for row in part)
    assert len(counts) == CLIPS and set(counts.values()) == {world * PER_CLIP}
    for start in range(1, 5):
        last = stream_of(folder, rank=world - 1, world=world, start=start)
        for workers in (0, 2) if start == 3 else (0,):
            rest = list(itertools.islice(last.read(num_workers=workers), BATCH))
            assert rest == rows[-1][start * BATCH : (start + 1) * BATCH]


def test_one_process_goes_on_where_two_ranks_stopped(folder):
    """At the end of a block: nothing of the epoch is seen twice, nothing is left out."""
    clips_per_block, per_epoch = 3, CLIPS * PER_CLIP
    steps = clips_per_block * PER_CLIP // 2  # batches of 2 on each rank, then of 4 on one
    plans = [
        Plan(PER_CLIP, clips_per_block, size, 0, rank, world) for size, rank, world in ((2, 0, 2), (2, 1, 2), (4, 0, 1))
    ]
    streams = [
        ClipStream(folder=folder, take=take, split="all", val_percent=0, plan=plan, start_batch=start)
        for plan, start in zip(plans, (0, 0, steps), strict=True)
    ]
    counts = (2 * steps, 2 * steps, per_epoch - 4 * steps)
    seen = [row for stream, count in zip(streams, counts, strict=True) for row in itertools.islice(stream, count)]
    plan = plans[0]._replace(world=1)
    whole = ClipStream(folder=folder, take=take, split="all", val_percent=0, plan=plan, start_batch=0)
    assert Counter(seen) == Counter(itertools.islice(whole, per_epoch)) and len(seen) == per_epoch


def test_splits_are_disjoint_and_stable():
    keys = [f"k{i}" for i in range(200)]
    val, train = (split_indices(keys, split=split, val_percent=10).tolist() for split in ("val", "train"))
    assert sorted(val + train) == list(range(200)) and 5 < len(val) < 40
    assert split_indices(keys[:50], split="val", val_percent=10).tolist() == [i for i in val if i < 50]
    with pytest.raises(ValueError, match="train, val, all"):
        split_indices(keys, split="test", val_percent=10)


def test_splits_shares_and_order_are_the_plain_definitions():
    """As they would be with lists; keys come twice, as those of two folders' shards may, and fall at a share's edge."""
    keys = [f"video{i % 150}@{i % 3}" for i in range(400)]
    sides = {"all": range(101), "val": range(10), "train": range(10, 101)}
    for split, side in sides.items():
        clips = split_indices(keys, split=split, val_percent=10)
        plain = [i for i, key in enumerate(keys) if zlib.crc32(key.partition("@")[0].encode()) % 100 in side]
        assert clips.tolist() == plain and clips.itemsize == 4
        by_hash = sorted(plain, key=lambda i: sha256(keys[i].encode()).digest())
        for percent in (0.1, 1, 20, 33, 50.4, 99, 100):
            share = share_of(clips, keys, percent=percent)
            assert share.tolist() == sorted(by_hash[: max(1, round(len(plain) * percent / 100))])
        order, plain_order = (np.random.default_rng((0, 1)).permutation(part) for part in (clips, plain))
        assert order.tolist() == plain_order.tolist() and order.itemsize == 4
    assert share_of(clips[:0], keys, percent=20).tolist() == []
