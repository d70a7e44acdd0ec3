"""A knob, lever or faucet in, goals for the tool out: taken, turned, and taken again when the wrist can go no farther."""

from sim_finetune.skills.base import Skill, Step, World
from sim_finetune.skills.pull_joint import pull_joint

TAKES = 3


def turn_joint(world: World, step: Step) -> Skill:
    """Turn the joint as far as it shall; a wide turn takes several grips."""
    for _ in range(TAKES):
        yield from pull_joint(world, step)
        if step.want is None or step.want.holds(world.env.view):
            return
