"""Shards of demonstrations in, one demos.hdf5 in robomimic's layout out: data/demo_0/{actions, obs/…, rewards, dones}.

Layout: robomimic.github.io/docs/datasets/overview.html. There are no `states` and no `next_obs`: shards have neither.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lapa.files import atomic_path
from lapa.shards import ShardIndex
from lapa.video import decode_mp4

NAME = "demos.hdf5"
GYM = 2  # robomimic's number for environments that are gym's


def write(demos: ShardIndex, out: Path, facts: Mapping[str, Any]) -> None:
    """Write `out/demos.hdf5`, demonstrations in the order of the shards. ValueError without the extra `hdf5`."""
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise ValueError("export=hdf5 needs h5py: pip install 'lapa[hdf5]'") from error
    with atomic_path(out / NAME) as partial, h5py.File(partial, "w") as file:
        data, total = file.create_group("data"), 0
        for number in range(len(demos)):
            total += _add(data.create_group(f"demo_{number}"), demos[number], facts)
        data.attrs["total"] = total
        data.attrs["env_args"] = json.dumps({"env_name": "lapa", "type": GYM, "env_kwargs": dict(facts)})
        names = [f"demo_{number}".encode() for number in range(len(demos))]
        file.create_dataset("mask/train", data=np.array(names))


def _add(group: Any, demo: Mapping[str, Any], facts: Mapping[str, Any]) -> int:
    """Fill one demonstration's group; returns its number of steps. The reward is 1 at the end: every demo succeeds."""
    length = len(demo["state.npy"])
    group.attrs["num_samples"], group.attrs["model_file"] = length, ""
    for name in ("text", "task", "seed"):
        group.attrs[name] = demo["json"][name]
    last = np.arange(length) == length - 1
    columns = {"actions": demo["action.npy"], "rewards": last.astype(np.float32), "dones": last.astype(np.int64)}
    columns["obs/agent_pos"] = demo["state.npy"]
    for camera in facts["cameras"]:
        film = demo["mp4" if camera == facts["cameras"][0] else f"{camera}.mp4"]
        columns[f"obs/{camera}_image"] = decode_mp4(film).permute(0, 2, 3, 1).numpy()
    for name, values in columns.items():
        group.create_dataset(name, data=values, compression="gzip", compression_opts=1)
    return length
