"""A task, a body and a seed in; one expert episode out, with pushes off its path. Pictures are drawn afterwards."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from hydra.utils import instantiate
from jaxtyping import Bool, Float, Float32, Float64, UInt8
from omegaconf import DictConfig

from sim_finetune.bounds import check_studio
from sim_finetune.embodiment import Embodiment, check_embodiment
from sim_finetune.env import TaskEnv
from sim_finetune.expert import Expert
from sim_finetune.randomise import Randomise
from sim_finetune.solvers import solver_for
from sim_finetune.spec import TaskSpec

SEEDS_A_REPLICATE, REPLICATES = 50_000, 20
SEEDS_A_PURPOSE = SEEDS_A_REPLICATE * REPLICATES
LINGER_S, LINGER_STEPS = 0.8, 8  # at least: as long as a chunk of actions, longer than the gap of a frame pair
ENVS_KEPT = 32  # environments a process keeps; they share one GL context


class Studio(NamedTuple):
    """How episodes are played and seen: equal for the videos, demonstrations and rollouts of one recipe."""

    embodiment: Embodiment
    image_px: int
    control_hz: float  # also the frame rate of the clips
    cameras: tuple[str, ...]  # the first is the clip's mp4, the others are "<camera>.mp4"
    max_steps: int
    look: Randomise | None = None  # as the tasks say

    @classmethod
    def of(cls, cfg: DictConfig) -> "Studio":
        """From a door's `embodiment` and `studio` keys."""
        check_studio(cfg)
        body = check_embodiment(instantiate(cfg.embodiment, _convert_="all"))
        values: dict[str, Any] = dict(cfg.studio)
        values |= {"embodiment": body, "cameras": tuple(values["cameras"]), "look": look_of(values["look"])}
        return cls(**values)


def look_of(fields: Mapping[str, Any] | None) -> Randomise | None:
    """The look that yaml describes (configs/look); None when it describes nothing."""
    return Randomise(**fields) if fields else None


class Jolts(NamedTuple):
    """Pushes that throw the expert off its path now and then, so that demonstrations show how to come back.

    Labels stay what the expert wanted (the idea of DART, arXiv 1703.09327), so a push is never imitated.
    """

    chance: float  # that one begins at a step
    steps: int  # that one lasts
    size_m: float  # standard deviation of the tool's displacement over the whole push, per axis


class Episode(NamedTuple):
    """What happened. Row i: state, tool and physics before step i, both actions of step i, success after it."""

    seed: int
    text: str
    state: Float32[np.ndarray, "t s"]
    action: Float32[np.ndarray, "t d"]  # what the expert wanted
    executed: Float32[np.ndarray, "t d"]  # what was sent
    motion: Float32[np.ndarray, "t 3"]  # tool position [m, workspace frame]; to measure codes with, never to train on
    physics: Float64[np.ndarray, "t p"]
    success: Bool[np.ndarray, "t"]

    @property
    def solved(self) -> bool:
        """Whether it ended in success (held for the spec's hold_s)."""
        return bool(self.success[-1])


def seed_block(base: int, *, replicate: int, count: int) -> range:
    """`count` episode seeds from `base` (one purpose: videos 0…, demonstrations 1 000 000…, validation, test).

    Another replicate is another stretch. ValueError when it would run into the next replicate's or purpose's.
    """
    if base < 0:
        raise ValueError(f"seed_base={base}: a whole number of at least 0 is needed")
    if not (0 <= replicate < REPLICATES and count <= SEEDS_A_REPLICATE):
        raise ValueError(
            f"seed={replicate} must be in 0…{REPLICATES - 1} and {count} episodes at most {SEEDS_A_REPLICATE} a task"
        )
    first = base + replicate * SEEDS_A_REPLICATE
    if first + count > (end := (base // SEEDS_A_PURPOSE + 1) * SEEDS_A_PURPOSE):
        raise ValueError(f"seed={replicate} from seed_base={base} on would take seeds from {end} on, which others use")
    return range(first, first + count)


def make_env(spec: TaskSpec, studio: Studio) -> TaskEnv:
    """An environment of this process for a task, without pictures in its observations; ends when the goal has held."""
    return TaskEnv(
        spec=spec,
        embodiment=studio.embodiment,
        image_px=studio.image_px,
        control_hz=studio.control_hz,
        cameras=list(studio.cameras),
        max_steps=studio.max_steps,
        observe_pixels=False,
        terminate_on_success=True,
        look=studio.look,
    )


_KEPT: dict[tuple[str, str], TaskEnv] = {}


def kept_env(spec: TaskSpec, studio: Studio) -> TaskEnv:
    """The same environment again for the same task; a reset forgets all that happened in it."""
    key = (spec.hash, repr(studio))
    if key not in _KEPT:
        if len(_KEPT) >= ENVS_KEPT:
            del _KEPT[next(iter(_KEPT))]
        _KEPT[key] = make_env(spec, studio)
    return _KEPT[key]


def play(env: TaskEnv, jolts: Jolts, *, seed: int) -> Episode:
    """The expert does the task once. Equal arguments give equal bytes."""
    env.reset(seed=seed)
    # not the stream that places the objects; and each task's own, or all tasks would be pushed alike at the same seed
    rng = np.random.default_rng([seed, 1, int(env.task_spec.hash[:8], 16)])
    expert, push = Expert(env, noise=0.0, rng=rng), pushes(jolts, rng)
    rows, left = [], None  # steps still to be played once the episode has ended
    while left != 0:
        before = (env.state(), env.view.site(env.view.tool).astype(np.float32), env.get_physics())
        action = expert.act()
        executed = shifted(env, action, next(push))
        _, _, terminated, truncated, info = env.step(executed)
        rows.append((before[0], action, executed, *before[1:], info["success"]))
        left = _steps_left(left, ended=truncated, solved=terminated, hz=env.control_hz)
    return Episode(seed, env.task_description, *(np.stack(column) for column in zip(*rows, strict=True)))


def _steps_left(left: int | None, *, ended: bool, solved: bool, hz: float) -> int | None:
    """After success the expert stays for LINGER_S, so that clips and chunks of actions show how to stay."""
    if left is not None:
        return left - 1
    return max(LINGER_STEPS, round(LINGER_S * hz)) if solved else 0 if ended else None


def pushes(jolts: Jolts, rng: np.random.Generator):
    """Endless tool displacements [m], one a step, zero most of the time; never downwards, into the table."""
    left, push = 0, np.zeros(3)
    while True:
        if left == 0 and rng.random() < jolts.chance:
            left, push = jolts.steps, rng.normal(0, jolts.size_m, 3) / jolts.steps
            push[2] = abs(push[2])
        yield push if left else None
        left = max(left - 1, 0)


def shifted(
    env: TaskEnv, action: Float32[np.ndarray, "d"], push: Float[np.ndarray, "3"] | None
) -> Float32[np.ndarray, "d"]:
    """The action whose tool pose is `push` away from that of `action`; gripper unchanged."""
    if push is None:
        return action
    solver = solver_for(env.embodiment)
    tool, yaw = solver.forward(action[:-1])
    return np.append(solver.solve(action[:-1], tool + push, yaw), action[-1]).astype(np.float32)


def film(env: TaskEnv, episode: Episode) -> dict[str, UInt8[np.ndarray, "t h w 3"]]:
    """What each camera saw before each step of the episode."""
    frames: dict[str, list[np.ndarray]] = {camera: [] for camera in env.cameras}
    for physics in episode.physics:
        env.set_physics(physics)
        for camera in env.cameras:
            frames[camera].append(env.draw(camera))
    return {camera: np.stack(pictures) for camera, pictures in frames.items()}
