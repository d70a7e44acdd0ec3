"""source=rlds: TFRecords written here as TFDS writes them come back; checksums, lengths and descriptions are held to."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from source_toys import film, read_all, source, step_of

from video_data.header import UnusableVideo

pytest.importorskip("google_crc32c")
pytest.importorskip("google.protobuf")
from video_data.sources.tfrecord import HEAD, TAIL, example_class, masked_crc, parse_example, read_record, spans

HZ = "source.control_hz=5"


def encoded(picture: np.ndarray, kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, kind, quality=95)
    return buffer.getvalue()


def example(**features) -> bytes:
    """A tf.train.Example; "__" in a name stands for "/"."""
    message = example_class()()
    for name, values in features.items():
        feature = message.features.feature[name.replace("__", "/")]
        kind = {bytes: feature.bytes_list, float: feature.float_list}.get(type(values[0]), feature.int64_list)
        kind.value.extend(values)
    return message.SerializeToString()


def framed(data: bytes) -> bytes:
    head = HEAD.pack(len(data), masked_crc(len(data).to_bytes(8, "little")))
    return head + data + TAIL.pack(masked_crc(data))


def episode(number: int, steps: int = 20, words: list[bytes] | None = None, **more) -> bytes:
    pictures = [encoded(picture, "JPEG") for picture in film(steps, base=40 + 40 * number)]
    wrist = [encoded(picture, "PNG") for picture in film(steps, base=40 + 40 * number)]
    state = [float(value) for step in range(steps) for value in (number, step)]
    told = {"steps__language_instruction": words or [f"do task {number}".encode()] * steps}
    return example(**{
        "steps__observation__image_0": pictures, "steps__observation__wrist": wrist, "steps__observation__state": state,
        "steps__action": [1.0] * 7 * steps, "steps__is_first": [1] + [0] * (steps - 1), **told, **more,
    })  # fmt: skip


def picture(size: list[int], dtype: str = "uint8") -> dict:
    return {"image": {"shape": {"dimensions": [str(n) for n in size]}, "dtype": dtype, "encodingFormat": "jpeg"}}


def write(folder: Path, shards: list[list[bytes]], *, lengths: list[int] | None = None) -> Path:
    """A dataset's version folder: an episode a record, descriptions as TFDS writes them."""
    folder.mkdir(parents=True, exist_ok=True)
    seen = {"image_0": picture([32, 48, 3]), "wrist": picture([32, 48, 3]), "depth": picture([32, 48, 1], "uint16")}
    seen["state"] = {"tensor": {"shape": {"dimensions": ["2"]}, "dtype": "float32"}}
    steps = {"featuresDict": {"features": {"observation": {"featuresDict": {"features": seen}}}}}
    tree = {"featuresDict": {"features": {"steps": {"sequence": {"feature": steps}}}}}
    (folder / "features.json").write_text(json.dumps(tree))
    counts = [str(count) for count in lengths or [len(shard) for shard in shards]]
    info = {"name": "toy", "fileFormat": "tfrecord", "splits": [{"name": "train", "shardLengths": counts}]}
    (folder / "dataset_info.json").write_text(json.dumps(info))
    for number, shard in enumerate(shards):
        path = folder / f"toy-train.tfrecord-{number:05d}-of-{len(shards):05d}"
        path.write_bytes(b"".join(framed(record) for record in shard))
    return folder


def test_the_message_and_the_checksum_are_the_published_ones():
    assert parse_example(bytes.fromhex("0a0d0a0b0a016112061a040a020102")) == {"a": [1, 2]}  # by hand from example.proto
    crc = 0x8A9136AA  # RFC 3720, B.4: of 32 bytes of zeros
    assert masked_crc(bytes(32)) == (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
    with pytest.raises(UnusableVideo, match=r"no tf\.train\.Example"):
        parse_example(b"\xff\xff")


def test_tensorboards_writer_is_read(tmp_path):
    writer = pytest.importorskip("tensorboard.summary.writer.record_writer")
    with open(tmp_path / "a", "wb") as file:
        for data in (b"one", b"", b"three" * 1000):
            writer.RecordWriter(file).write(data)
    assert [read_record(tmp_path / "a", span) for span in spans(tmp_path / "a")] == [b"one", b"", b"three" * 1000]


def test_every_episode_by_every_camera(tmp_path):
    folder = write(tmp_path, [[episode(0), episode(1)], [episode(2)]])
    made = source(
        "rlds", folder, HZ, "source.arrays={state: observation/state, action: action}", "source.embodiment=widowx"
    )
    clips, faults = read_all(made)
    assert not faults and len(clips) == 3 * 2 * 2 == len({clip.key for clip in clips})
    for clip in clips:
        number = int(clip.arrays["state"][0, 0])
        shown = [step_of(clip, i, 40 + 40 * number) for i in range(len(clip.frames))]
        assert shown == pytest.approx(clip.arrays["state"][:, 1].tolist(), abs=1)
        assert shown[-1] - shown[0] == pytest.approx(9, abs=1) and len(clip.frames) in (19, 20)
        assert clip.arrays["action"].shape == (len(clip.frames), 7)
        assert clip.text == f"do task {number}" and clip.embodiment == "widowx"
    assert len({clip.key.partition("@")[0] for clip in clips}) == 3
    assert (
        made.contents()
        == source("rlds", write(tmp_path / "copy", [[episode(0), episode(1)], [episode(2)]]), HZ).contents()
    )


def test_words_that_change_cut_and_language_tables_numbers_are_read(tmp_path):
    letters = [number for _ in range(20) for number in [*b"push it", 0, 0, 0]]
    table = episode(1, words=[b""] * 20, steps__observation__instruction=letters)
    folder = write(tmp_path, [[episode(0, words=[b"pick"] * 8 + [b"place"] * 12), table]])
    clips, _ = read_all(source("rlds", folder, HZ, "source.cameras=[wrist]", "source.text=[language_instruction]"))
    assert [(clip.text, clip.start_s) for clip in clips[:2]] == [("pick", 0), ("place", 1.6)]
    clips, _ = read_all(source("rlds", folder, HZ, "source.cameras=[wrist]", "source.text=[observation/instruction]"))
    assert [clip.text for clip in clips] == ["", "", "push it", "push it"]


def test_damage_costs_its_episode_or_the_rest_of_its_file(tmp_path):
    shards = [[episode(i, steps=8) for i in range(3)] for _ in range(5)]
    folder = write(tmp_path, shards, lengths=[3, 3, 3, 3, 4])
    paths = sorted(folder.glob("*.tfrecord*"))
    first = len(framed(shards[0][0]))
    for path, place in ((paths[1], first + 5000), (paths[2], first + 3)):  # in the data of episode 1; in its length
        data = bytearray(path.read_bytes())
        data[place] ^= 1
        path.write_bytes(data)
    paths[3].write_bytes(paths[3].read_bytes()[:-10])
    clips, faults = read_all(source("rlds", folder, HZ, "source.cameras=[image_0]"))
    kept = [sum(path.name in clip.source for clip in clips) for path in paths]
    assert kept == [3, 2, 1, 2, 3]
    assert "checksum" in faults[f"{paths[1].name}, episode 1, camera image_0"]
    assert "the rest cannot be found" in faults[paths[2].name] and "cut off" in faults[paths[3].name]
    assert faults[paths[4].name] == "holds 3 episodes, dataset_info.json says 4" and len(faults) == 4


def test_odd_records_and_pictures_are_told(tmp_path):
    broken = episode(0, steps__observation__image_0=[b"no picture"] * 20)
    short = episode(0, words=[b"one"] * 3)
    infinite = episode(0, steps__observation__state=[float("nan")] * 40)
    folder = write(tmp_path, [[broken, short, infinite, example(steps__reward=[0.0]), b"\xff"]])
    _, faults = read_all(
        source("rlds", folder, HZ, "source.cameras=[image_0]", "source.arrays={state: observation/state}")
    )
    words = ["unreadable picture", "words for 3 of 20", "not finite", "no pictures", "no tf.train.Example"]
    assert len(faults) == 5 and all(word in reason for word, reason in zip(words, faults.values(), strict=True))


def test_mistakes_are_named(tmp_path):
    folder = write(tmp_path / "a", [[episode(0)]])
    with pytest.raises(ValueError, match=r"no camera 'top' in .*\['image_0', 'wrist'\]"):
        source("rlds", folder, HZ, "source.cameras=[top]")
    with pytest.raises(ValueError, match=r"no split 'test'; there are \['train'\]"):
        source("rlds", folder, HZ, "source.split=test").items()
    with pytest.raises(ValueError, match=r"features\.json is missing"):
        source("rlds", tmp_path, HZ)
    (folder / "features.json").write_text("{}")
    with pytest.raises(ValueError, match=r"features\.json describes no RLDS steps"):
        source("rlds", folder, HZ)
