"""video_data.sources.simulated: episodes of any simulator become clips without actions."""

import numpy as np
import pytest

from lapa.config import compose
from lapa.shards import read_shard, shard_paths
from lapa.stage import read_manifest
from video_data.build import main
from video_data.sources.simulated import SimulatedSource


class Episodes:
    """A square that moves; episode 3 fails."""

    def __init__(self, *, count: int):
        self.count = count

    def items(self):
        return [(0, seed) for seed in range(self.count)]

    def contents(self):
        return "squares"

    def watch(self, item):
        if item[1] == 3:
            raise ValueError("task square with seed 3 was not completed")
        frames = np.full((24, 32, 32, 3), 40, dtype=np.uint8)
        for number, frame in enumerate(frames):
            frame[10:16, number : number + 6] = 200
        return frames, "move the square", np.arange(48, dtype=np.float32).reshape(24, 2)


def build(out, count: int) -> None:
    cfg = compose("build", ["source=simulated", f"out={out}", "image_px=32", "max_clip_s=1.2", "num_workers=0"])
    cfg.filters.max_twin_bits = -1  # all episodes show one thing
    cfg.source.episodes = {"_target_": "test_simulated.Episodes", "count": count}
    main(cfg)


def test_episodes_become_clips_with_motion_and_without_actions(tmp_path):
    build(tmp_path / "clips", 5)
    clips = [clip for path in shard_paths(tmp_path / "clips") for clip in read_shard(path)]
    assert len(clips) == 8 and read_manifest(tmp_path / "clips")["embodiments"] == {"hand": 8}
    for clip in clips:
        assert set(clip) == {"__key__", "mp4", "json", "motion.npy"} and clip["json"]["text"] == "move the square"
        assert clip["motion.npy"][0, 0] == 2 * 10 * clip["json"]["start_s"] and len(clip["motion.npy"]) == 12
    line = (tmp_path / "clips" / "quarantine.jsonl").read_text()
    assert line.count("\n") == 1 and "simulated/(0, 3)" not in line and "(0, 3)" in line and "not completed" in line


def test_no_episode_is_an_error():
    with pytest.raises(ValueError, match="no simulated episodes"):
        SimulatedSource(episodes=Episodes(count=0), embodiment="hand", fps=10, max_clip_s=6).items()
