"""A pile and a zone in, goals for the tool out: behind the grain that lies farthest out, and through to the zone."""

import numpy as np

from sim_finetune.skills.base import FAST, SLOW, WIDE_M, Goal, Skill, Step, World, at_height, smallest_turn
from sim_finetune.skills.travel import travel
from sim_finetune.skills.where import target_of

SWEEP_M = 0.014  # height of the tool over the table
BEHIND_M = 0.04
STROKES = 12
INSIDE = 0.7  # of the zone's half extents: as far in as a stroke brings a grain


def sweep(world: World, step: Step) -> Skill:
    """Stroke after stroke towards the zone's middle until what is wished for holds."""
    for _ in range(STROKES):
        if step.want is not None and step.want.holds(world.env.view):
            return
        yield from _stroke(world, step)


def _stroke(world: World, step: Step) -> Skill:
    zone = world.centre(target_of(step))
    grain = _farthest(world, step, zone)
    along = at_height(zone - grain, 0.0) / max(float(np.linalg.norm((zone - grain)[:2])), 1e-9)
    yaw = smallest_turn(float(np.arctan2(along[1], along[0])), np.pi)
    start = Goal(at_height(grain - BEHIND_M * along, SWEEP_M), yaw, WIDE_M / 2, FAST)
    above = start._replace(tool_m=at_height(start.tool_m, 0.06))
    yield from travel(world, lambda: above, 0.02)
    yield from travel(world, lambda: start, 0.01)
    end = start._replace(tool_m=at_height(zone, SWEEP_M), speed_m_s=SLOW)
    yield from travel(world, lambda: end, 0.015)
    raised = end._replace(tool_m=at_height(end.tool_m, 0.06), speed_m_s=FAST)
    yield from travel(world, lambda: raised, 0.02)


def _farthest(world: World, step: Step, zone_m: np.ndarray) -> np.ndarray:
    """The grain farthest from the zone's middle: bodies named PILE/0, PILE/1, …"""
    model = world.env.model
    grains = [i for i in range(model.nbody) if model.body(i).name.startswith(f"{step.object}/")]
    places = world.env.data.xpos[grains]
    return places[int(np.argmax(np.linalg.norm((places - zone_m)[:, :2], axis=1)))].copy()
