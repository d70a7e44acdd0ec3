"""Rungs R8–R12, which play the task: a candidate in, the same with the oracle's episodes out; ValueError refuses."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from lapa.stats import wilson
from sim_finetune.cloning import cloned
from sim_finetune.embodiment import PREFIX
from sim_finetune.env import TaskEnv
from sim_finetune.episode import Episode, Jolts, make_env, play
from sim_finetune.games import play_through, play_together
from sim_finetune.goals import MUTANTS, instant
from sim_finetune.mutants import holds_with, mutants
from sim_finetune.novelty import repeats, signature
from sim_finetune.poses import carried, owner
from sim_finetune.predicates import every
from sim_finetune.rungs_text import Candidate
from sim_finetune.wording import model_folder

UNDISTURBED = Jolts(chance=0.0, steps=1, size_m=0.0)
JOLTS = Jolts(chance=0.06, steps=4, size_m=0.04)  # as demonstrations are collected
KEPT = ("not", "released", "upright")  # what may be asked for although it is so: only in the end, it must be
IN_HAND = ("grasped", "height_above")  # goals that end with the object in the gripper


def oracle(candidate: Candidate, *, seeds: int, share: float, wilson_low: float, hold_s: float) -> Candidate:
    """R8: the expert, through the policy's own controller, brings the goal about, it holds, and nothing stays in hand;
    and every part of it was brought about, at least once.

    Ends with the episode after which the others could not make up for those that failed.
    """
    env, kept, missed = make_env(candidate.task, candidate.studio), list[Episode](), dict[int, str]()
    _check_hope(seeds, seeds, share, wilson_low, missed)
    for seed in candidate.seeds(seeds):
        episode = play(env, UNDISTURBED, seed=seed)
        if fault := _fault(env, episode, hold_s):
            missed[seed] = fault
        else:
            kept.append(episode)
        _check_hope(seeds - len(missed), seeds, share, wilson_low, missed)
    _check_brought_about(env, kept)
    facts: dict[str, Any] = {"solved": len(kept), "seeds": seeds, "wilson_low": wilson(len(kept), seeds).low}
    facts |= {"missed": sorted(missed), "first_seed": kept[0].seed}
    facts["steps"] = float(np.mean([len(episode.success) for episode in kept]))
    return candidate._replace(episodes=tuple(kept), facts=facts)


def _check_brought_about(env: TaskEnv, episodes: Sequence[Episode]) -> None:
    """ValueError when something that is asked for was so at every moment of the episodes: it is not what was done."""
    left = list(dict.fromkeys(part for goal in env.task_spec.goals() for part in _demands(goal)))
    for episode in episodes:
        env.reset(seed=episode.seed)
        for physics in episode.physics:
            env.set_physics(physics)
            left = [part for part in left if part.holds(env.view)]
            if not left:
                return
    words = [f"{part.kind} of {', '.join(name for name, _ in part.names())}" for part in left]
    raise ValueError(f"asked for, but so from beginning to end of every episode: {'; '.join(words)}")


def _demands(goal: Any) -> Iterator[Any]:
    """The statements all of which must come true; ways that exclude each other count as one."""
    if goal.kind in ("all", "hold_for"):
        yield from (demand for part in goal.inner() for demand in _demands(part))
    elif goal.said and goal.kind not in KEPT:
        yield goal


def _check_hope(at_best: int, seeds: int, share: float, wilson_low: float, missed: dict[int, str]) -> None:
    """ValueError when even `at_best` solved episodes of so many would not be enough."""
    if at_best < share * seeds or wilson(at_best, seeds).low < wilson_low:
        seed, fault = next(iter(missed.items()), (None, "too few seeds"))
        raise ValueError(
            f"the expert completes at most {at_best} of {seeds} episodes "
            f"(not seeds {list(missed)[:5]}; seed {seed}: {fault})"
        )


def _fault(env: TaskEnv, episode: Episode, hold_s: float) -> str:
    """Why an episode does not count; "" when it does."""
    if not episode.solved:
        return "the goal was lost again" if episode.success.any() else "the goal was never reached"
    if not episode.success[-max(round(hold_s * env.control_hz), 1) :].all():
        return f"the goal did not hold for {hold_s} s"
    stuck = [] if _ends_in_hand(env) else _touched(env, episode)
    return f"{stuck} not let go" if stuck else ""


def _ends_in_hand(env: TaskEnv) -> bool:
    text = env.task_spec.goal.model_dump_json()
    return any(f'"kind":"{kind}"' in text for kind in IN_HAND)


def _touched(env: TaskEnv, episode: Episode) -> list[str]:
    """Objects that were carried and that the robot still touches at the end."""
    env.set_physics(episode.physics[-1])
    robot = PREFIX.rstrip("/")
    pairs = [{owner(env, env.model.geom_bodyid[geom]) for geom in contact.geom} for contact in env.data.contact]
    return [name for name in carried(env, episode.physics) if {robot, name} in pairs]


def mutated(candidate: Candidate, *, seeds: int) -> Candidate:
    """R9: the goal holds in a state the oracle reached, and in no state that spoils it. Counts what did not apply."""
    env, flipped, absent = make_env(candidate.task, candidate.studio), Counter[str](), Counter[str]()
    for episode in candidate.episodes[:seeds]:
        env.reset(seed=episode.seed)  # predicates may look back at the start
        env.set_physics(episode.physics[-1])
        if not instant(candidate.task.goal).holds(env.view):
            raise ValueError(
                f"the state in which the oracle ended does not count when it is restored (seed {episode.seed})"
            )
        found = list(mutants(env, episode))
        for mutant in found:
            if holds_with(env, mutant):
                raise ValueError(f"the goal still holds when {mutant.what} (seed {episode.seed})")
        flipped.update(mutant.kind for mutant in found)
        absent.update(sorted(set(MUTANTS) - {mutant.kind for mutant in found}))
    if not flipped:
        said = sorted({leaf.kind for leaf in every(candidate.task.goal)})
        raise ValueError(f"a wrong success would go unnoticed: no mutant of {list(MUTANTS)} fits a goal of {said}")
    return candidate._replace(facts={"flipped": dict(flipped), "not_applicable": dict(absent)})


def novel(candidate: Candidate, *, structure: float, cosine: float) -> Candidate:
    """R10: no known task is the same, or nearly so."""
    own = signature(candidate.task)
    if fault := repeats(own, candidate.known, structure=structure, cosine=cosine):
        raise ValueError(fault)
    return candidate._replace(facts={"compared_with": len(candidate.known), "text_model": model_folder() is not None})


def replayed(candidate: Candidate, *, seeds: int) -> Candidate:
    """R11: the recorded actions, from the same seed in a fresh environment, bring back every state bit for bit."""
    for episode in candidate.episodes[:seeds]:
        env = make_env(candidate.task, candidate.studio)
        env.reset(seed=episode.seed)
        for step, (physics, action) in enumerate(zip(episode.physics, episode.executed, strict=True)):
            if not np.array_equal(env.get_physics(), physics):
                raise ValueError(f"another state at step {step} of a replay (seed {episode.seed})")
            env.step(action)
    return candidate._replace(facts={"episodes": len(candidate.episodes[:seeds])})


def learnable(candidate: Candidate, *, demos: int, rollouts: int, share: float, steps: int) -> Candidate:
    """R12: what is cloned from `demos` episodes of the oracle completes more than `share` of other ones. 0 demos: off."""
    if not demos:
        return candidate._replace(facts={"skipped": True})
    env, first = make_env(candidate.task, candidate.studio), candidate.first_seed + rollouts
    shown = [play(env, JOLTS, seed=seed) for seed in range(first, first + demos)]
    good = [episode for episode in shown if episode.solved]
    if not good:
        raise ValueError(f"the expert, pushed off its path, completes none of {demos} episodes")
    player = cloned(env, good, steps=steps, seed=candidate.first_seed)
    envs = [make_env(candidate.task, candidate.studio) for _ in range(rollouts)]
    games = [play_through(env, seed=s, execute_steps=1) for env, s in zip(envs, candidate.seeds(rollouts), strict=True)]
    solved = sum(played.row["success_held"] for played in play_together(games, player))
    if solved <= share * rollouts:
        raise ValueError(f"a policy cloned from {len(good)} episodes completes {solved} of {rollouts} others")
    return candidate._replace(facts={"demos": len(good), "solved": solved, "rollouts": rollouts})
