"""lapa.mixture: folders share every batch by weight, none of their records lost or doubled; like lengths share a batch."""

import itertools
from collections import Counter

import pytest
import torch
from torch.utils.data import DataLoader

from lapa import readers
from lapa.mixture import Grouped, Mixture, shares
from lapa.shards import write_shard
from lapa.stream import ClipStream, Plan, Records
from lapa.video import encode_mp4

PER_CLIP, CLIPS, BLOCK = 2, {"a": 12, "b": 8}, 4
COUNTS = {"a": 3, "b": 1}  # of each batch of 4
MP4 = encode_mp4(torch.zeros(2, 3, 16, 16, dtype=torch.uint8), fps=10)


def take(sample, rng):
    return [f"{sample['__key__']}:{i}" + "x" * int(rng.integers(20)) for i in range(PER_CLIP)]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("folders")
    for name, count in CLIPS.items():
        (root / name).mkdir()
        write_shard(
            root / name / "c-000000.tar", [{"__key__": f"{name}{i}", "mp4": MP4, "json": {}} for i in range(count)]
        )
    return root


def stream(folder, batch_size, *, start=0, rank=0, world=1):
    plan = Plan(PER_CLIP, BLOCK, batch_size, 0, rank, world)
    return ClipStream(folder=folder, take=take, split="all", val_percent=0, plan=plan, start_batch=start)


def mixture(folders, **where):
    return Mixture([stream(folders / name, count, **where) for name, count in COUNTS.items()])


def grouped(folders, **where):
    return Grouped(stream(folders / "a", 4, **where), window=3, length=len)


def batches(dataset, count, workers=0):
    return list(itertools.islice(DataLoader(Records(dataset, num_workers=workers), batch_size=4), count))


def keys(rows):
    return [row.split("x")[0] for batch in rows for row in batch]


def test_every_batch_holds_each_folders_share(folders):
    for batch in batches(mixture(folders), 9):
        assert Counter(row[0] for row in batch) == COUNTS


def test_no_record_of_a_folder_is_lost_or_doubled_over_ranks(folders):
    """Two ranks, one epoch of each folder: 12 · 2 records of a in batches of 3, 8 · 2 of b in batches of 1."""
    seen = [key for rank in (0, 1) for key in keys(batches(mixture(folders, rank=rank, world=2), 8))]
    first_b = Counter(key for key in seen if key[0] == "b")
    assert first_b == Counter(f"b{i}:{j}" for i in range(8) for j in range(2))
    seen = [key for rank in (0, 1) for key in keys(batches(mixture(folders, rank=rank, world=2), 4))]
    assert Counter(key for key in seen if key[0] == "a") == Counter(f"a{i}:{j}" for i in range(12) for j in range(2))


@pytest.mark.parametrize("make", [mixture, grouped])
@pytest.mark.parametrize("workers", [0, 1, 2, 3])
@pytest.mark.parametrize("start", [0, 1, 5])
def test_any_number_of_processes_reads_the_same_from_any_batch_on(folders, make, workers, start, monkeypatch):
    monkeypatch.setattr(readers, "CLIPS_AT_ONCE", 3)
    whole = batches(make(folders), 13)
    assert batches(make(folders, start=start), 13 - start, workers) == whole[start:]


def test_grouping_reorders_and_saves_padding(folders):
    plain, alike = batches(stream(folders / "a", 4), 6), batches(grouped(folders), 6)
    assert Counter(itertools.chain(*plain)) == Counter(itertools.chain(*alike)) and plain != alike
    padded = [sum(4 * max(map(len, batch)) for batch in rows) for rows in (plain, alike)]
    assert padded[1] < padded[0]


def test_shares():
    assert shares({"a": 1.0, "b": 0.5}, 64) == {"a": 43, "b": 21}
    assert shares({"a": 3, "b": 1}, 4) == COUNTS
    with pytest.raises(ValueError, match="has no room for b"):
        shares({"a": 100, "b": 1}, 8)
    with pytest.raises(ValueError, match="above 0; those of b are not"):
        shares({"a": 1, "b": 0}, 8)
