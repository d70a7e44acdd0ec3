"""A body in, the inverse kinematics of its tool out, made once a process."""

from sim_finetune.control import ToolSolver
from sim_finetune.embodiment import Embodiment

_SOLVERS: dict[str, ToolSolver] = {}


def solver_for(embodiment: Embodiment) -> ToolSolver:
    """The body's solver, compiled once a process. It keeps no state between calls."""
    key = repr(embodiment)
    if key not in _SOLVERS:
        _SOLVERS[key] = ToolSolver(embodiment=embodiment)
    return _SOLVERS[key]
