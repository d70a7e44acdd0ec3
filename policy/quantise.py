"""A trained policy in, the same one with the weights of its linear layers in 8 or 4 bits out: less memory, faster or not."""

import importlib.util
import warnings
from collections.abc import Iterable

import torch
from torch import nn

from policy.models import ActionModel

BITSANDBYTES = "4 bits need an NVIDIA GPU and the library bitsandbytes"


def quantise(model: ActionModel, bits: int) -> ActionModel:
    """Linear layers in place, at inference only; ValueError where this platform cannot.

    8: on a CPU, weights int8 and each batch's activations too (torch.ao's dynamic quantisation). 4: on an NVIDIA GPU,
    weights in NF4 of bitsandbytes (Dettmers et al. 2023, arXiv 2305.14314), products in bf16.
    """
    device = next(model.parameters()).device
    if bits == 8:
        return _eight(model, device)
    if bits == 4:
        return _four(model, device)
    raise ValueError(f"no quantisation to {bits} bits; there are 8 (CPU) and 4 (NVIDIA GPU)")


def _eight(model: ActionModel, device: torch.device) -> ActionModel:
    if device.type != "cpu":
        raise ValueError(f"8 bits are for the CPU; this policy is on {device.type!r}: load it with device=cpu")
    if torch.backends.quantized.engine == "none":
        raise ValueError("this build of torch has no int8 kernels for this CPU")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is to move to another library; the pinned torch has it
        names = [name for name, _ in _linear(model)]
        settings = dict.fromkeys(names, torch.ao.quantization.default_dynamic_qconfig)
        torch.ao.quantization.quantize_dynamic(model.eval(), settings, dtype=torch.qint8, inplace=True)
    return model


def _four(model: ActionModel, device: torch.device) -> ActionModel:
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ValueError(f"{BITSANDBYTES}, which is not installed: pip install bitsandbytes")
    if device.type != "cuda":
        raise ValueError(f"{BITSANDBYTES}; this policy is on {device.type!r}")
    import bitsandbytes

    for name, layer in list(_linear(model)):
        options = {"bias": layer.bias is not None, "compute_dtype": torch.bfloat16, "quant_type": "nf4"}
        small = bitsandbytes.nn.Linear4bit(layer.in_features, layer.out_features, **options)
        small.load_state_dict(layer.state_dict())
        model.set_submodule(name, small.to(device))  # packed on its way to the device
    return model.eval()


def _linear(model: nn.Module) -> Iterable[tuple[str, nn.Linear]]:
    """By name; only what is called as a layer, not those whose weight something else reads (nn.MultiheadAttention)."""
    return ((name, module) for name, module in model.named_modules() if type(module) is nn.Linear)
