"""Where the yaml lies (checkout, wheel, the user's own folder) and how a door's configuration is composed."""

import re
from pathlib import Path

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from lapa.doors import configs_dir, quoted

SYNTAX = re.compile(r"""[\[\]{},'"]""")  # what in a value may be meant for Hydra


def compose(name: str, overrides: list[str], config_dir: Path | None = None) -> DictConfig:
    """The configuration `name` with `key=value` overrides; yaml in `config_dir` is found beside ours, which is
    taken where both have a name.

    ValueError in one line when a key, a group's choice or a value does not fit, or a file is no yaml.
    """
    extra = [f"hydra.searchpath=[file://{Path(config_dir).resolve()}]"] if config_dir else []
    typed = [readable(override) for override in [*extra, *overrides]]
    if config_dir and not Path(config_dir).is_dir():
        raise ValueError(f"no config folder {config_dir}")
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(configs_dir()), version_base="1.3"):
            cfg = hydra_compose(name, overrides=typed)
            OmegaConf.resolve(cfg)
    except (HydraException, OmegaConfBaseException, YAMLError) as error:
        raise ValueError(_explain(str(error), name)) from error
    missing = sorted(OmegaConf.missing_keys(cfg))
    if missing:
        raise ValueError(f"`{name}` still needs a value for: {', '.join(f'{key}=…' for key in missing)}")
    return cfg


def readable(override: str) -> str:
    """`key=value`, the value quoted where Hydra's grammar could not read it and it is plainly a name: a path may hold any
    letter, and parentheses. So with each word of a list; "~/" is the user's own folder."""
    key, _, value = override.partition("=")
    value = str(Path(value).expanduser()) if value.startswith("~/") else value
    if not value:
        return override
    if _reads(f"{key}={value}"):
        return f"{key}={value}"
    is_list = value.startswith("[") and value.endswith("]")
    words = value[1:-1].split(",") if is_list else [value]
    told = [quoted(word.strip()) if not (SYNTAX.search(word) or _reads(f"{key}={word}")) else word for word in words]
    return f"{key}=[{','.join(told)}]" if is_list else f"{key}={told[0]}"


def _reads(override: str) -> bool:
    try:
        OverridesParser.create().parse_override(override)
    except HydraException:
        return False
    return True


def _explain(message: str, name: str) -> str:
    lines = [line.strip() for line in message.splitlines() if line.strip() and "full_key" not in line]
    return f"configuration of `{name}`: " + " ".join(lines[:12])


def choices(group: str) -> list[str]:
    """The yaml names of a config group."""
    return sorted(path.stem for path in (configs_dir() / group).glob("*.yaml"))


def groups() -> list[str]:
    """The config groups, by folder (`model`, `source`, …)."""
    return sorted(path.name for path in configs_dir().iterdir() if path.is_dir() and not path.name.startswith("_"))
