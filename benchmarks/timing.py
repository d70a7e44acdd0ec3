"""Functions in; seconds of CPU time out, taken in turn so that whatever else the machine does meets all alike."""

import time
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float


def in_turn(functions: Sequence[Callable[[], object]], rounds: int) -> Float[np.ndarray, "rounds n"]:
    """CPU seconds of this process for each function in each round, after a round that is not counted."""
    taken = np.empty((rounds + 1, len(functions)))
    for row in taken:
        for number, function in enumerate(functions):
            start = time.process_time()
            function()
            row[number] = time.process_time() - start
    return taken[1:]


def share(taken: Float[np.ndarray, "rounds n"], part: int, whole: int) -> str:
    """Median over the rounds of one function's time over another's, in percent."""
    return f"{np.median(taken[:, part] / taken[:, whole]):.0%}"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of the project's documents."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
