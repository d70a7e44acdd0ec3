"""A task spec in; ValueError in one line when a name in it binds to nothing, or to something that does not fit."""

from functools import lru_cache
from string import Formatter
from typing import TYPE_CHECKING

import mujoco

from sim_finetune.objects import SceneObject
from sim_finetune.placement import Layout
from sim_finetune.predicates import Predicate, every
from sim_finetune.predicates.base import asked
from sim_finetune.predicates.poses import PoseNear

if TYPE_CHECKING:
    from sim_finetune.spec import TaskSpec


def check_names(spec: "TaskSpec") -> None:
    """Refuse a task one of whose names is not there, is there twice, or names the wrong kind of thing."""
    _unique("objects", [thing.name for thing in spec.objects])
    _unique("reward terms", [term.name for term in spec.rewards])
    _check_predicate(spec, "the goal", spec.goal)
    for number, stage in enumerate(spec.stages):
        _check_predicate(spec, f"stage {number}", stage.goal)
    for term in spec.rewards:
        _check_predicate(spec, f"reward term {term.name!r}", term.term)
    for template in (*spec.instructions, *(stage.instruction for stage in spec.stages)):
        _check_template(spec, template)
    for goal in spec.goals():
        _check_slots(spec, goal)
    _check_hints(spec)
    _check_layouts(spec)
    _check_places(spec)


def _unique(what: str, names: list[str]) -> None:
    if len(set(names)) < len(names):
        raise ValueError(f"two {what} share a name: {names}")


def _check_predicate(spec: "TaskSpec", owner: str, predicate: Predicate) -> None:
    for name, kinds in predicate.names():
        kind = spec.object(name).kind
        if kinds and kind not in kinds:
            raise ValueError(f"{owner} needs {name!r} to be one of {list(kinds)}; it is a {kind}")
    for inner in every(predicate):
        for name, part in inner.sites():
            _check_site(spec, name, part)


def _check_slots(spec: "TaskSpec", goal: Predicate) -> None:
    """A tolerance as large as a slot is deep would take what lies on the board for fitted. A fixture's `top` is a slot's."""
    for part in asked(goal):
        if isinstance(part, PoseNear):
            board = spec.object(part.target)
            depth_m = 2 * board.bounds_m[2]
            if (part.site.startswith("slot") or board.kind == "fixture") and part.within_m >= depth_m:
                raise ValueError(
                    f"within_m {part.within_m} of {part.site!r} must be less than {depth_m:g}, the depth of {board.name!r}"
                )


def _check_site(spec: "TaskSpec", name: str, part: str) -> None:
    thing = spec.object(name)
    if part not in (parts := site_parts(thing)):
        raise ValueError(f"no site {part!r} on {name!r}, a {thing.kind}; it has {list(parts)}")


@lru_cache(maxsize=1024)
def site_parts(thing: SceneObject) -> tuple[str, ...]:
    """The sites an object has: "top" for its site NAME/top."""
    scene = mujoco.MjSpec()
    thing.add_to(scene)
    prefix = f"{thing.name}/"
    return tuple(site.name.removeprefix(prefix) for site in scene.sites if site.name.startswith(prefix))


def _check_template(spec: "TaskSpec", template: str) -> None:
    for _, field, layout, conversion in Formatter().parse(template):
        if field is not None:
            spec.object(field)
        if layout or conversion:  # a width of a billion would be filled
            raise ValueError(f"instruction {template[:80]!r}: only {{name}} may stand in braces")


def _check_hints(spec: "TaskSpec") -> None:
    for call in spec.oracle:
        spec.object(call.object)
        if call.target is not None:
            spec.object(call.target)
        if call.site is not None:
            _check_site(spec, call.object, call.site)


def _check_layouts(spec: "TaskSpec") -> None:
    """Every object of a layout is there, stands nowhere else, and in no other layout."""
    homes: dict[str, Layout] = {}
    for layout in spec.layouts:
        for name in layout.objects:
            if spec.object(name).place is not None:
                raise ValueError(f"{name!r} has a place of its own and one in a {layout.pattern}")
            if homes.setdefault(name, layout) is not layout:
                raise ValueError(f"{name!r} stands in two layouts")


def _check_places(spec: "TaskSpec") -> None:
    """What an object is placed by is there, has the hollow it needs, and is not placed by the object itself."""
    for thing in spec.objects:
        if thing.place is None or thing.place.parent is None:
            continue
        parent = spec.object(thing.place.parent)
        if thing.place.kind == "inside":
            _check_site(spec, parent.name, "inside")
        if thing.place.kind == "relative" and parent.place is not None and parent.place.kind in ("on", "inside"):
            raise ValueError(f"{thing.name!r} cannot stand beside {parent.name!r}, which does not stand on the table")
        chain = [thing.name]
        while parent is not None:
            chain.append(parent.name)
            if chain.count(parent.name) > 1:
                raise ValueError(f"placements go round in a circle: {' by '.join(chain)}")
            above = parent.place.parent if parent.place is not None else None
            parent = spec.object(above) if above is not None else None
