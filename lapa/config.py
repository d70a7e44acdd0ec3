"""Where the yaml lies (checkout, wheel, the user's own folder) and how a door's configuration is composed."""

from pathlib import Path

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from lapa.doors import configs_dir


def compose(name: str, overrides: list[str], config_dir: Path | None = None) -> DictConfig:
    """The configuration `name` with `key=value` overrides; yaml in `config_dir` is found beside ours, which is
    taken where both have a name.

    ValueError in one line when a key, a group's choice or a value does not fit, or a file is no yaml.
    """
    extra = [f"hydra.searchpath=[file://{Path(config_dir).resolve()}]"] if config_dir else []
    if config_dir and not Path(config_dir).is_dir():
        raise ValueError(f"no config folder {config_dir}")
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(configs_dir()), version_base="1.3"):
            cfg = hydra_compose(name, overrides=[*extra, *overrides])
            OmegaConf.resolve(cfg)
    except (HydraException, OmegaConfBaseException, YAMLError) as error:
        raise ValueError(_explain(str(error), name)) from error
    missing = sorted(OmegaConf.missing_keys(cfg))
    if missing:
        raise ValueError(f"`{name}` still needs a value for: {', '.join(f'{key}=…' for key in missing)}")
    return cfg


def _explain(message: str, name: str) -> str:
    lines = [line.strip() for line in message.splitlines() if line.strip() and "full_key" not in line]
    return f"configuration of `{name}`: " + " ".join(lines[:12])


def choices(group: str) -> list[str]:
    """The yaml names of a config group."""
    return sorted(path.stem for path in (configs_dir() / group).glob("*.yaml"))


def groups() -> list[str]:
    """The config groups, by folder (`model`, `source`, …)."""
    return sorted(path.name for path in configs_dir().iterdir() if path.is_dir() and not path.name.startswith("_"))
