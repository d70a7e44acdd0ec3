"""policy.heads: what every action head must do, for each yaml of configs/head; and each head's own laws."""

import json

import hydra
import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from lapa.config import choices
from lapa.doors import configs_dir
from policy.heads.action import ActionHead, Examples, masked_mean
from policy.heads.tokens import FastTokens

SMALL = {"state_width": 8, "hidden": 32, "bin_width": 8, "num_bins": 16, "time_width": 8}
SMALL |= {"num_tokens": 128, "decoder_width": 32, "num_heads": 2}
HEADS = [name for name in choices("head") if name not in ("parallel", "autoregressive")]  # those name latent codes
BATCH, STEPS, DIMS = 6, 5, 3


def recipe(name, **changes):
    """A head's yaml with small sizes, as the class and the values that it gives."""
    values = OmegaConf.to_container(OmegaConf.load(configs_dir() / "head" / f"{name}.yaml"))
    own = {key: SMALL.get(key, value) for key, value in values.items() if not key.startswith("_")} | changes
    return hydra.utils.get_object(values["_target_"]), own


def build(name, examples=None, **changes):
    """A small head, fitted."""
    kind, own = recipe(name, **changes)
    torch.manual_seed(0)
    statistics = {"head": kind.fit(examples or demonstrations(), **own)}
    sizes = {"width": 8, "codes_per_step": 2, "state_dim": 3, "action_dim": DIMS, "chunk_steps": STEPS}
    return kind(**sizes, statistics=statistics, **own)


def demonstrations(count=200):
    """Smooth normalised chunks of a robot whose third joint is a gripper: open or closed."""
    rng = np.random.default_rng(0)
    chunks = np.cumsum(rng.normal(0, 0.5, (count, STEPS, DIMS)), axis=1).astype(np.float32)
    chunks[..., 2] = np.where(rng.random((count, 1)) < 0.5, -0.8, 1.2)
    return Examples(chunks, np.ones(chunks.shape, bool))


@pytest.fixture(params=HEADS)
def head(request):
    return build(request.param)


@pytest.fixture
def batch():
    """Hidden states, states, wanted chunks and a mask that hides some steps and a dimension."""
    torch.manual_seed(1)
    mask = torch.ones(BATCH, STEPS, DIMS, dtype=torch.bool)
    mask[0, 3:], mask[1, :, 1] = False, False
    wanted = torch.from_numpy(demonstrations(BATCH).chunks)
    return torch.randn(BATCH, 2, 8), torch.randn(BATCH, 3), wanted, mask


def test_every_head_is_one(head):
    assert isinstance(head, ActionHead)


def test_it_learns_a_batch(head, batch):
    hidden, state, wanted, mask = batch
    optimiser = torch.optim.AdamW(head.parameters(), lr=8e-3)
    for _ in range(160):
        optimiser.zero_grad()
        head.loss(*batch).backward()
        optimiser.step()
    head.eval()
    with torch.no_grad():
        error = masked_mean((head.act(hidden, state) - wanted).abs(), mask)
    assert error < 0.5 * masked_mean(wanted.abs(), mask)


def test_acting_is_deterministic_and_a_batch_acts_like_each_alone(head, batch):
    hidden, state, *_ = batch
    head.eval()
    with torch.inference_mode():
        torch.manual_seed(5)
        first = head.act(hidden, state)
        torch.manual_seed(6)
        again = head.act(hidden, state)
        alone = torch.cat([head.act(hidden[i : i + 1], state[i : i + 1]) for i in range(BATCH)])
    assert first.shape == (BATCH, STEPS, DIMS) and torch.equal(first, again)
    torch.testing.assert_close(alone, first, atol=1e-5, rtol=1e-5)


def test_what_is_masked_teaches_nothing(head, batch):
    hidden, state, wanted, mask = batch
    found = []
    for nonsense in (wanted, torch.where(mask, wanted, 1e3), torch.where(mask, wanted, float("nan"))):
        head.zero_grad()
        torch.manual_seed(2)
        loss = head.loss(hidden, state, nonsense, mask)
        loss.backward()
        found.append(torch.cat([p.grad.flatten() for p in head.parameters() if p.grad is not None]))
        assert torch.isfinite(loss)
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2]) and found[0].abs().max() > 0


def test_a_moment_that_nobody_acted_teaches_nothing(head, batch):
    hidden, state, wanted, mask = batch
    hidden.requires_grad_()
    mask[2:] = False
    torch.manual_seed(2)
    head.loss(hidden, state, wanted, mask).backward()
    assert (hidden.grad[2:] == 0).all() and (hidden.grad[:2] != 0).any()


def test_masked_mean_counts_steps_not_joints():
    errors = torch.tensor([[[1.0, 1.0], [3.0, 9.0], [7.0, 7.0]]])
    mask = torch.tensor([[[True, True], [True, False], [False, False]]])
    assert masked_mean(errors, mask) == 2.0


def test_without_a_mask_the_mean_is_the_plain_one_bit_for_bit():
    errors = torch.randn(64, 8, 8)
    exist = torch.rand(64, 8) < 0.9
    assert torch.equal(masked_mean(errors, exist[..., None].expand_as(errors)), errors.mean(dim=-1)[exist].mean())


def test_equal_count_bins_hold_as_many_actions_each():
    examples = demonstrations(400)
    head = build("bins", examples, edges="equal_count")
    counts = torch.bincount(head.classes(torch.from_numpy(examples.chunks))[..., 0].flatten(), minlength=16)
    assert counts.min() >= 0.9 * counts.float().mean() and counts.max() <= 1.1 * counts.float().mean()


@pytest.mark.parametrize("edges", ["equal_count", "uniform"])
def test_a_bin_is_answered_by_a_value_that_lies_in_it(edges):
    examples = demonstrations(400)
    head = build("bins", examples, edges=edges, num_bins=256)
    classes = head.classes(torch.from_numpy(examples.chunks))
    answers = torch.stack([head.centres[i][classes[..., i]] for i in range(DIMS)], dim=-1)
    assert torch.equal(head.classes(answers), classes)
    assert torch.equal(answers[..., 2], torch.from_numpy(examples.chunks[..., 2]))  # a gripper's two values, exactly


def test_unknown_edges():
    with pytest.raises(ValueError, match="no edges 'log'; there are equal_count, uniform"):
        build("bins", edges="log")


def fast_tokens(scale):
    examples = demonstrations()
    fitted = FastTokens.fit(examples, num_tokens=512, scale=scale)
    return FastTokens(fitted=json.loads(json.dumps(fitted)), scale=scale, chunk_steps=STEPS, action_dim=DIMS), examples


def test_tokens_are_chunks_again():
    for scale in (5.0, 20.0):
        tokens, examples = fast_tokens(scale)
        rows = tokens.encode(examples.chunks)
        again, malformed = tokens.decode(rows)
        rms = np.sqrt(((again - examples.chunks) ** 2).mean())
        assert malformed == 0 and rms < 0.5 / scale  # an orthonormal transform keeps the size of rounding errors
        assert max(map(len, rows)) <= STEPS * DIMS and np.mean([len(row) for row in rows]) < 0.8 * STEPS * DIMS


def test_rows_that_are_no_chunk_are_the_mean_and_counted():
    tokens, examples = fast_tokens(5.0)
    good = tokens.encode(examples.chunks[:1])[0]
    chunks, malformed = tokens.decode([good, good[:-1], [*good, *good], []])
    assert malformed == 3 and np.abs(chunks[1:]).max() == 0 < np.abs(chunks[0]).max()


def test_an_untrained_decoder_is_answered_with_the_mean_which_is_counted_and_logged(caplog):
    head = build("fast").eval()
    with torch.inference_mode():
        actions = head.act(torch.randn(8, 2, 8), torch.randn(8, 3))
    malformed = int((actions == 0).flatten(1).all(dim=1).sum())
    assert head.counts == {"chunks": 8, "malformed": malformed} and malformed > 0
    assert caplog.messages == [f"FAST: {malformed} of 8 chunks were malformed, and answered with the mean"]
    head._count(8, 0)
    assert head.counts["chunks"] == 16 and len(caplog.messages) == 1


def test_a_scale_too_fine_for_the_vocabulary():
    with pytest.raises(ValueError, match="num_tokens=64: lower the scale"):
        build("fast", num_tokens=64, scale=100.0)


def test_a_flow_needs_a_step():
    with pytest.raises(ValueError, match="num_steps must be at least 1"):
        build("flow", num_steps=0)
