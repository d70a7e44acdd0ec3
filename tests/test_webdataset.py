"""source=webdataset: shards on disk and by http; a server's faults are tried again, then quarantined, never fatal."""

import errno
import io
import re
import tarfile

import pytest
from bad_servers import answer, changing, drip, in_turn, refuse, reset, serving, stall
from raw_videos import cut_short, steady, write_video
from source_toys import built, read_all, source

from lapa.config import compose
from lapa.shards import read_shard, shard_paths
from lapa.stage import read_manifest
from video_data.build import main

QUICK = ("source.wait_s=0", "source.attempts=3", "source.stall_s=0.5")


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> bytes:
    return write_video(tmp_path_factory.mktemp("video") / "a.mp4", times_ms=steady(60)).read_bytes()


def tar_of(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def shard(video: bytes, samples: int = 2) -> bytes:
    texts = {f"x/{i:03d}.txt": f"do  task {i}".encode() for i in range(samples)}
    return tar_of({name: data for i, (key, text) in enumerate(texts.items()) for name, data in
                   ((f"x/{i:03d}.mp4", video), (key, text))})  # fmt: skip


@pytest.fixture
def server():
    with serving() as made:
        yield made


def test_videos_and_words_of_a_folder(tmp_path, video):
    members = {
        "push_the_cup.mp4": video, "b.webm": b"", "c.mp4": video, "c.json": b'{"caption": "lift", "embodiment": "hand"}',
        "d.jpg": b"x", "e.mp4": video, "e.json": b"{", "../../f.mp4": video, "../../f.txt": b"outside", "g.cam.mp4": video,
    }  # fmt: skip
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "0.tar").write_bytes(tar_of(members))
    clips, faults = read_all(source("webdataset", tmp_path))
    found = {clip.source: (clip.text, clip.embodiment, len(clip.frames)) for clip in clips}
    assert found == {
        "sub/0.tar/push_the_cup": ("push the cup", "", 20), "sub/0.tar/c": ("lift", "hand", 20),
        "sub/0.tar/../../f": ("outside", "", 20), "sub/0.tar/g": ("", "", 20),
    }  # fmt: skip
    assert faults == {
        "sub/0.tar/b": "is empty (0 bytes)", "sub/0.tar/d": "has no video; it holds .jpg",
        "sub/0.tar/e": faults["sub/0.tar/e"]}  # fmt: skip
    assert faults["sub/0.tar/e"].startswith("has unreadable words: not JSON") and not (tmp_path / "f.mp4").exists()


def test_every_video_of_a_sample_and_what_a_tar_holds_besides(tmp_path, video):
    """Several cameras of one sample; folders, links, holes, macOS's files, one name twice."""
    buffer = io.BytesIO(tar_of({"x/a.front.mp4": video, "x/a.wrist.MP4": video, "x/a.txt": b"lift", "x/._a.mp4": b"mac",
                                "x/b.mp4": video, "x/a.mp4": video, "y/c.mp4": video, "y/c.MP4": video}))  # fmt: skip
    with tarfile.open(fileobj=buffer, mode="a") as tar:
        for name, kind in (("x", tarfile.DIRTYPE), ("z/d.mp4", tarfile.SYMTYPE), ("z/e.mp4", tarfile.GNUTYPE_SPARSE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "x/b.mp4"
            tar.addfile(info)
    (tmp_path / "0.tar").write_bytes(buffer.getvalue())
    clips, faults = read_all(source("webdataset", tmp_path))
    assert [clip.source for clip in clips] == ["0.tar/x/a"] * 2 + ["0.tar/x/b"] and len(
        {clip.key for clip in clips}
    ) == 3
    assert [clip.text for clip in clips] == ["lift", "lift", ""]
    words = {"0.tar/x/a": "twice", "0.tar/y/c": "two files of one name", "0.tar/z/d": "a link", "0.tar/z/e": "holes"}
    assert faults.keys() == words.keys() and all(words[name] in faults[name] for name in words)


def test_what_lies_before_the_damage_is_kept(tmp_path, video):
    (tmp_path / "whole.tar").write_bytes(shard(video, 3))
    cut_short(tmp_path / "whole.tar", tmp_path / "cut.tar", share=0.5)
    data = bytearray((tmp_path / "whole.tar").read_bytes())
    at = data.index(b"x/001.txt")
    data[at : at + 200] = bytes(range(200))
    (tmp_path / "flipped.tar").write_bytes(data)
    (tmp_path / "none.tar").write_bytes(b"no tar" * 1000)
    clips, faults = read_all(source("webdataset", tmp_path))
    kept = [sum(clip.source.startswith(name) for clip in clips) for name in ("whole", "cut", "flipped", "none")]
    assert kept == [3, 1, 2, 0] and set(faults) == {"cut.tar", "flipped.tar after x/001", "none.tar"}


def test_the_door_keeps_what_lies_before_the_damage(tmp_path, video):
    (tmp_path / "whole").write_bytes(shard(video, 3))
    (tmp_path / "v").mkdir()
    cut_short(tmp_path / "whole", tmp_path / "v" / "cut.tar", share=0.5)
    manifest = built("webdataset", tmp_path / "v", tmp_path / "out", "image_px=16")
    assert manifest["count"] == manifest["quarantined"] == 1


def test_addresses_that_differ_in_what_is_asked_with_are_different_shards(video, server):
    server.pages |= {f"/get?file={name}": answer(shard(video, 1)) for name in "ab"}
    addresses = "::".join(f"{server.address}/get?file={name}" for name in "ab")
    clips, faults = read_all(source("webdataset", addresses, *QUICK))
    assert not faults and len({clip.key for clip in clips}) == len({clip.source for clip in clips}) == 2


def test_shards_by_http_give_what_they_give_on_disk(tmp_path, video, server):
    for number in range(2):
        (tmp_path / f"s-{number:02d}.tar").write_bytes(shard(video))
        server.pages[f"/s-{number:02d}.tar?key=secret"] = answer(shard(video))
    near, _ = read_all(source("webdataset", tmp_path))
    far, faults = read_all(source("webdataset", server.address + "/s-{00..01}.tar?key=secret", *QUICK))
    assert not faults and len(near) == len(far) == 4 and "secret" not in str([clip.source for clip in far])
    for one, other in zip(near, far, strict=True):
        assert (one.frames == other.frames).all() and one.text == other.text and one.key != other.key


FAILING = {
    "500": (refuse(500), "500"),
    "404": (refuse(404), "404"),
    "half a body": (answer(b"x" * 4000, share=0.5), "not enough data"),
    "half a body, no length": (answer(b"x" * 4000, share=0.5, length=False), "its end is missing"),
    "nothing at all": (answer(b"", length=False), "its end is missing"),
    "silence": (stall, "timeout"),
    "a reset": (reset, "not enough data|reset"),
    "drops": (drip, "timeout"),
    "another version each time": (changing(), "changed while it was loaded .etag"),
}


@pytest.mark.parametrize("kind", FAILING)
def test_a_server_that_fails_once_is_asked_again_and_one_that_fails_is_quarantined(kind, video, server):
    fault, words = FAILING[kind]
    whole = answer(shard(video))
    server.pages |= {"/once.tar": in_turn(fault, whole), "/always.tar": fault, "/good.tar": whole}
    addresses = "::".join(f"{server.address}/{name}.tar" for name in ("once", "always", "good"))
    clips, faults = read_all(source("webdataset", addresses, *QUICK))
    assert [clip.source.rpartition("/x/")[0][-8:] for clip in clips] == ["once.tar"] * 2 + ["good.tar"] * 2
    (reason,) = faults.values()
    assert reason.startswith("cannot be loaded in 3 attempts") and re.search(words, reason.lower())
    gets = [path for command, path in server.asked if command == "GET"]
    assert gets.count("/always.tar") >= 3 and gets.count("/good.tar") == 1


def test_the_door_goes_on_past_a_bad_server_and_counts_it(tmp_path, video, server):
    server.pages |= {"/a.tar": answer(shard(video)), "/b.tar": refuse(500)}
    settings = ["source=webdataset", f"out={tmp_path / 'out'}", "image_px=16", "num_workers=0", "videos_per_shard=1"]
    main(compose("build", [*settings, f"videos='{server.address}/{{a,b}}.tar'", "filters.max_twin_bits=-1", *QUICK]))
    manifest = read_manifest(tmp_path / "out")
    assert manifest["count"] == 2 and manifest["quarantined"] == 1 and manifest["videos"] == 2
    assert len(list(read_shard(shard_paths(tmp_path / "out")[0]))) == 2


@pytest.mark.parametrize(
    "far, place", [(True, "fsspec.implementations.local.LocalFileSystem.get_file"), (False, "shutil.copyfileobj")]
)
def test_a_full_disk_is_nobodys_fault_but_ours(tmp_path, video, monkeypatch, far, place):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "a.tar").write_bytes(shard(video))
    made = source("webdataset", f"file://{tmp_path}/a.tar" if far else tmp_path, *QUICK)
    assert len(list(made.read(made.items()[0]))) == 2
    monkeypatch.setattr(place, full)
    with pytest.raises(OSError, match="No space left"):
        list(made.read(made.items()[0]))


def test_any_store_of_fsspec(video):
    import fsspec

    with fsspec.open("memory://bucket/a.tar", "wb") as file:
        file.write(shard(video))
    clips, faults = read_all(source("webdataset", "memory://bucket/{a,b}.tar", *QUICK))
    assert (
        len(clips) == 2
        and list(faults) == ["memory://bucket/b.tar"]
        and "FileNotFound" in faults["memory://bucket/b.tar"]
    )


def test_s3_by_a_server_that_speaks_its_language(video, server, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    server.pages["/bucket/a.tar"] = answer(shard(video))
    place = server.address.removeprefix("http://")
    clips, faults = read_all(
        source("webdataset", f"s3://bucket/a.tar?scheme=http&endpoint_override={place}&region=x", *QUICK)
    )
    assert not faults and [clip.source for clip in clips] == ["s3://bucket/a.tar/x/000", "s3://bucket/a.tar/x/001"]


def test_mistakes_are_named(tmp_path):
    for videos, words in ((tmp_path, "no shards"), (tmp_path / "a-{0..1}.tar", r"no shard .*a-0\.tar")):
        with pytest.raises(ValueError, match=words):
            source("webdataset", videos).items()
    made = source("webdataset", "nonsense://a.tar")
    with pytest.raises(ValueError, match=r"nonsense://a\.tar cannot be asked for"):
        list(made.read(made.items()[0]))
