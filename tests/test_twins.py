"""video_data.twins, thin: copies of a clip go wherever they lie, other takes of a scene stay; killed or not, the same bytes."""

import itertools
import json
import time

import numpy as np
import pytest
import torch
from test_filters import film, place

from lapa.config import compose
from lapa.shards import read_shard
from lapa.stage import read_manifest, result_hashes
from lapa.video import decode_mp4, encode_mp4
from video_data import thin
from video_data.build import main
from video_data.clip import Clip, clip_key
from video_data.twins import find_twins, make_print, read_prints

TAKES = 5


def take(number: int) -> torch.Tensor:
    """Another motion in the same place."""
    frames, rng = film([place(0)] * 24), np.random.default_rng(number)
    path = np.cumsum(rng.normal(0, 2, (24, 2)), 0) + rng.uniform(20, 40, 2)
    for frame, (x, y) in zip(frames, path.clip(0, 56).astype(int), strict=True):
        frame[:, y : y + 8, x : x + 8] = 250
    return frames


def copied(frames: torch.Tensor) -> torch.Tensor:
    """Encoded once more, and darker."""
    return decode_mp4(encode_mp4((frames * 0.8).byte(), fps=10))


def bits_apart(one: torch.Tensor, other: torch.Tensor) -> int:
    prints = read_prints(make_print(one) + make_print(other))
    return int(np.bitwise_count(prints[0] ^ prints[1]).sum())


def test_a_copy_has_nearly_the_same_print_and_another_take_has_not():
    assert max(bits_apart(take(n), copied(take(n))) for n in range(TAKES)) <= 10
    assert min(bits_apart(take(a), take(b)) for a, b in itertools.combinations(range(TAKES), 2)) > 20


def test_every_pair_within_reach_is_found_and_the_earliest_stays():
    rng = np.random.default_rng(0)
    prints = rng.integers(0, 2**64, (300, 4), dtype=np.uint64)
    for number in range(60):  # near an earlier one, by 0 to 15 bits anywhere
        flips = rng.choice(256, number % 16, replace=False)
        prints[200 + number] = prints[number]
        for bit in flips:
            prints[200 + number, bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    stays = find_twins(prints, 15)
    wanted = np.arange(300)
    wanted[200:260] = np.arange(60)
    assert (stays == wanted).all()
    assert (find_twins(prints, 3) == np.where((wanted < np.arange(300)) & ((np.arange(300) - 200) % 16 > 3),
                                              np.arange(300), wanted)).all()  # fmt: skip
    assert (find_twins(prints, -1) == np.arange(300)).all()


def test_a_chain_ends_at_the_clip_that_stays():
    chain = np.zeros((4, 4), np.uint64)
    chain[1:, 0] = [0b111, 0b111111, 0b111111111]
    assert find_twins(chain, 3).tolist() == [0, 0, 0, 0]


def test_many_copies_are_not_compared_pair_by_pair():
    started = time.process_time()
    assert not find_twins(np.zeros((200_000, 4), np.uint64), 10).any()
    assert time.process_time() - started < 5


class Source:
    """Takes of one scene; items 4, 5 … are copies of 0, 1 …, several in one shard, all of another."""

    def items(self):
        return [0, 1, 2, 3, 4, 5]

    def contents(self):
        return "takes"

    def read(self, item):
        frames = take(item) if item < 4 else copied(take(item - 4))
        yield Clip(clip_key(str(item), 0), frames, 10.0, "", str(item), f"body {item % 2}", 0.0, {})


def build(out, monkeypatch, *more: str) -> None:
    monkeypatch.setattr("video_data.build.make_source", lambda cfg: Source())
    main(compose("build", [f"out={out}", "videos_per_shard=2", "num_workers=0", *more]))


@pytest.fixture
def built(tmp_path, monkeypatch):
    build(tmp_path / "built", monkeypatch)
    return tmp_path / "built"


def test_copies_leave_their_shards_and_are_told(built):
    manifest = read_manifest(built)
    assert manifest["count"] == 4 and manifest["frames"] == 96 and manifest["dropped"] == {"near-duplicate": 2}
    assert manifest["embodiments"] == {"body 0": 2, "body 1": 2}
    assert [path.name for path in sorted(built.glob("*.tar"))] == ["clips-000000.tar", "clips-000001.tar"]
    rows = [json.loads(line) for line in (built / "dropped.jsonl").read_text().splitlines()]
    assert {row["clip"]: row["like"] for row in rows} == {clip_key(str(n), 0): clip_key(str(n - 4), 0) for n in (4, 5)}


def test_the_clips_that_stay_are_not_touched(built, tmp_path, monkeypatch):
    build(tmp_path / "all", monkeypatch, "filters.max_twin_bits=-1")
    for name in ("clips-000000.tar", "clips-000001.tar"):
        assert (tmp_path / "all" / name).read_bytes() == (built / name).read_bytes()
    assert read_manifest(tmp_path / "all")["count"] == 6


@pytest.mark.parametrize("where", ["keep_examples", "thin", "write_shard", "write_json"])
@pytest.mark.parametrize("after", [False, True])
def test_a_second_pass_that_is_killed_gives_the_same_bytes(built, tmp_path, monkeypatch, where, after):
    def killed(*args, **more):
        if after:
            step(*args, **more)
        raise KeyboardInterrupt

    step, out = getattr(thin, where), tmp_path / "killed"
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(thin, where, killed)
        build(out, monkeypatch)
    assert not (out / "manifest.json").exists()
    build(out, monkeypatch)
    assert result_hashes(out) == result_hashes(built) and read_manifest(out)["files"] == read_manifest(built)["files"]


def test_one_of_two_alike_in_a_shard_goes(tmp_path, monkeypatch):
    class Again(Source):
        def items(self):
            return [0, 4, 1]

    monkeypatch.setattr("video_data.build.make_source", lambda cfg: Again())
    main(compose("build", [f"out={tmp_path / 'clips'}", "videos_per_shard=2", "num_workers=0"]))
    kept = [sample["__key__"] for path in sorted((tmp_path / "clips").glob("*.tar")) for sample in read_shard(path)]
    assert kept == [clip_key(str(item), 0) for item in (0, 1)]


def test_a_difference_that_bands_would_miss_is_refused(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"max_twin_bits=16 must be in \[0, 15\], or -1"):
        build(tmp_path / "clips", monkeypatch, "filters.max_twin_bits=16")


def test_clips_that_have_much_in_common_are_not_compared_pair_by_pair():
    rng = np.random.default_rng(0)
    bits = np.where(rng.random((60_000, 256)) < 0.25, rng.integers(0, 2, (60_000, 256)), rng.integers(0, 2, 256))
    prints = np.packbits(bits.astype(np.uint8), axis=1).view(np.uint64)  # one bit of eight differs from what is usual
    started = time.process_time()
    find_twins(prints, 10)
    assert time.process_time() - started < 10
