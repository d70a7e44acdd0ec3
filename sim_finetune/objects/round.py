"""Objects that are round in some way; in: their bounds; out: the smallest disc that holds them."""

from sim_finetune.objects.base import SceneObject


class Round(SceneObject):
    """A thing round about its vertical, or a rod with round ends along its own x: no corner sticks out of the disc."""

    @property
    def radius_m(self) -> float:
        return self.bounds_m[0]
