"""A recipe with settings and arms in; its steps out, each once for each name it gets when settings and arms are filled in."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

NAME = re.compile(r"\$(\w+)")
MOST_DEPTH = 5  # of values in values
HERE = re.compile(r"(/\.)+/")  # "a/./b" is a/b
EVERY = "all"
AGAIN = "seed_{}"  # the folder of a training's repetition, below the setting's
Tree = dict[str, Any]


def steps_of(
    recipe: DictConfig, *, setting: str | Sequence[str], arms: str | Sequence[str] | None, seed: int = 0,
    trainings: int = 1,
) -> dict[str, Tree]:  # fmt: skip
    """{name: {door, with}} in order. setting: one, several or "all"; arms: one, several, or those of each setting when None.

    trainings: how often the steps that say `$again` are carried out, each with its own `$seed` from `seed` up; those
    of the second are in folders `seed_1` (AGAIN). A recipe without settings has its steps as they are written.
    ValueError for a part of the recipe, a setting, an arm or a value that is not there, when a step would be another than
    the one that some setting makes in that folder, and when several trainings are asked of a recipe without settings.
    """
    tree: Any = OmegaConf.to_container(recipe, resolve=True)
    if not isinstance(trainings, int) or trainings < 1 or (trainings > 1 and "settings" not in tree):
        raise ValueError(f"trainings={trainings}: a whole number from 1 up, and 1 for a recipe without settings")
    _check_parts(tree)
    if "settings" not in tree:
        return tree["steps"]
    repeats = [{"again": AGAIN.format(number) if number else ".", "seed": seed + number} for number in range(trainings)]
    # the first of every arm before the second of any: what is cut short has a whole table
    steps: dict[str, tuple[Tree, Tree]] = {}
    for values in ({**row, **repeat} for repeat in repeats for row in _rows(tree, setting, arms)):
        for name, step in _made(tree["steps"], values):
            _check(name, steps.setdefault(name, (step, values)), (step, values))
    for values in ({**row, **repeat} for repeat in repeats for row in _rows(tree, list(tree["settings"]), None)):
        for name, step in _made(tree["steps"], values):
            _check(name, steps.get(name, (step, values)), (step, values))
    return {name: step for name, (step, _) in steps.items()}


def _check_parts(tree: Tree) -> None:
    """ValueError when the recipe lacks a part, or a step its door or the list of its overrides."""
    for part in ("steps", "arms", "sizes") if "settings" in tree else ("steps",):
        if tree.get(part) is None:
            raise ValueError(f"this recipe has no {part!r}")
    for name, step in tree["steps"].items():
        texts = (step or {}).get("with")
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts) or "door" not in step:
            raise ValueError(
                f"step {name!r} needs `door: DOOR` and `with: [key=value, …]`; the steps are {list(tree['steps'])}"
            )


def _made(steps: Mapping[str, Tree], values: Tree) -> Iterator[tuple[str, Tree]]:
    """(name, {door, with}) of each step that one setting has for one arm."""
    for name, step in steps.items():
        if all(values[key] in _words(step.get(f"{key}s", values[key])) for key in ("setting", "arm")):
            made = {"door": step["door"], "with": _overrides(step["with"], values)}
            yield _fill(name, values).removeprefix("./"), made


def _check(name: str, *made: tuple[Tree, Tree]) -> None:
    """ValueError when the two steps, each with the values it is of, differ: the second would replace the first."""
    first, second = (set(step["with"]) for step, _ in made)
    if made[0][0] != made[1][0]:
        told = [f"{values['setting']} with {values['arm']}" for _, values in made]
        unlike = f"{told[0]} {sorted(first - second)} and {told[1]} {sorted(second - first)}"
        raise ValueError(
            f"two steps of this recipe are called {name}: {unlike}; leave the arm out, or give it a folder there"
        )


def _rows(tree: Tree, setting: str | Sequence[str], arms: str | Sequence[str] | None) -> Iterator[Tree]:
    """The values of each chosen setting with each of its arms."""
    chosen = _words(tree.get("all") if setting == EVERY else setting)
    if not chosen:
        raise ValueError(f"setting={setting} names no setting; there are {list(tree['settings'])}")
    for one in chosen:
        if one not in tree["settings"]:
            raise ValueError(f"no setting {one!r}; there are {[EVERY, *tree['settings']]}")
        own = _like(tree["settings"], one)
        given = _words(arms) or _words(own.get("arms"))
        if not given:
            raise ValueError(f"setting {one!r} has no arms; there are {list(tree['arms'])}")
        for arm in given:
            if arm not in tree["arms"]:
                raise ValueError(f"no arm {arm!r}; there are {list(tree['arms'])}")
            yield {**tree["sizes"], **own, **tree["arms"][arm], "setting": one, "arm": arm}


def _words(given: str | Sequence[str] | None) -> Sequence[str]:
    """A list of words; one alone is a list too, and nothing an empty one."""
    return [given] if isinstance(given, str) else given or []


def _like(settings: Mapping[str, Tree], name: str, above: tuple[str, ...] = ()) -> Tree:
    """A setting's values, over those of the one that it is `like`; above: those that are like this one."""
    own = settings[name] or {}
    if "like" not in own:
        return own
    others = [other for other in settings if other not in (*above, name)]
    if own["like"] not in others:
        raise ValueError(f"setting {name!r} cannot be like {own['like']!r}; it can be like {others}")
    return {**_like(settings, own["like"], (*above, name)), **own}


def _overrides(texts: Sequence[str], values: Mapping[str, Any]) -> list[str]:
    """Every text filled in; one that is only the name of a list gives way to all that the list holds."""
    lists = [values.get(text.removeprefix("$")) if text.startswith("$") else None for text in texts]
    flat = [
        each for text, some in zip(texts, lists, strict=True) for each in (some if isinstance(some, list) else [text])
    ]
    return [_fill(text, values) for text in flat]


def _fill(text: str, values: Mapping[str, Any]) -> str:
    """The text with each `$name` as its value, and the names in those."""
    for _ in range(MOST_DEPTH):
        missing = sorted(set(NAME.findall(text)) - set(values))
        if missing:
            raise ValueError(f"{text!r}: no value {missing[0]!r}; there are {sorted(values)}")
        text = NAME.sub(lambda found: "null" if (value := values[found[1]]) is None else str(value), text)
    if NAME.search(text):
        raise ValueError(f"{text!r}: a value that names itself")
    return HERE.sub("/", text)
