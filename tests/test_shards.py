"""lapa.shards: what goes in comes out, the same bytes each time, never half a file, never two samples under one key."""

import errno
import gc
import tracemalloc

import numpy as np
import pytest
import webdataset as wds

from lapa import files, shards
from lapa.shards import ShardIndex, check_key, read_shard, shard_paths, write_shard


def samples(count: int = 3) -> list[dict]:
    return [
        {"__key__": f"clip_{i}", "mp4": bytes([i] * 5), "json": {"i": i}, "state.npy": np.full((2, 3), i, np.float32)}
        for i in range(count)
    ]


def test_round_trip_and_random_access(tmp_path):
    path = tmp_path / "clips-000000.tar"
    assert write_shard(path, samples()) == 3
    assert [s["json"] for s in read_shard(path)] == [{"i": 0}, {"i": 1}, {"i": 2}]
    second = ShardIndex([path])[1]
    assert second["__key__"] == "clip_1" and second["mp4"] == b"\1" * 5 and second["state.npy"][0, 0] == 1


def varied(number: int) -> list[dict]:
    """Samples of several layouts, files of no and of many blocks, names longer than a tar's header has room for."""
    rows: list[dict] = [{"__key__": f"{number}_{i}", "mp4": bytes([i]) * i * 200, "json": {"i": i}} for i in range(9)]
    rows[2]["state.npy"] = np.arange(7.0)
    rows[4] = {"__key__": "long" * 40 + str(number), "front.mp4": b"x" * 512, "wrist.mp4": b"", "json": {"i": 4}}
    return rows


def test_the_index_reads_what_webdataset_reads(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "GROUP", 4)
    for number in (0, 1, 3):
        write_shard(tmp_path / f"{number}.tar", varied(number))
    write_shard(tmp_path / "2.tar", [])
    index, plain = ShardIndex(shard_paths(tmp_path)), varied(0) + varied(1) + varied(3)
    assert list(index.keys) == index.keys[:] == [row["__key__"] for row in plain]
    theirs = [row for path in index.paths for row in wds.WebDataset(str(path), shardshuffle=False, empty_check=False)]
    for i, row in enumerate(plain):
        files = {name: shards._encode(name, value) for name, value in row.items()}
        assert {name: theirs[i][name] for name in files} == files
        assert {name: shards._encode(name, value) for name, value in index[i].items()} == files
    assert index[-1]["__key__"] == index.keys[-1] and index.keys.index("1_3") == 12
    with pytest.raises(IndexError):
        index[27]


def test_the_index_of_many_samples_is_small(tmp_path):
    """Its own arrays, so that processes that fork share it, however many samples there are."""
    write_shard(tmp_path / "a.tar", ({"__key__": f"k{i:09}", "mp4": b"", "json": {}} for i in range(2000)))
    tracemalloc.start()
    index = ShardIndex([tmp_path / "a.tar"])
    gc.collect()  # what the tar's reader leaves
    each = tracemalloc.get_traced_memory()[0] / len(index)
    tracemalloc.stop()
    assert each < 2 * (10 + 4 + 10)  # an array that grows has room to spare, and there is a fixed part


def test_webdataset_reads_our_shards(tmp_path):
    write_shard(tmp_path / "a.tar", samples())
    read = list(wds.WebDataset(str(tmp_path / "a.tar"), shardshuffle=False))
    assert [s["__key__"] for s in read] == ["clip_0", "clip_1", "clip_2"] and read[2]["mp4"] == b"\2" * 5


def test_same_samples_same_bytes(tmp_path):
    for name in ("a.tar", "b.tar"):
        write_shard(tmp_path / name, samples())
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


@pytest.mark.parametrize("key", ["a.b", "a/b", "", "a b", "../a"])
def test_bad_keys_are_refused(key):
    with pytest.raises(ValueError, match="key"):
        check_key(key)


def test_one_key_twice_is_refused_and_leaves_no_file(tmp_path):
    with pytest.raises(ValueError, match="twice"):
        write_shard(tmp_path / "a.tar", samples(1) * 2)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_names_the_folder_and_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.tar"
    write_shard(path, samples(1))
    before = path.read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match=r"cannot write a\.tar: No space left") as error:
        write_shard(path, samples(3))
    assert str(tmp_path) in str(error.value) and path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_no_shards_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no shards"):
        shard_paths(tmp_path)
