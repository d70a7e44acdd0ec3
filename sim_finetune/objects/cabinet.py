"""A cabinet; in: outer half extents and travel; out: a fixed box with a door as wide as its front."""

from typing import Literal

from sim_finetune.objects.hutch import Hutch


class Cabinet(Hutch):
    """A cabinet whose door opens to its own −y. half_extents_m: (x, y, z) outer, without the door."""

    kind: Literal["cabinet"]
