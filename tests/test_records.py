"""lapa.records: a record that crosses a wall has the shapes and dtypes it promises."""

import pytest
import torch
from torch.utils.data import default_collate

from lapa.records import Demo, FramePair, checked


def pair() -> FramePair:
    frame = torch.zeros(3, 8, 8, dtype=torch.uint8)
    return FramePair("a", frame, frame, torch.tensor(0.5), "words", torch.zeros(0))


def test_collated_records_keep_their_type():
    batch = default_collate([pair(), pair()])
    assert isinstance(checked(batch), FramePair) and batch.before.shape == (2, 3, 8, 8)


@pytest.mark.parametrize(
    "change, fault",
    [
        ({"before": torch.zeros(3, 8, 8)}, "FramePair.before must be"),
        ({"after": torch.zeros(3, 4, 8, dtype=torch.uint8)}, "axis 'h' is 4, expected 8"),
        ({"gap_s": 0.5}, "FramePair.gap_s"),
    ],
)
def test_a_wrong_field_is_named(change, fault):
    with pytest.raises(TypeError, match=fault):
        checked(pair()._replace(**change))


def test_images_are_checked_by_camera():
    demo = Demo(
        "a",
        {"front": torch.zeros(3, 8, 8)},
        "",
        torch.zeros(7),
        torch.zeros(4, 7),
        torch.ones(4, 7, dtype=torch.bool),
        torch.zeros(0, dtype=torch.int64),
    )
    with pytest.raises(TypeError, match="front"):
        checked(demo)
