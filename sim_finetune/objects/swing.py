"""How doors swing: hinged at a left edge, from their own +x towards −y; in: lengths [m], angles [rad]; out: reach."""

import numpy as np

BEYOND_M = 0.02  # a handle's bar and brackets


def swing_radius_m(hinge_m: tuple[float, float], width_m: float, travel_rad: float) -> float:
    """Largest distance from the origin that a door of that width reaches on its way."""
    turn = np.linspace(0, travel_rad, 32)
    reach = width_m + BEYOND_M
    x, y = hinge_m[0] + reach * np.cos(turn), hinge_m[1] - reach * np.sin(turn)
    return float(np.hypot(x, y).max())
