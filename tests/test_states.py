"""video_data.sources.states: a robot's table, read at any instant of its video; wrong tables have a reason."""

import numpy as np
import pyarrow
import pytest

from lapa.parquet import write_table as write_parquet
from video_data.header import UnusableVideo
from video_data.sources.states import States, read_states

TIMES = np.arange(31) / 30


def write_table(path, **columns):
    write_parquet(path, pyarrow.table(columns))
    return path


def test_states_are_linear_between_rows():
    states = States(TIMES, np.stack([TIMES, -2 * TIMES], axis=1).astype(np.float32))
    instants = np.arange(11) / 10
    assert np.allclose(states.at(instants), np.stack([instants, -2 * instants], axis=1), atol=1e-6)


def test_a_table_that_ends_before_its_video_is_refused():
    with pytest.raises(UnusableVideo, match=r"states end at 1\.0 s"):
        States(TIMES, np.zeros((31, 2), np.float32)).at(np.array([0.0, 1.5]))


def test_a_table_round_trips(tmp_path):
    values = np.random.default_rng(0).normal(size=(31, 3)).astype(np.float32)
    path = write_table(tmp_path / "a.parquet", timestamp=TIMES + 5, **{"observation.state": list(values)})
    states = read_states(path)
    assert states.times_s[0] == 0 and np.allclose(states.at(states.times_s), values)


def test_a_table_without_the_columns_is_named(tmp_path):
    path = write_table(tmp_path / "a.parquet", timestamp=TIMES)
    with pytest.raises(UnusableVideo, match=r"unusable a\.parquet"):
        read_states(path)
