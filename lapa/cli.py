# PYTHON_ARGCOMPLETE_OK
"""The command line: `lapa DOOR key=value …` in, a door called with its composed configuration; no torch for help."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lapa.doors import DOORS, door_help, named

SPINS = "3000"  # idle rounds before a waiting thread sleeps; read when torch is loaded


def main(argv: list[str] | None = None) -> None:
    """Parse, compose and enter one door. A user's mistake ends in one line and exit status 2.

    Threads that wait do not take the cores of other work: two of them beside three busy processes train a policy more than
    twice as fast with SPINS as with OpenMP's own 300,000 rounds, and as fast on quiet cores (docs/performance.md).
    """
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
    parser = build_parser(sys.argv[1:] if argv is None else argv)
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(parser)
    args = parser.parse_args(argv)
    if args.door is None:
        parser.print_help()
        return
    try:
        enter(args.door, named(args.door, args.overrides), args.config_dir)
    except Exception as error:
        fault = user_fault(error)
        if fault is None or os.environ.get("LAPA_TRACEBACK"):
            raise
        print(f"lapa {args.door}: {fault}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print(f"\nlapa {args.door}: interrupted; the same command goes on where it stopped", file=sys.stderr)
        sys.exit(130)


def user_fault(error: Exception) -> Exception | None:
    """The error to tell in one line: a ValueError or OSError, also where Hydra wrapped it; None for a fault of ours."""
    inner: BaseException | None = error
    while type(inner).__name__ == "InstantiationException":  # hydra's; not imported here, help must stay fast
        inner = inner.__cause__  # type: ignore[union-attr]
    tellable = (ValueError, OSError) if inner is error else (ValueError, OSError, TypeError)
    return inner if isinstance(inner, tellable) else None


def enter(door: str, overrides: list[str], config_dir: Path | None = None) -> None:
    """Compose the door's configuration and call its `main(cfg)`; trained policies may be named as on the hub."""
    from lapa.config import compose
    from lapa.hub import placed

    overrides = [placed(override) for override in overrides]
    cfg = compose(door, overrides, config_dir)
    if "config_dir" in cfg and config_dir:
        cfg.config_dir = str(config_dir)
    module, _, function = DOORS[door].target.partition(":")
    ours = [door, *overrides, *(["--config-dir", str(config_dir)] if config_dir else [])]
    typed, sys.argv[1:] = sys.argv[1:], ours  # what Lightning runs once more for each further rank: not a whole recipe
    try:
        getattr(importlib.import_module(module), function)(cfg)
    finally:
        sys.argv[1:] = typed


def build_parser(typed: Sequence[str] = ()) -> argparse.ArgumentParser:
    """One sub-command a door; every one takes Hydra overrides and a folder of the user's own yaml.

    typed: the command line; the help of `lapa build source=folder --help` shows the yaml of that source too.
    """
    parser = argparse.ArgumentParser("lapa", description="Robot policies from videos that nobody labelled.")
    doors = parser.add_subparsers(dest="door", metavar="DOOR")
    for name, door in DOORS.items():
        sub = doors.add_parser(
            name,
            help=door.summary,
            description=door.summary,
            epilog=door_help(name, typed),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        sub.add_argument("--config-dir", type=Path, help="a folder of your own yaml, laid out like configs/")
        overrides = sub.add_argument("overrides", nargs="*", metavar="key=value", help="Hydra overrides")
        overrides.completer = complete_override  # type: ignore[attr-defined]
    return parser


def complete_override(prefix: str, parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """Shell completion: the keys of the door's yaml, and the choices of its groups."""
    from lapa.doors import override_keys

    return [word for word in override_keys(parsed_args.door) if word.startswith(prefix)]
