"""Bounds: a setting with which nothing could be played is named with its range, and nothing is begun."""

import pytest

from lapa.config import compose
from sim_finetune import collect, propose, rollout, solve

DOORS = {"collect": collect, "propose": propose, "rollout": rollout, "solve": solve}
COUNT, RATE = "a whole number of at least 1", "a number above 0"
PLAYED = {f"studio.{key}=0": COUNT for key in ("max_steps", "image_px")}
PLAYED |= {"studio.control_hz=0": RATE, "studio.control_hz=-10": RATE, "studio.cameras=[]": "at least one of"}
ROLLED = {f"{key}=0": COUNT for key in ("execute_steps", "episodes_per_task", "batch")} | {"batch=1.5": COUNT}
CASES = [("rollout", word, fault) for word, fault in (PLAYED | ROLLED).items()]
CASES += [("propose", word, fault) for word, fault in (PLAYED | {"batch=0": COUNT, "count=0": COUNT}).items()]
CASES += [("collect", word, fault) for word, fault in PLAYED.items()] + [("solve", "episodes_per_task=0", COUNT)]


@pytest.mark.parametrize(("door", "word", "fault"), CASES)
def test_a_value_with_which_nothing_can_be_played_is_refused_at_once(tmp_path, door, word, fault):
    more = ["policy=expert"] if door == "rollout" else []
    more += [] if door == "propose" else ["tasks=seeds"]
    with pytest.raises(ValueError, match=rf"{word.partition('=')[0]}=.*: {fault}"):
        DOORS[door].main(compose(door, [f"out={tmp_path / 'out'}", word, *more]))
    assert not (tmp_path / "out").exists()
