"""The training door: a Lightning module and a data module by configuration in, an exported model folder out."""

import logging
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hydra
import lightning as L
import torch
from hydra.errors import InstantiationException
from lightning.pytorch.loggers import CSVLogger, Logger
from omegaconf import DictConfig

from lapa import checkpoint
from lapa.callbacks import Resume, SeedEachStep, Switches
from lapa.metrics import LOGS, next_version, read_metrics
from lapa.precision import FP32, resolve
from lapa.ranks import is_first, own_group
from lapa.stage import Stage, join_stage, open_stage
from lapa.throughput import Bar, Throughput


def main(cfg: DictConfig) -> None:
    """Train `cfg.model` on `cfg.data` into `cfg.out`; takes up `out/resume/last.ckpt` when it is there.

    With several devices this runs once a rank; rank 0 alone prints and writes.
    """
    inputs = input_folders(cfg)
    with open_stage(cfg, inputs) if is_first() else join_stage(cfg, inputs) as stage:
        if not stage.done:
            train(cfg, stage)
        if is_first():  # not before the manifest is there: a kill would cost the training
            shutil.rmtree(stage.out / "resume", ignore_errors=True)


def input_folders(cfg: DictConfig) -> dict[str, str]:
    """What `cfg.inputs` names: folders, or groups of folders ({name: {what: folder, number: …}}), whose keys are dotted."""
    found: dict[str, str] = {}
    for key in cfg.inputs:
        value: Any = cfg.get(key)
        if isinstance(value, DictConfig):
            found |= {
                f"{key}.{name!s}.{what!s}": folder
                for name, group in value.items() for what, folder in group.items() if isinstance(folder, str)
            }  # fmt: skip
        elif value is not None:
            found[key] = value
    return found


def train(cfg: DictConfig, stage: Stage) -> None:
    """Fit, export, write the manifest."""
    for part in ("pytorch", "fabric"):
        logging.getLogger(f"lightning.{part}").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", ".*does not have many workers")  # the loader's own are elsewhere: lapa/readers.py
    L.seed_everything(cfg.seed, verbose=False)
    data = hydra.utils.instantiate(cfg.data)
    module = hydra.utils.instantiate(cfg.model)
    module.setup_from(data.facts())
    with own_group():
        trainer = make_trainer(cfg, stage.out)
        fit(trainer, module, data, stage.out / "resume" / "last.ckpt")
        if cfg.trainer.max_steps % cfg.trainer.val_check_interval:  # what was validated last is not what is kept
            trainer.validate(module, data, verbose=False)
        facts = module.export(stage.out)  # on every rank: together they have the whole weights
        if is_first():
            _finish(cfg, stage, module, facts | {"precision": str(trainer.precision)})


def fit(trainer: L.Trainer, module: L.LightningModule, data: L.LightningDataModule, resume: Path) -> None:
    """Train to the last step, from the checkpoint `resume` when it is there."""
    try:
        trainer.fit(module, data, ckpt_path=str(resume) if resume.is_file() else None, weights_only=True)
    except SystemExit as leaving:  # how Lightning answers Ctrl-C
        raise KeyboardInterrupt from leaving


def _finish(cfg: DictConfig, stage: Stage, module: L.LightningModule, facts: dict[str, Any]) -> None:
    curves = read_metrics(stage.out)  # not the trainer's own: a resumed one has not seen what was logged before
    final = {name: list(curve.values())[-1] for name, curve in curves.items() if not name.startswith("speed")}
    parameters = sum(p.numel() for p in module.parameters())
    if folder := cfg.get("init_from"):
        facts = facts | {"seen": checkpoint.seen_by(Path(folder))}
    stage.finish(record=type(module).__name__, count=cfg.trainer.max_steps, parameters=parameters, final=final, **facts)


def make_trainer(cfg: DictConfig, out: Path) -> L.Trainer:
    """A Lightning trainer with our callbacks; metrics go to out/logs/<run>/metrics.csv."""
    settings: dict[str, Any] = dict(hydra.utils.instantiate(cfg.trainer, _convert_="all"))
    save_every = settings.pop("save_every")
    switches = {key: settings.pop(key) for key in ("compile", "checkpoint_activations")}
    settings["precision"] = resolve(settings.get("precision", FP32), settings.get("accelerator", "auto"))
    torch.set_float32_matmul_precision("high")
    throughput = Throughput(every=settings["log_every_n_steps"], batch_size=cfg.data.batch_size)
    resume = Resume(folder=str(out / "resume"), every=save_every, throughput=throughput)
    seeds, bar = SeedEachStep(cfg.seed), Bar(refresh_rate=10)
    callbacks: list[L.Callback] = [seeds, Switches(**switches), throughput, resume, bar]
    return L.Trainer(
        logger=[*_loggers(cfg, out)],
        callbacks=callbacks,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **settings,
    )


def _loggers(cfg: DictConfig, out: Path) -> Iterator[Logger]:
    """metrics.csv, which the report reads, and what `logger` adds; ValueError when its package is not installed."""
    yield CSVLogger(str(out), name=LOGS, version=next_version(out), flush_logs_every_n_steps=1)
    if cfg.logger:
        try:
            yield hydra.utils.instantiate(cfg.logger)
        except InstantiationException as error:
            if not isinstance(error.__cause__, ImportError):
                raise
            raise ValueError(
                f"{cfg.logger._target_} needs a package: {str(error.__cause__).splitlines()[0]}"
            ) from error
