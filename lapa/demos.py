"""Shards of demonstrations in, their counts and column statistics out."""

from typing import Any

import numpy as np

from lapa.shards import ShardIndex


def totals(demos: ShardIndex) -> dict[str, Any]:
    """How many demonstrations and steps there are, and statistics of states and actions; at least one demonstration.

    Read back from the shards, so that a resumed run says the same as a whole one.
    """
    arrays: dict[str, list[np.ndarray]] = {"state": [], "action": []}
    for i in range(len(demos)):
        demo = demos[i]
        for name, rows in arrays.items():
            rows.append(demo[f"{name}.npy"])
    columns = {name: np.concatenate(rows) for name, rows in arrays.items()}
    found = {name: statistics(values) for name, values in columns.items()}
    return {"count": len(demos), "frames": len(columns["state"]), "statistics": found}


def statistics(values: np.ndarray) -> dict[str, list[float]]:
    """Column statistics of `values` [n, d], in the body's own units, for normalisation."""
    rows = values.astype(np.float64)
    low, high = np.quantile(rows, [0.01, 0.99], axis=0)
    table = {"min": rows.min(0), "max": rows.max(0), "mean": rows.mean(0), "std": rows.std(0), "q01": low, "q99": high}
    return {name: column.tolist() for name, column in table.items()}
