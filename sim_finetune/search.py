"""A running environment in, actions out that were searched for by trying many futures (MPPI, CEM), again and again."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol
from weakref import WeakKeyDictionary

import numpy as np
import torch
from jaxtyping import Float

from lapa.records import ActionChunk
from sim_finetune.env import TaskEnv
from sim_finetune.episode import Studio
from sim_finetune.foresight import rewards_ahead
from sim_finetune.many import on_threads
from sim_finetune.solvers import solver_for
from sim_finetune.spec import TaskSpec

# A knot is a tool pose to be at: x, y, z [m, workspace frame], yaw [rad], opening [0, 1].
LOWEST, HIGHEST = np.array([-0.3, -0.3, 0.005, -np.pi, 0.0]), np.array([0.3, 0.3, 0.4, np.pi, 1.0])
Knots = Float[np.ndarray, "k 5"]
Guess = tuple[Knots, Float[np.ndarray, "k 5"]]  # mean and standard deviation of where to look


class Update(Protocol):
    """How what was tried moves the guess."""

    def __call__(self, tried: Float[np.ndarray, "n k 5"], scores: Float[np.ndarray, "n"], guess: Guess) -> Guess:
        """The next guess."""


class Mppi:
    """Model predictive path integral control (Williams et al. 2017): the mean, weighted by exponentiated score.

    temperature: in standard deviations of the scores, so that the scale of a task's reward does not matter.
    """

    def __init__(self, *, temperature: float):
        self._temperature = temperature

    def __call__(self, tried: Float[np.ndarray, "n k 5"], scores: Float[np.ndarray, "n"], guess: Guess) -> Guess:
        """The weighted mean; as wide as before."""
        weights = np.exp((scores - scores.max()) / (self._temperature * scores.std() + 1e-9))
        return np.einsum("n,nkd->kd", weights / weights.sum(), tried), guess[1]


class Cem:
    """Cross-entropy method (Rubinstein 1999): mean and spread of the best.

    elites: how many are the best; least_share: of the first spread, below which it never shrinks in a round.
    """

    def __init__(self, *, elites: int, least_share: float):
        self._elites, self._least_share = elites, least_share

    def __call__(self, tried: Float[np.ndarray, "n k 5"], scores: Float[np.ndarray, "n"], guess: Guess) -> Guess:
        """Fitted to the elites; ValueError when fewer were tried."""
        if self._elites > len(tried):
            raise ValueError(f"{self._elites} elites of {len(tried)} samples: give more samples or fewer elites")
        best = tried[np.argsort(-scores, kind="stable")[: self._elites]]
        return best.mean(axis=0), np.maximum(best.std(axis=0), self._least_share * guess[1])


class Run(NamedTuple):
    """An episode under way."""

    rng: np.random.Generator
    mean: Knots


class Search:
    """Plays by looking ahead: at every call it tries futures in the simulator and begins the one they point to.

    samples: futures a round; rounds: before anything is done; knots: tool poses that make a future of `horizon`
    steps, evenly spaced; execute_steps: of it that are done before the next call; spread_m, spread_rad,
    spread_opening: standard deviations of the first round; approach: see rewards_ahead; seed: of all chance.
    """

    def __init__(
        self,
        *,
        update: Update,
        samples: int,
        rounds: int,
        knots: int,
        horizon: int,
        execute_steps: int,
        spread_m: float,
        spread_rad: float,
        spread_opening: float,
        approach: float,
        seed: int,
    ):
        self._update, self._samples, self._rounds = update, samples, rounds
        self._knots, self._horizon, self._execute_steps = knots, horizon, execute_steps
        self._spread = np.array([spread_m, spread_m, spread_m, spread_rad, spread_opening])
        self._approach, self._seed, self._threads = approach, seed, 1
        self._runs: WeakKeyDictionary[TaskEnv, Run] = WeakKeyDictionary()
        self.hash, self.simulated_steps = type(update).__name__.lower(), 0

    def begin(self, spec: TaskSpec, studio: Studio, *, threads: int) -> None:
        """Nothing to learn beforehand; futures are rolled out by `threads` threads, to the same end."""
        self._threads = threads

    def act_envs(self, envs: Sequence[TaskEnv]) -> list[ActionChunk]:
        """`execute_steps` actions for each; an environment that is new here begins its episode."""
        return [ActionChunk(torch.from_numpy(self._act(env).astype(np.float32))) for env in envs]

    def _act(self, env: TaskEnv) -> Float[np.ndarray, "t d"]:
        run = self._runs[env] if env in self._runs else self._start(env)
        guess = (run.mean, np.tile(self._spread, (self._knots, 1)))
        for _ in range(self._rounds):
            tried = np.clip(run.rng.normal(*guess, (self._samples, *run.mean.shape)), LOWEST, HIGHEST)
            tried[0] = guess[0]  # what was thought best is tried as it is
            actions = np.stack([self._actions(env, knots) for knots in tried])
            moments = on_threads(env, np.tile(env.get_physics(), (len(tried), 1)), actions, threads=self._threads)
            scores = rewards_ahead(env, moments, approach=self._approach).mean(axis=1)
            guess = self._update(tried, scores, guess)
            self.simulated_steps += self._samples * self._horizon
        self._runs[env] = run._replace(mean=self._later(guess[0]))
        return self._actions(env, guess[0])[: self._execute_steps]

    def _start(self, env: TaskEnv) -> Run:
        rng = np.random.default_rng([self._seed, *np.frombuffer(env.get_physics().tobytes(), np.uint32)])
        tool, yaw = solver_for(env.embodiment).forward(env.target()[:-1])
        still = np.tile([*tool, yaw, env.target()[-1]], (self._knots, 1))
        return Run(rng, still)

    def _times(self) -> Float[np.ndarray, "k"]:
        """Steps from now at which the knots are due."""
        return self._horizon / self._knots * np.arange(1, self._knots + 1)

    def _actions(self, env: TaskEnv, knots: Knots) -> Float[np.ndarray, "t d"]:
        """Joint targets through the knots' poses, straight in joint space between them."""
        solver, targets = solver_for(env.embodiment), [env.target()]
        for knot in knots:
            targets.append(np.append(solver.solve(targets[-1][:-1], knot[:3], knot[3]), knot[4]))
        steps, due = np.arange(1, self._horizon + 1), np.append(0, self._times())
        return np.stack([np.interp(steps, due, column) for column in np.stack(targets, axis=1)], axis=1)

    def _later(self, knots: Knots) -> Knots:
        """The same way, as it looks from where it will be continued; it ends where it ended."""
        steps = self._times() + self._execute_steps
        return np.stack([np.interp(steps, self._times(), column) for column in knots.T], axis=1)
