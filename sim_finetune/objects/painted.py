"""What is painted on the table; in: half extents; out: bounds as thin as paint, on the table's height."""

from sim_finetune.objects.base import Metres, SceneObject

THICKNESS_M = 0.001  # just enough not to flicker against the table when drawn


class Painted(SceneObject):
    """Paint within half_extents_m: (x, y)."""

    half_extents_m: tuple[Metres, Metres]

    @property
    def bounds_m(self) -> tuple[float, float, float]:
        return (*self.half_extents_m, THICKNESS_M)

    @property
    def rest_height_m(self) -> float:
        return 0.0
