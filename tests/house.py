"""House rules a machine can see: no file above 300 lines, no function above 50. `make check` runs it."""

import ast
import sys
from pathlib import Path

FILE_LINES, FUNCTION_LINES = 300, 50
ROOMS = ("lapa", "video_data", "quantizer", "policy", "sim_finetune", "tests", "benchmarks")


def faults(path: Path) -> list[str]:
    """What in `path` is too long."""
    text = path.read_text()
    rows = [f"{path}: {text.count(chr(10))} lines"] if text.count("\n") > FILE_LINES else []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                rows.append(f"{path}:{node.lineno} {node.name}: {lines} lines")
    return rows


if __name__ == "__main__":
    root = Path(__file__).resolve().parent.parent
    found = [row for room in ROOMS for path in sorted((root / room).rglob("*.py")) for row in faults(path)]
    print("\n".join(found) or "sizes: every file and function within bounds")
    sys.exit(bool(found))
