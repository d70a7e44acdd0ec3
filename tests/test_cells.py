"""Every head × strategy × backbone trains a step, and takes the next one alike whether it was put away between or not.

Each pair of two of the three is tried always, each of the three with `pytest -m "slow or not slow" tests/test_cells.py`.
"""

import copy
import io
from functools import cache

import numpy as np
import pytest
import torch

from lapa import checkpoint
from lapa.config import choices, compose
from policy.heads.action import Examples
from policy.models import ActionModel
from policy.strategy import count, merge
from tests import backbone_toys
from tests.policy_toys import NAMES
from tests.test_heads import HEADS, recipe

STEPS = 3
STRATEGIES = choices("strategy")
CELLS = [
    pytest.param(b, h, s, marks=[] if b == "tiny" or (i + j + k) % len(HEADS) == 0 else pytest.mark.slow)
    for i, b in enumerate(backbone_toys.NAMES) for j, h in enumerate(HEADS) for k, s in enumerate(STRATEGIES)
]  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The action policy of a backbone and a head, built once."""

    @cache
    def build(backbone, head):
        return ActionModel(**settings(trunk(backbone), head))

    @cache
    def trunk(backbone):
        return backbone_toys.settings(backbone, tmp_path_factory.mktemp(backbone))

    return build


def settings(backbone, head):
    """Of a robot of three joints; its demonstrations are noise."""
    kind, own = recipe(head)
    row = {"mean": [0.0] * 3, "std": [1.0] * 3, "q01": [-2.0] * 3, "q99": [2.0] * 3}
    chunks = np.random.default_rng(0).normal(size=(100, STEPS, 3)).astype(np.float32)
    fitted = kind.fit(Examples(chunks, np.ones(chunks.shape, bool)), **own)
    statistics = {"state": {k: [v] for k, v in row.items()}, "action": {k: [v] * STEPS for k, v in row.items()}}
    torch.manual_seed(0)
    return {
        "backbone": backbone, "head": {"_target_": f"{kind.__module__}.{kind.__name__}", "_partial_": True, **own},
        "codes_per_step": 2, "chunk_steps": STEPS, "cameras": ["front"], "embodiment": "toy", "state_names": NAMES,
        "action_names": NAMES, "absolute": [], "statistics": statistics | {"head": fitted}, "normalisation": "mean_std",
    }  # fmt: skip


@cache
def strategy_of(name):
    cfg = compose(
        "train", ["experiment=action_policy", "demos=-", "init_from=null", "out=-", f"strategy@model.strategy={name}"]
    )
    return checkpoint.build({**cfg.model.strategy, **({"rank": 2} if name == "lora" else {})}, allowed=("policy.",))


def take_step(model, optimiser, seed):
    """On two moments that come of the seed."""
    torch.manual_seed(seed)
    images = torch.cat([backbone_toys.picture(seed), backbone_toys.picture(seed + 9)])
    mask = torch.ones(2, STEPS, 3, dtype=torch.bool)
    optimiser.zero_grad()
    model.loss(images, ["reach the red block", "push"], torch.randn(2, 3), torch.randn(2, STEPS, 3), mask).backward()
    optimiser.step()


def optimiser_of(model):
    return torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)


def put_away(*parts):
    """Through bytes, read back without running anything."""
    buffer = io.BytesIO()
    torch.save([part.state_dict() for part in parts], buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


@pytest.mark.parametrize(("backbone", "head", "strategy"), CELLS)
def test_a_step_then_another(whole, backbone, head, strategy):
    model = copy.deepcopy(whole(backbone, head))
    strategy_of(strategy)(model)
    other, before = copy.deepcopy(model), copy.deepcopy(model.state_dict())
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    optimiser = optimiser_of(model)
    take_step(model, optimiser, seed=1)
    assert [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None] == []  # DDP would wait
    saved = put_away(model, optimiser)
    take_step(model, optimiser, seed=2)
    changed = {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}
    assert changed <= set(trained) and any(name.startswith("actions.") for name in changed)
    other_optimiser = optimiser_of(other)
    other.load_state_dict(saved[0])
    other_optimiser.load_state_dict(saved[1])
    take_step(other, other_optimiser, seed=2)
    pairs = zip(model.state_dict().values(), other.state_dict().values(), strict=True)
    assert all(torch.equal(one, two) for one, two in pairs)
    assert count(model)["trained_parameters"] <= count(model)["all_parameters"]
    merge(model)
    assert model.state_dict().keys() == whole(backbone, head).state_dict().keys()
