"""A LeRobot parquet (v2.1 columns) in; the robot's measured state at any instant out, for probes of true motion."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow
import pyarrow.parquet
from jaxtyping import Float, Float32

from video_data.header import UnusableVideo

TIME, STATE = "timestamp", "observation.state"
SLACK_S = 0.25  # a table may end this long before the video; later frames get its last row


class States(NamedTuple):
    """Rows of a robot's state in its own units (joints in rad), with their time."""

    times_s: Float[np.ndarray, "n"]
    values: Float32[np.ndarray, "n s"]

    def at(self, instants_s: Float[np.ndarray, "t"]) -> Float32[np.ndarray, "t s"]:
        """The state at each instant, linear between rows; UnusableVideo where the table does not reach."""
        if instants_s[-1] > self.times_s[-1] + SLACK_S:
            raise UnusableVideo(f"lasts {instants_s[-1]:.1f} s or more; its states end at {self.times_s[-1]:.1f} s")
        columns = [np.interp(instants_s, self.times_s, column) for column in self.values.T]
        return np.stack(columns, axis=1).astype(np.float32)


def read_states(path: Path) -> States:
    """Time stamps and states of one episode; UnusableVideo without the columns."""
    try:
        table = pyarrow.parquet.read_table(path, columns=[TIME, STATE])
        times_s = table[TIME].to_numpy().astype(np.float64)
        values = np.stack(table[STATE].to_numpy(zero_copy_only=False)).astype(np.float32)
    except (pyarrow.ArrowException, OSError, KeyError, ValueError, TypeError) as error:
        raise UnusableVideo(f"has an unusable {path.name}: {str(error).splitlines()[0]}") from error
    if len(times_s) < 2 or not (np.diff(times_s) > 0).all():
        raise UnusableVideo(f"has an unusable {path.name}: {TIME} does not rise")
    if values.ndim != 2 or not np.isfinite(values).all():
        raise UnusableVideo(f"has an unusable {path.name}: {STATE} is no row of finite numbers each")
    return States(times_s - times_s[0], values)
