"""A task spec and an embodiment in, a gymnasium environment out: pixels and joints, joint targets as actions."""

from typing import Any

import gymnasium
import mujoco
import numpy as np
from gymnasium import spaces
from jaxtyping import Float, Float32, UInt8

from sim_finetune.arrange import place
from sim_finetune.control import check_action, check_period, drive, limits, put_at, read_state, read_target, wire
from sim_finetune.embodiment import PREFIX, Embodiment
from sim_finetune.predicates import SceneView, keep_time, timed
from sim_finetune.randomise import Randomise, draw
from sim_finetune.render import Camera, camera_id
from sim_finetune.rewards import reward, reward_terms, score
from sim_finetune.scene import CAMERAS, compile_scene
from sim_finetune.spec import TaskSpec
from sim_finetune.stages import Advance, advance, late
from sim_finetune.vary import change_look, lowered, own_model, put_clutter

SETTLE_STEPS = 40  # 0.2 s: placed objects come to rest before the first observation
FULL_STATE = mujoco.mjtState.mjSTATE_INTEGRATION


class TaskEnv(gymnasium.Env):
    """One task for one body.

    image_px: side of the pictures; control_hz: actions a second; cameras: names of scene cameras; max_steps: its end;
    observe_pixels: False leaves "pixels" out of observations (`draw` works), for fast stepping;
    terminate_on_success: whether the episode ends when the goal has held for the spec's hold_s;
    look: how everything looks, instead of what the spec says: the task stays what it is, and a seed puts its objects in
    the same places; None: as the spec says.

    Observation {"pixels": {camera: UInt8[h w 3]}, "agent_pos": Float32[d]};
    action Float32[d]: joint targets [rad or m] and opening [0, 1].
    The reward, in [0, 1], is the progress, or the mean of the terms that the spec writes. `info` at every step and
    reset: success (every stage done, goal held for hold_s), is_success (the same), goal_holds (all of it, now), progress,
    tool_m, stages (bool [number of stages], done so far), reward_terms {name: in [0, 1]};
    at reset also randomisation (randomise.Drawn as a dict) when the spec asks for it.
    """

    def __init__(
        self,
        *,
        spec: TaskSpec,
        embodiment: Embodiment,
        image_px: int,
        control_hz: float,
        cameras: list[str],
        max_steps: int,
        observe_pixels: bool,
        terminate_on_success: bool,
        look: Randomise | None,
        render_mode: str | None = "rgb_array",
    ):
        self.task_spec, self.embodiment = spec, embodiment  # `spec` is gymnasium's own word for its registry
        self.control_hz, self.cameras = control_hz, list(cameras)
        self.image_px, self.observe_pixels, self.terminate_on_success = image_px, observe_pixels, terminate_on_success
        self.render_mode, self._max_episode_steps = render_mode, max_steps
        self.metadata = {"render_modes": ["rgb_array"], "render_fps": control_hz}
        self._look_given = look is not None
        self._dressed = spec.model_copy(update={"randomise": look}) if look else spec
        self._body, self._compiled = embodiment, compile_scene(self._dressed, embodiment)
        self.model = self._compiled if self._dressed.randomise is None else own_model(self._compiled)
        self.data = mujoco.MjData(self.model)
        self.wiring = wire(self.model, embodiment, prefix=PREFIX)
        self.view = SceneView(
            model=self.model, data=self.data, tool=PREFIX + embodiment.tool_site, spec=spec, start={}, since={}
        )
        for camera in self.cameras:
            camera_id(self.model, camera)  # refuses a camera that is not there, before anything runs
        check_period(self.model, control_hz)
        self.task, self.task_description = spec.name, spec.instruction(0)
        self._camera: Camera | None = None  # made at the first picture: a GL context must not cross a fork
        self._steps = self._held = 0
        self._stage = Advance(0, 0.0)
        self._timed = timed(spec.statements())
        self._make_spaces()

    def _make_spaces(self) -> None:
        low, high = limits(self.wiring)
        self.action_space = spaces.Box(low.astype(np.float32), high.astype(np.float32))
        parts: dict[str, spaces.Space] = {"agent_pos": spaces.Box(-np.inf, np.inf, low.shape, np.float32)}
        if self.observe_pixels:
            picture = spaces.Box(0, 255, (self.image_px, self.image_px, 3), np.uint8)
            parts["pixels"] = spaces.Dict(dict.fromkeys(self.cameras, picture))
        self.observation_space = spaces.Dict(parts)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict, dict]:
        """Start an episode; the same seed gives the same places, start pose and words."""
        if seed is not None and seed < 0:
            raise ValueError(f"seed={seed}: a whole number of at least 0 is needed")
        # Mixed with the task's hash: otherwise all tasks would put their objects in the same places for the same seed.
        super().reset(seed=None if seed is None else seed << 32 | int(self.task_spec.hash[:8], 16))
        rng = self.np_random
        mujoco.mj_resetData(self.model, self.data)
        place(self.task_spec, self.model, self.data, rng)
        look = self._change_look()
        body = self.embodiment
        start = np.array(body.home) + rng.uniform(-1, 1, len(body.home)) * body.home_noise
        start = np.append(np.clip(start, self.wiring.low, self.wiring.high), 1.0)
        put_at(self.data, self.wiring, body, start)
        mujoco.mj_step(self.model, self.data, nstep=SETTLE_STEPS)
        mujoco.mj_forward(self.model, self.data)
        self.task_description = self.task_spec.instruction(int(rng.integers(len(self.task_spec.instructions))))
        self._start_over()
        return self.observation(), self._report() | look

    def _change_look(self) -> dict[str, Any]:
        """Draw how the episode looks, when the spec or a look asks for it, and say so: `info["randomisation"]`."""
        spec = self._dressed
        if spec.randomise is None:
            return {}
        rng = (
            self.np_random.spawn(1)[0] if self._look_given else self.np_random
        )  # a look leaves the start pose as it is
        drawn = draw(spec.randomise, list(CAMERAS), rng)
        change_look(self._compiled, self.model, spec.randomise, drawn)
        put_clutter(spec, self.model, self.data, drawn, rng)
        self.embodiment = lowered(self._body, drawn)
        return {"randomisation": drawn._asdict()}

    def _start_over(self) -> None:
        """Forget the episode before: counters, clocks, and where things stood."""
        self._steps = self._held = 0
        self._stage = Advance(0, float(self.data.time))
        poses = {thing.name: self.data.body(thing.name) for thing in self.task_spec.objects}
        start = {name: (body.xpos.copy(), body.xquat.copy()) for name, body in poses.items()}
        self.view = self.view._replace(start=start, since={})

    def step(self, action: Float32[np.ndarray, "d"]) -> tuple[dict, float, bool, bool, dict]:
        """One control period. Actions beyond the limits are cut; ValueError for a wrong length or a NaN."""
        target = check_action(action, self.embodiment)
        drive(self.model, self.data, self.wiring, target, 1 / self.control_hz)
        self._look()
        self._steps += 1
        info = self._report()
        done = self.terminate_on_success and info["success"]
        over = self._steps >= self._max_episode_steps or late(self.task_spec.stages, self._stage, self.view)
        gain = reward(self.task_spec, info["reward_terms"], info["progress"])
        return self.observation(), gain, done, over, info

    def _look(self) -> None:
        """Bring places and contacts up to date: those before the last physics step otherwise. Forces stay as they were."""
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)
        mujoco.mj_collision(self.model, self.data)

    def _report(self) -> dict[str, Any]:
        """Bring stages and clocks up to date with the scene as it is now, and say how it stands: `info`."""
        spec = self.task_spec
        keep_time(self._timed, self.view)
        self._stage = advance(spec.stages, self._stage, self.view)
        scored = score(spec, self._stage, self.view)
        # what holds has progress 1; the other way round is cheaper to ask
        holds = self._stage.done == len(spec.stages) and scored.goal == 1.0 and spec.goal.holds(self.view)
        self._held = self._held + 1 if holds else 0
        success = self._held > round(spec.hold_s * self.control_hz)
        info = {"is_success": success, "success": success, "goal_holds": holds}
        info |= {"progress": scored.progress, "tool_m": self.view.site(self.view.tool).copy()}
        stages = np.arange(len(spec.stages)) < self._stage.done
        return info | {"stages": stages, "reward_terms": reward_terms(spec, scored, self.view)}

    def observation(self) -> dict[str, Any]:
        """What the policy sees now; draws afresh."""
        seen: dict[str, Any] = {"agent_pos": self.state()}
        if self.observe_pixels:
            seen["pixels"] = {camera: self.draw(camera) for camera in self.cameras}
        return seen

    def state(self) -> Float32[np.ndarray, "d"]:
        """Joint positions [rad or m] and opening, named by embodiment.state_names."""
        return read_state(self.data, self.wiring).astype(np.float32)

    @property
    def stage(self) -> Advance:
        """How far the task's stages have come."""
        return self._stage

    def target(self) -> Float[np.ndarray, "d"]:
        """The action being followed now."""
        return read_target(self.data, self.wiring)

    def draw(self, camera: str) -> UInt8[np.ndarray, "h w 3"]:
        """A picture of the present state."""
        if self._camera is None:
            self._camera = Camera(model=self.model, image_px=self.image_px)
        return self._camera.draw(self.data, camera)

    def render(self) -> UInt8[np.ndarray, "h w 3"]:
        """The first camera's picture."""
        return self.draw(self.cameras[0])

    def get_physics(self) -> Float[np.ndarray, "p"]:
        """Everything that physics depends on, to restore or draw this moment later."""
        physics = np.empty(mujoco.mj_stateSize(self.model, FULL_STATE))
        mujoco.mj_getState(self.model, self.data, physics, FULL_STATE)
        return physics

    def set_physics(self, physics: Float[np.ndarray, "p"]) -> None:
        """Go back to a moment of `get_physics`; step and success counters stay."""
        mujoco.mj_setState(self.model, self.data, physics, FULL_STATE)
        mujoco.mj_forward(self.model, self.data)
