"""lapa.precision: `auto` is bf16 where the hardware multiplies it, and fp32 where it would be emulated; what is named stays."""

from types import MappingProxyType

import pytest
import torch

from lapa.precision import resolve


@pytest.fixture
def hardware(monkeypatch):
    """A machine with these instructions and, when `cuda` is not None, a GPU that has (or lacks) bf16."""

    def has(*instructions: str, cuda: bool | None = None) -> None:
        flags = MappingProxyType({"avx2": True, "avx512_bf16": False} | dict.fromkeys(instructions, True))
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: flags)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda is not None)
        monkeypatch.setattr(
            torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or bool(cuda)
        )

    return has


@pytest.mark.parametrize("instructions", ["avx512_bf16", "amx_bf16", "bf16"])
def test_a_cpu_with_bf16_products_computes_in_bf16_and_another_in_fp32(hardware, instructions):
    hardware(instructions)
    assert resolve("auto", "cpu") == resolve("auto", "auto") == "bf16-mixed"
    hardware("avx512_f")
    assert resolve("auto", "cpu") == resolve("auto", "auto") == "32-true"


def test_a_gpu_speaks_for_itself(hardware):
    hardware(cuda=True)
    assert {device: resolve("auto", device) for device in ("gpu", "cuda", "auto", "cpu")} == {
        "gpu": "bf16-mixed", "cuda": "bf16-mixed", "auto": "bf16-mixed", "cpu": "32-true"
    }  # fmt: skip
    hardware("amx_bf16", cuda=False)
    assert (resolve("auto", "gpu"), resolve("auto", "cpu")) == ("32-true", "bf16-mixed")


def test_devices_that_nobody_asked_compute_in_fp32(hardware):
    hardware("amx_bf16")
    assert resolve("auto", "mps") == "32-true"


@pytest.mark.parametrize("named", ["bf16-mixed", "16-mixed", "32-true"])
def test_what_is_named_stays(hardware, named):
    hardware()
    assert resolve(named, "cpu") == named
