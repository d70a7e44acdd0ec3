"""A door's settings in; one line that names setting and range for a value with which nothing could be played."""

from omegaconf import DictConfig, OmegaConf

from sim_finetune.scene import CAMERAS


def check_counts(cfg: DictConfig, *keys: str) -> None:
    """ValueError for the first of these settings, dotted within a group, that is no whole number of at least 1."""
    for key in keys:
        value = OmegaConf.select(cfg, key)
        if type(value) is not int or value < 1:
            raise ValueError(f"{key}={value}: a whole number of at least 1 is needed")


def check_studio(cfg: DictConfig) -> None:
    """ValueError for a studio without a picture, a step or a rate."""
    check_counts(cfg, "studio.image_px", "studio.max_steps")
    rate_hz = cfg.studio.control_hz
    if type(rate_hz) not in (int, float) or not rate_hz > 0:
        raise ValueError(f"studio.control_hz={rate_hz}: a number above 0 is needed [Hz]")
    if not cfg.studio.cameras:
        raise ValueError(f"studio.cameras={cfg.studio.cameras}: at least one of {list(CAMERAS)} is needed")
