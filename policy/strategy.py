"""A built action policy in, the same one with only some of its weights left to train out; plain weights again at the end."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from policy.models import ActionModel


def train_parts(model: ActionModel, *, parts: Sequence[str]) -> None:
    """Freeze all but `parts`; ValueError names those there are. What is wholly frozen stays in eval mode, too: the running
    statistics of a BatchNorm are part of what it has learnt.
    """
    members = _parts(model)
    unknown = [name for name in parts if name not in members]
    if unknown:
        raise ValueError(f"no part {unknown[0]!r} to train; there are {', '.join(members)}")
    chosen = {id(parameter) for name in parts for parameter in members[name]}
    for parameter in model.parameters():
        if id(parameter) not in chosen:
            parameter.requires_grad_(False)
    _rest(model)


def add_lora(model: ActionModel, *, rank: int, alpha: float, dropout: float) -> None:
    """Freeze the backbone and train, beside each of its linear layers that any result depends on, a product of two thin
    matrices; queries and head are trained as they are.

    LoRA (Hu et al. 2021, arXiv 2106.09685) of the library peft. What it adds counts alpha / rank times.
    """
    try:
        import peft
    except ImportError as error:
        raise ValueError("the strategy lora needs the library peft: pip install 'lapa[lora]'") from error
    backbone: nn.Module = model.trunk.backbone
    layers = [(name, module) for name, module in backbone.named_modules() if type(module) is nn.Linear]
    linear = [name for name, layer in layers if isinstance(layer.weight, nn.Parameter)]  # those `unused` hold buffers
    settings: Any = {"r": rank, "lora_alpha": alpha, "lora_dropout": dropout, "target_modules": linear}
    peft.inject_adapter_in_model(peft.LoraConfig(**settings), backbone)  # freezes all but what it adds
    _rest(model)


def merge(model: nn.Module) -> None:
    """Add each adapter to the layer it stands beside, and leave that layer alone: plain weights under their own names."""
    for name, adapter in adapters(model):
        adapter.merge()
        model.set_submodule(name, adapter.get_base_layer())


def adapters(model: nn.Module) -> list[tuple[str, Any]]:
    """By name; known by what they can do, as peft may not be installed."""
    return [(name, module) for name, module in model.named_modules() if hasattr(module, "get_base_layer")]


def count(model: nn.Module) -> dict[str, int]:
    """How many numbers are trained, and how many there are, adapters among them."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return {"trained_parameters": sum(n for n, trained in sizes if trained), "all_parameters": sum(n for n, _ in sizes)}


def _parts(model: ActionModel) -> dict[str, list[nn.Parameter]]:
    """By name; `last_block` is the end of `language`."""
    groups: dict[str, list[nn.Parameter]] = dict(model.trunk.backbone.parameter_groups())
    groups["last_block"] = list(model.trunk.blocks()[-1].parameters())
    return groups | {"queries": [model.trunk.queries], "head": list(model.actions.parameters())}


def _rest(model: nn.Module) -> None:
    """Eval mode for what is wholly frozen."""
    for module in model.modules():
        own = list(module.parameters())
        if own and not any(parameter.requires_grad for parameter in own):
            module.eval()
