"""A policy on a GPU in, the same policy out, its backbone replayed as CUDA graphs: one launch instead of hundreds."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from policy.backbone import Words
from policy.infer import Policy

WARM = 3  # passes before a capture: libraries choose kernels and make their workspaces in the first ones

Forward = Callable[[Tensor, Words, Tensor], Tensor]


def use_graphs(policy: Policy, *, max_batch: int) -> None:
    """From now on batches are filled up to 1, 2, 4 … `max_batch` and texts to the longest that the backbone reads, as a
    graph has one shape; each is captured when it first comes. ValueError without a GPU.
    """
    if policy.device.type != "cuda":
        raise ValueError(
            f"CUDA graphs need a GPU: device=cuda, or cuda_graphs=false; this policy is on {policy.device}"
        )
    fix_shapes(policy, max_batch=max_batch)
    backbone = policy.model.trunk.backbone
    backbone.forward = Replayed(backbone.forward)


def fix_shapes(policy: Policy, *, max_batch: int) -> None:
    """A few batch sizes and one length of words. Padding changes no result."""
    powers = [2**i for i in range(max_batch.bit_length()) if 2**i < max_batch]
    policy.batch_sizes = (*powers, max_batch)
    words = policy.model.trunk.backbone.words
    words.pad_words = words.max_words


class _Graph(NamedTuple):
    graph: "torch.cuda.CUDAGraph"
    inputs: list[Tensor]  # what the graph reads: copy into them
    output: Tensor  # what it writes


class Replayed:
    """A backbone's `forward`, captured once for each shape of its inputs. Weights may not move afterwards."""

    def __init__(self, forward: Forward) -> None:
        self._forward = forward
        self._graphs: dict[tuple[torch.Size, ...], _Graph] = {}

    def __call__(self, pixels: Tensor, words: Words, queries: Float[Tensor, "b q d"]) -> Float[Tensor, "b q d"]:
        """What `forward` gives; ValueError when this backbone does something that no graph can hold."""
        given = [pixels, *words, queries]
        shapes = tuple(tensor.shape for tensor in given)
        if shapes not in self._graphs:
            self._graphs[shapes] = self._capture([tensor.clone() for tensor in given])
        replayed = self._graphs[shapes]
        for own, tensor in zip(replayed.inputs, given, strict=True):
            own.copy_(tensor)
        replayed.graph.replay()
        return replayed.output.clone()

    def _capture(self, inputs: list[Tensor]) -> _Graph:
        """As PyTorch's notes on CUDA graphs say: warm up on a stream of its own, then capture."""
        beside, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for _ in range(WARM):
                self._run(inputs)
        torch.cuda.current_stream().wait_stream(beside)
        try:
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                output = self._run(inputs)
        except RuntimeError as error:
            raise ValueError(f"this backbone cannot be captured, use cuda_graphs=false: {error}") from error
        return _Graph(graph, inputs, output)

    def _run(self, inputs: list[Tensor]) -> Tensor:
        pixels, tokens, mask, queries = inputs
        return self._forward(pixels, Words(tokens, mask), queries)
