"""policy.sequence, policy.augment, lapa.optimiser: who sees whom, positions, shifts, rates."""

import pytest
import torch
from torch import nn

from lapa.optimiser import Schedule, parameter_groups, rate
from policy.augment import shift
from policy.sequence import Summary, positions, queries_see, who_sees_whom


def test_prefix_both_ways_then_causal_and_padding_unseen():
    real = torch.tensor([[True, False, True, True, True]])
    sees = who_sees_whom(real, both_ways=3)[0, 0]
    assert sees.int().tolist() == [
        [1, 0, 1, 0, 0], [1, 1, 1, 0, 0], [1, 0, 1, 0, 0], [1, 0, 1, 1, 0], [1, 0, 1, 1, 1],
    ]  # fmt: skip


def test_queries_see_what_they_see_in_the_whole():
    real = torch.tensor([[True, False, True], [True, True, True]])
    whole = who_sees_whom(torch.cat([real, torch.ones(2, 4, dtype=torch.bool)], dim=1), both_ways=3)
    assert torch.equal(queries_see(real, 4), whole[:, :, 3:])


def test_positions_do_not_depend_on_padding():
    short, long = (positions(words, 3, max_words=8, device=torch.device("cpu"))[0] for words in (2, 5))
    assert short[-3:].tolist() == long[-3:].tolist() == [8, 9, 10]


def test_the_summary_knows_the_order_of_words_but_not_the_padding():
    torch.manual_seed(0)
    summary, embedded = Summary(width=16), torch.randn(1, 6, 16)
    real = torch.ones(1, 6, dtype=torch.bool)
    swapped = embedded[:, [0, 4, 2, 3, 1, 5]]
    assert not torch.allclose(summary(embedded, real), summary(swapped, real), atol=1e-3)
    padded = torch.cat([embedded, torch.randn(1, 2, 16)], dim=1)
    more = torch.cat([real, ~real[:, :2]], dim=1)
    torch.testing.assert_close(summary(padded, more), summary(embedded, real))
    assert torch.isfinite(summary(embedded, ~real)).all()


def test_shift_moves_whole_pictures_by_few_pixels():
    torch.manual_seed(0)
    images = torch.zeros(64, 1, 3, 16, 16, dtype=torch.uint8)
    images[:, :, :, 8, 8] = 255
    moved = shift(images, max_px=2)
    places = moved[:, 0, 0].nonzero()
    assert len(places) == 64 and torch.equal(moved[:, 0, 0], moved[:, 0, 2])
    assert places[:, 1:].min() == 6 and places[:, 1:].max() == 10
    assert torch.equal(shift(images, max_px=0), images)


def test_rates_rise_then_fall():
    values = [rate(step, warmup_steps=4, max_steps=20, lr_end=0.1) for step in range(21)]
    assert values[:5] == [0.25, 0.5, 0.75, 1.0, 1.0] and values[4:] == sorted(values[4:], reverse=True)
    assert values[20] == pytest.approx(0.1)


def test_groups_have_their_own_rates_and_zero_freezes():
    layers = {"vision": nn.Linear(2, 2), "head": nn.Linear(2, 2)}
    schedule = Schedule({"vision": 0.0, "head": 1e-3}, 0.1, (0.9, 0.99), 1, 0.1)
    rows = parameter_groups({name: list(layer.parameters()) for name, layer in layers.items()}, schedule)
    assert [(row["name"], row["weight_decay"], row["lr"]) for row in rows] == [
        ("head", 0.1, 1e-3),
        ("head_plain", 0, 1e-3),
    ]
    assert not layers["vision"].weight.requires_grad
    with pytest.raises(ValueError, match=r"lr names \['head', 'vision'\]; this model has \['head'\]"):
        parameter_groups({"head": []}, schedule)
