"""lapa.shards: what goes in comes out, the same bytes each time, never half a file, never two samples under one key."""

import errno

import numpy as np
import pytest
import webdataset as wds

from lapa import files
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
