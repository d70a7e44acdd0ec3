"""A set of tasks in; out: how unlike one another they are, in words, in things and in goals (arXiv 2410.08172, no judge)."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from statistics import fmean
from typing import Any

import numpy as np

from sim_finetune.novelty import jaccard, signature
from sim_finetune.predicates import every
from sim_finetune.spec import TaskSpec
from sim_finetune.wording import Embed, embedder

LONGEST = 4  # words in an n-gram of BLEU
LEAST_COSINE = 1e-6  # or sentences with nothing in common would be infinitely unlike

Ngram = tuple[str, ...]


def diversity(specs: Sequence[TaskSpec]) -> dict[str, Any]:
    """All measures of a set, and how many tasks hold each kind of object and of predicate.

    A measure of pairs is None for one task; `diversity_text` is None without a text model too.
    """
    texts, signatures = [spec.instruction(0) for spec in specs], [signature(spec) for spec in specs]
    return {
        "diversity_text": text_diversity(texts, embedder()),
        "self_bleu": self_bleu(texts),
        "diversity_assets": mean_over_pairs([each.assets for each in signatures], lambda a, b: 1 - jaccard(a, b)),
        "diversity_predicates": mean_over_pairs(
            [each.predicates for each in signatures], lambda a, b: 1 - jaccard(a, b)
        ),
        "objects": _tasks_with({thing.kind for thing in spec.objects} for spec in specs),
        "predicates": _tasks_with(_predicates(spec) for spec in specs),
    }


def mean_over_pairs(items: Sequence[Any], measure: Callable[[Any, Any], float]) -> float | None:
    """Mean of a symmetric measure over all pairs; None when there is no pair."""
    values = [measure(one, other) for one, other in combinations(items, 2)]
    return fmean(values) if values else None


def text_diversity(texts: Sequence[str], embed: Embed | None) -> float | None:
    """−log of the mean pairwise cosine of the sentences' embeddings, negative ones as 0: 0 when all say the same.

    None for fewer than two sentences, or without a model.
    """
    if embed is None or len(texts) < 2:
        return None
    vectors = np.stack([embed(text) for text in texts])
    cosines = np.clip((vectors @ vectors.T)[np.triu_indices(len(texts), k=1)], 0, 1)
    return -math.log(max(float(cosines.mean()), LEAST_COSINE))


def self_bleu(texts: Sequence[str]) -> float | None:
    """Mean BLEU-4 of each sentence against all others, in [0, 1]; 1 when all say the same. None for one sentence.

    Short sentences: from two words on, one is added to matches and to n-grams (Lin and Och 2004).
    """
    if len(texts) < 2:
        return None
    words = [text.lower().split() for text in texts]
    counts = [[_ngrams(sentence, n) for sentence in words] for n in range(1, LONGEST + 1)]
    logs = np.mean([_log_precisions(grams, smooth=int(n > 0)) for n, grams in enumerate(counts)], axis=0)
    lengths = [len(sentence) for sentence in words]
    return fmean(math.exp(log) * _brevity(lengths, i) for i, log in enumerate(logs))


def _ngrams(words: Sequence[str], n: int) -> Counter[Ngram]:
    return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))


def _log_precisions(grams: Sequence[Counter[Ngram]], *, smooth: int) -> list[float]:
    """Of each sentence: log of the share of its n-grams that another sentence has as often."""
    most: dict[Ngram, list[int]] = {}  # the two largest counts of each n-gram over all sentences
    for gram, count in (item for each in grams for item in each.items()):
        most[gram] = sorted([*most.get(gram, [0, 0]), count])[-2:]
    logs = []
    for each in grams:
        # what the others have most often: the second largest where the largest is this sentence's own
        found = sum(min(count, most[gram][0 if most[gram][1] == count else 1]) for gram, count in each.items())
        share = (found + smooth) / max(each.total() + smooth, 1)
        logs.append(math.log(share) if share else -math.inf)
    return logs


def _brevity(lengths: Sequence[int], own: int) -> float:
    """BLEU's penalty for a sentence shorter than the other whose length is nearest."""
    others = [length for i, length in enumerate(lengths) if i != own]
    nearest = min(others, key=lambda length: (abs(length - lengths[own]), length))
    return math.exp(min(0.0, 1 - nearest / max(lengths[own], 1)))


def _predicates(spec: TaskSpec) -> set[str]:
    """Kinds of the statements of its goals, without combinators."""
    goals = [spec.goal, *(stage.goal for stage in spec.stages)]
    return {each.kind for goal in goals for each in every(goal) if not each.inner()}


def _tasks_with(sets: Iterable[set[str]]) -> dict[str, int]:
    return dict(sorted(Counter(kind for kinds in sets for kind in kinds).items()))


def diversity_dynamics(errors: Mapping[str, Mapping[str, float]]) -> float:
    """How much worse a world model does on a task that it has not seen, mean over the tasks left out; units of the error.

    errors[left][task]: error on `task` of the model that was trained without `left`, and on all others. ValueError unless
    every task was left out once and every model was measured on every task, two at least.
    """
    tasks = set(errors)
    if len(tasks) < 2 or any(set(measured) != tasks for measured in errors.values()):
        raise ValueError(
            f"every model left out one of {sorted(tasks)} and has to be measured on all of them, two or more"
        )
    gaps = [found[left] - fmean(found[task] for task in tasks - {left}) for left, found in errors.items()]
    return fmean(gaps)
