"""Several simulated sources as one: every body's clips, in turn, under keys of their own."""

from hydra.utils import instantiate
from small_sim import task_folder

from lapa.config import compose
from video_data.clip import Fault
from video_data.sources.several import Several


def several(folder):
    sizes = [
        "image_px=32",
        *(f"source.sources.{name}.episodes.videos_per_task=2" for name in ("panda", "ur5e", "hand")),
        *(f"source.sources.{name}.episodes.jolts.chance=0" for name in ("panda", "ur5e", "hand")),
    ]
    return instantiate(compose("build", ["source=several", f"tasks={folder}", "out=x", *sizes]).source, _convert_="all")


def test_all_bodies_are_shown_in_turn_under_keys_of_their_own(tmp_path):
    source = several(task_folder(tmp_path / "tasks", "reach"))
    items = source.items()
    assert [name for name, _ in items] == ["panda", "ur5e", "hand"] * 2
    clips = [clip for item in items[:3] for clip in source.read(item)]
    assert len({clip.key for clip in clips}) == len(clips) and not any(
        "." in clip.key or "/" in clip.key for clip in clips
    )
    assert [clip.embodiment for clip in clips] == ["panda", "ur5e", "hand"]
    assert all(clip.key.startswith(clip.embodiment) and "motion" in clip.arrays for clip in clips)


def test_its_contents_are_those_of_the_tasks(tmp_path):
    one, other = (several(task_folder(tmp_path / name, name)).contents() for name in ("reach", "press_button"))
    assert one == several(tmp_path / "reach").contents() != other


def test_a_part_that_cannot_be_used_is_told_with_its_source():
    class Source:
        def read(self, item):
            yield Fault(f"{item}, row 2", "has no time")

    assert list(Several(sources={"cups": Source()}).read(("cups", "a.mp4"))) == [
        Fault("cups/a.mp4, row 2", "has no time")
    ]
