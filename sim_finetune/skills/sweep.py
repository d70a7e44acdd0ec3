"""A pile and a zone in, goals for the tool out: behind the grain that lies farthest out, and through to the zone."""

import numpy as np

from sim_finetune.skills.base import FAST, SLOW, Goal, Skill, Step, World, at_height, smallest_turn
from sim_finetune.skills.travel import rise, straight, travel
from sim_finetune.skills.where import target_of

SWEEP_M = 0.011  # height of the tool over the table: fingertips just above it
BEHIND_M = 0.04
OVER_M = 0.06  # height between two strokes
BROAD_M = 0.016  # between the fingers: broad, but no grain goes through
STROKES = 12


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
    start = Goal(at_height(grain - BEHIND_M * along, SWEEP_M), yaw, BROAD_M, FAST)
    above = start._replace(tool_m=at_height(start.tool_m, OVER_M))
    yield from travel(world, lambda: above, 0.02)
    yield from straight(world, start, 0.01)
    end = start._replace(tool_m=at_height(zone, SWEEP_M), speed_m_s=SLOW)
    yield from straight(world, end, 0.015)
    yield from rise(world, OVER_M, end._replace(speed_m_s=FAST))


def _farthest(world: World, step: Step, zone_m: np.ndarray) -> np.ndarray:
    """The grain farthest from the zone's middle: bodies named PILE/1, PILE/2, …"""
    model = world.env.model
    grains = [i for i in range(model.nbody) if model.body(i).name.startswith(f"{step.object}/")]
    places = world.env.data.xpos[grains]
    return places[int(np.argmax(np.linalg.norm((places - zone_m)[:, :2], axis=1)))].copy()
