"""source=frames: images numbered anyhow become films in their true time; what is broken is named."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from source_toys import film, read_all, source, step_of

from lapa.config import compose
from lapa.stage import read_manifest
from video_data.build import main
from video_data.header import UnusableVideo
from video_data.sources.frames import natural

RATE = "source.images_per_s=20"


def write(folder, names, pictures) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in zip(names, pictures, strict=True):
        Image.fromarray(picture).save(folder / name, **({"quality": 95} if name.endswith("jpg") else {}))


def test_natural_order_any_extension_and_rate(tmp_path):
    kinds = ["jpg", "png", "PNG", "webp", "bmp", "tiff"]
    write(tmp_path / "push_the_block", [f"f{i}.{kinds[i % 6]}" for i in range(40)], film(40))
    clips, faults = read_all(source("frames", tmp_path, RATE))
    assert not faults and [len(clip.frames) for clip in clips] == [20] and clips[0].text == "push the block"
    assert [step_of(clips[0], i) for i in range(20)] == pytest.approx([2 * i for i in range(20)], abs=1)


@pytest.mark.parametrize("number", [lambda i: 7 + i, lambda i: 10 * i, lambda i: 1403636579763555584 + i * 50_000_000])
def test_the_number_tells_the_time_whatever_it_counts(tmp_path, number):
    write(
        tmp_path / "a",
        [f"cam0_{number(i)}.png" for i in range(20) if i not in (6, 7)],
        film(20)[[*range(6), *range(8, 20)]],
    )
    clips, faults = read_all(source("frames", tmp_path, RATE))
    shown = [step_of(clips[0], i) for i in range(10)]
    assert not faults and shown == [0, 2, 4, 5, 8, 10, 12, 14, 16, 18]  # 6 is gone, 5 is the nearest


def test_long_gaps_cut_and_a_single_image_between_two_is_told(tmp_path):
    numbers = [*range(20), 100, *range(200, 230)]
    write(tmp_path / "a", [f"{n:05d}.png" for n in numbers], film(51))
    clips, faults = read_all(source("frames", tmp_path, RATE))
    assert [clip.start_s for clip in clips] == [0, 10] and [len(clip.frames) for clip in clips] == [10, 15]
    assert len({clip.key for clip in clips}) == 2 and faults == {"a , 5.0 s": "is a single picture between two cuts"}


def test_mixed_sizes_turned_and_coloured_otherwise_are_squares(tmp_path):
    pictures = film(6)
    write(tmp_path / "a", [f"{i}.png" for i in range(6)], pictures)
    Image.fromarray(pictures[1]).resize((480, 100)).save(tmp_path / "a" / "1.png")
    Image.fromarray(pictures[2]).convert("L").save(tmp_path / "a" / "2.png")
    Image.fromarray(pictures[3]).convert("RGBA").save(tmp_path / "a" / "3.png")
    Image.fromarray(pictures[4]).convert("P").save(tmp_path / "a" / "4.png")
    clips, faults = read_all(source("frames", tmp_path, "source.images_per_s=10"))
    assert not faults and clips[0].frames.shape == (6, 3, 16, 16)
    assert [step_of(clips[0], i) for i in range(6)] == pytest.approx(range(6), abs=1)


def test_images_in_the_folder_itself_have_words_of_their_own(tmp_path):
    write(tmp_path / "lift_the_cup", [f"{i}.png" for i in range(6)], film(6))
    clips, _ = read_all(source("frames", tmp_path / "lift_the_cup", "source.images_per_s=10"))
    (tmp_path / "lift_the_cup" / "words.txt").write_text("lift a cup")
    told, _ = read_all(source("frames", tmp_path / "lift_the_cup", "source.images_per_s=10"))
    assert [clips[0].text, told[0].text] == ["", "lift a cup"] and clips[0].source == "./images"


def test_a_folders_name_may_hold_dots(tmp_path):
    """take.1 and take.2 both had the words of take.txt."""
    for name in ("take.1", "take.2", "2023.05.01_lift_the_cup"):
        write(tmp_path / name, [f"{i}.png" for i in range(6)], film(6))
    for name, words in (("take", "of nobody"), ("take.1", "push"), ("take.2", "pull")):
        (tmp_path / f"{name}.txt").write_text(words)
    clips, _ = read_all(source("frames", tmp_path, "source.images_per_s=10"))
    assert {clip.source: clip.text for clip in clips} == {
        "take.1": "push", "take.2": "pull", "2023.05.01_lift_the_cup": "lift the cup",
    }  # fmt: skip


def test_thousands_of_images_are_read_as_they_are_needed(tmp_path):
    write(tmp_path / "long", ["0.png"], film(1))
    for i in range(1, 3000):
        (tmp_path / "long" / f"{i}.png").hardlink_to(tmp_path / "long" / "0.png")
    clips, faults = read_all(source("frames", tmp_path, "source.images_per_s=300"))
    assert not faults and sum(len(clip.frames) for clip in clips) == 100 and len(clips) == 5


def broken(folder, kind: str) -> None:
    path = folder / "3.png"
    if kind == "cut":
        path.write_bytes(path.read_bytes()[:60])
    elif kind == "depth":
        Image.fromarray(np.zeros((8, 8), np.uint16)).save(path)
    elif kind == "twice":
        shutil.copy(path, folder / "3.jpg")
    elif kind == "text":
        path.write_text("not a picture")


FAULTS = {
    "cut": r"unreadable picture 3\.png",
    "text": r"unreadable picture 3\.png",
    "depth": "no colour picture of 8 bits but I;16",
    "twice": r"two images of number 3, 3\.jpg and 3\.png",
}


@pytest.mark.parametrize("kind, words", FAULTS.items())
def test_a_broken_image_costs_its_folder_and_no_other(tmp_path, kind, words):
    for name in ("good", "bad"):
        write(tmp_path / name, [f"{i}.png" for i in range(10)], film(10))
    broken(tmp_path / "bad", kind)
    made = source("frames", tmp_path, "source.images_per_s=10")
    clips, faults = read_all(made)
    assert {clip.source for clip in clips} == {"good"} and list(faults) == ["bad"]
    with pytest.raises(UnusableVideo, match=words):
        list(made.read(made.items()[0]))


def test_the_door_takes_it_and_no_images_is_told(tmp_path):
    write(tmp_path / "v" / "a", [f"{i}.png" for i in range(30)], film(30))
    settings = ["source=frames", f"videos={tmp_path / 'v'}", "image_px=16", "num_workers=0"]
    main(compose("build", [*settings, "source.images_per_s=10", f"out={tmp_path / 'out'}"]))
    assert read_manifest(tmp_path / "out")["frames"] == 30
    with pytest.raises(ValueError, match=r"still needs a value for: source\.images_per_s"):
        compose("build", [*settings, "out=x"])
    with pytest.raises(ValueError, match="no images in"):
        source("frames", tmp_path / "out", RATE).items()
    with pytest.raises(ValueError, match="no source.cutting.fit='stretch'; there are crop, pad"):
        source("frames", tmp_path, RATE, "source.cutting.fit=stretch")


def test_a_folder_called_images_is_another_film_than_the_images_beside_it(tmp_path):
    for place in (tmp_path, tmp_path / "images"):
        write(place, [f"{i}.png" for i in range(6)], film(6))
    clips, faults = read_all(source("frames", tmp_path, "source.images_per_s=10"))
    assert not faults and len({clip.key for clip in clips}) == 2 == len({clip.source for clip in clips})


def test_names_that_differ_in_case_alone_have_one_order():
    names = [Path(name) for name in ("b_2.png", "A.png", "a.png", "B_10.png", "a.PNG")]
    wanted = ["A.png", "a.PNG", "a.png", "b_2.png", "B_10.png"]
    assert [path.name for path in sorted(names, key=natural)] == wanted
    names.reverse()
    assert [path.name for path in sorted(names, key=natural)] == wanted
