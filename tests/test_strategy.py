"""policy.strategy: what is frozen does not change, adapters merge without a trace, averages and resuming are exact."""

import pytest
import torch
from lightning.pytorch.strategies import ModelParallelStrategy

from lapa import checkpoint
from lapa.config import choices
from lapa.stage import read_manifest
from lapa.train import main
from policy import infer
from policy.action_policy import ActionPolicy
from policy.strategy import count, merge
from tests import policy_toys as toys
from tests.test_heads import HEADS
from tests.test_policy import built, observation

STRATEGIES = choices("strategy")


@pytest.fixture(scope="module")
def demos(tmp_path_factory):
    return toys.write_demos(tmp_path_factory.mktemp("demos") / "demos")


def overrides(demos, *, head="chunk", strategy="full"):
    """A small training's settings."""
    small = ["model.head.num_tokens=256", "model.head.decoder_width=32"] if head == "fast" else []
    rank = ["model.strategy.rank=2"] if strategy == "lora" else []
    groups = [f"head@model.head={head}", f"strategy@model.strategy={strategy}"]
    return [f"demos={demos}", "init_from=null", *groups, *small, *rank]


def weights(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def train_a_step(module, data):
    """As the trainer does, three times."""
    module.log, module.trainer = lambda *_, **__: None, type("Three", (), {"max_steps": 3})()
    optimiser = module.configure_optimizers()["optimizer"]
    batch = next(iter(data._loader(data.stream("train"))))
    for _ in range(3):
        optimiser.zero_grad()
        module.training_step(batch, 0).backward()
        optimiser.step()


def group_of(name):
    """The part of the toy's network that a tensor belongs to."""
    for start, part in (
        ("trunk.queries", "queries"), ("actions.", "head"), ("trunk.backbone.language.layers.1.", "last_block"),
        ("trunk.backbone.language.", "language"), ("trunk.backbone.summary.", "language"),
    ):  # fmt: skip
        if name.startswith(start):
            return part
    return "vision"


@pytest.mark.parametrize("strategy", [name for name in STRATEGIES if name != "lora"])
def test_only_what_is_to_be_trained_changes(demos, strategy):
    module, data = built("action_policy", *overrides(demos, strategy=strategy))
    parts = set(module.strategy["parts"]) | ({"last_block"} if "language" in module.strategy["parts"] else set())
    before = weights(module.model)
    train_a_step(module, data)
    changed = {group_of(n) for n, tensor in module.model.state_dict().items() if not torch.equal(tensor, before[n])}
    assert changed == parts


def test_counts_are_those_of_the_parts(demos):
    sizes = {s: count(built("action_policy", *overrides(demos, strategy=s))[0].model) for s in STRATEGIES}
    trained = {strategy: size["trained_parameters"] for strategy, size in sizes.items()}
    assert trained["full"] == sizes["full"]["all_parameters"] > trained["frozen_vision"] > trained["last_layer"]
    assert trained["full"] > trained["sandwich"] > trained["last_layer"] > trained["head_only"]
    assert trained["head_only"] < trained["lora"] < trained["full"]


def test_adapters_leave_the_backbone_alone_and_merge_into_it(demos):
    module, data = built("action_policy", *overrides(demos, strategy="lora"))
    before = weights(module.model.trunk.backbone)
    train_a_step(module, data)
    after = weights(module.model.trunk.backbone)
    base = [name for name, p in module.model.trunk.backbone.named_parameters() if ".lora_" not in name]
    assert base and all(torch.equal(before[name], after[name]) for name in base)
    assert any(not torch.equal(before[name], after[name]) for name in after if ".lora_B." in name)
    module.eval()
    batch = next(iter(data._loader(data.stream("val"))))
    inputs = module.see(batch), list(batch.text), batch.state
    with torch.no_grad():
        adapted = module.model(*inputs)
        merge(module.model)
        merged = module.model(*inputs)
    torch.testing.assert_close(merged, adapted, atol=1e-5, rtol=1e-4)
    plain, _ = built("action_policy", *overrides(demos))
    assert module.model.state_dict().keys() == plain.model.state_dict().keys()


def test_a_rate_of_zero_freezes_and_nothing_else_thaws(demos):
    more = overrides(demos, strategy="frozen_vision")
    module, data = built("action_policy", *more, "model.lr.language=0")
    before = weights(module.model)
    train_a_step(module, data)
    changed = {group_of(n) for n, tensor in module.model.state_dict().items() if not torch.equal(tensor, before[n])}
    assert changed == {"queries", "head"}


@pytest.mark.parametrize(
    ("head", "strategy"), [(head, STRATEGIES[~i % len(STRATEGIES)]) for i, head in enumerate(HEADS)]
)
def test_a_killed_training_resumes_exactly_and_loads_plainly(demos, tmp_path, head, strategy):
    settings = [*overrides(demos, head=head, strategy=strategy), "model.ema_decay=0.5"]
    main(toys.train_config("action_policy", *settings, f"out={tmp_path / 'whole'}"))
    toys.killed_and_resumed(
        toys.train_config("action_policy", *settings, f"out={tmp_path / 'killed'}"), ActionPolicy, "training_step", 3
    )
    assert_same_weights(tmp_path / "whole", tmp_path / "killed")
    policy = infer.load(tmp_path / "killed", device="cpu")
    assert torch.equal(policy.act(observation()).actions, policy.act(observation()).actions)
    manifest = read_manifest(tmp_path / "killed")
    assert 0 < manifest["trained_parameters"] <= manifest["all_parameters"]
    assert manifest["final"]["memory/peak_mb"] > 100


def test_a_training_killed_after_its_last_step_keeps_the_average(demos, tmp_path):
    settings = [*overrides(demos), "model.ema_decay=0.5"]
    main(toys.train_config("action_policy", *settings, f"out={tmp_path / 'whole'}"))
    toys.killed_and_resumed(
        toys.train_config("action_policy", *settings, f"out={tmp_path / 'killed'}"), ActionPolicy, "export", 4
    )
    assert_same_weights(tmp_path / "whole", tmp_path / "killed")


def assert_same_weights(one, other):
    first, second = (checkpoint.read_weights(folder) for folder in (one, other))
    assert first.keys() == second.keys()
    assert [name for name, tensor in first.items() if not torch.equal(tensor, second[name])] == []


def test_the_average_is_what_is_kept(demos, tmp_path):
    """Decay 1 − 1e-9 never leaves the first step's weights; without averaging training goes on from there."""
    settings = overrides(demos)
    for name, more in {"first": ["trainer.max_steps=1", "trainer.val_check_interval=1"], "average": []}.items():
        ema = ["model.ema_decay=0.999999999"] if name == "average" else []
        main(toys.train_config("action_policy", *settings, *more, *ema, "model.lr_end=1", f"out={tmp_path / name}"))
    first, average = (checkpoint.read_weights(tmp_path / name) for name in ("first", "average"))
    for name, tensor in first.items():
        torch.testing.assert_close(average[name], tensor, atol=1e-6, rtol=1e-5)


def test_going_on_with_bins_keeps_their_edges_and_another_head_is_told(demos, tmp_path):
    main(toys.train_config("action_policy", *overrides(demos, head="bins"), f"out={tmp_path / 'one'}"))
    more = overrides(demos, head="bins")
    more[1] = f"init_from={tmp_path / 'one'}"
    module, _ = built("action_policy", *more, "data.train_percent=50")  # others to fit edges on
    kept = checkpoint.load_settings(tmp_path / "one")["model"]["statistics"]["head"]
    assert module.settings["statistics"]["head"] == kept
    more[2] = "head@model.head=chunk"
    with pytest.raises(ValueError, match="has another network"):
        built("action_policy", *more)


@pytest.mark.parametrize("more", [["model.ema_decay=0.9"], ["strategy@model.strategy=lora"]])
def test_what_needs_whole_weights_is_not_divided(demos, more):
    module, _ = built("action_policy", *overrides(demos), *more)
    module.trainer = type("Trainer", (), {"strategy": ModelParallelStrategy()})()
    with pytest.raises(ValueError, match="need whole weights: trainer=ddp"):
        module.configure_callbacks()


def test_what_is_unknown_is_told(demos):
    with pytest.raises(
        ValueError, match="no part 'hands' to train; there are vision, language, last_block, queries, head"
    ):
        built("action_policy", *overrides(demos), "model.strategy.parts=[hands]")
    with pytest.raises(ValueError, match="Could not find 'strategy/half'.*full"):
        built("action_policy", f"demos={demos}", "init_from=null", "strategy@model.strategy=half")
    with pytest.raises(ValueError, match="Could not find 'head/hands'.*bins"):
        built("action_policy", f"demos={demos}", "init_from=null", "head@model.head=hands")
