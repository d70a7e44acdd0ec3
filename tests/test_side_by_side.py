"""lapa.side_by_side: steps at the same time, in an order that their inputs allow, and a failure that is told."""

import os
import re
import signal
import sys
import threading
import time

import pytest
from rich.console import Console

from lapa import recipe, side_by_side
from lapa.config import compose
from lapa.settings import steps_of
from lapa.side_by_side import needs, run_side_by_side
from tests.test_recipe import fake_door, walk_of

STEPS = {
    "tasks": {"door": "propose", "with": []},
    "tasks_unseen": {"door": "propose", "with": []},
    "a/clips": {"door": "build", "with": ["tasks=runs/x/tasks"]},
    "a/codes": {"door": "label", "with": ["clips=runs/x/a/clips", "tasks=[runs/x/tasks_unseen]"]},
    "report": {"door": "report", "with": ["runs=[runs/x]"]},
}


def test_a_step_needs_those_whose_folders_it_names():
    assert needs(STEPS, "runs/x") == {
        "tasks": set(), "tasks_unseen": set(), "a/clips": {"tasks"}, "a/codes": {"a/clips", "tasks_unseen"},
        "report": {"tasks", "tasks_unseen", "a/clips", "a/codes"},
    }  # fmt: skip


@pytest.mark.parametrize("out", ["runs/x/", "runs/./x", "runs//x/.", "./runs/x"])
def test_however_the_folder_is_written(out):
    steps = {"tasks": {"door": "propose", "with": []}, "clips": {"door": "build", "with": [f"tasks={out}/tasks"]}}
    assert needs(steps, out) == {"tasks": set(), "clips": {"tasks"}}


def test_what_every_step_of_the_experiment_reads_is_waited_for():
    """Every folder of the run that an override names is a step that comes before."""
    steps = steps_of(compose("run", ["recipe=transfer", "out=runs/x"]).recipe, setting="all", arms=None)
    needed = needs(steps, "runs/x")
    for name, step in steps.items():
        folders = {folder for override in step["with"] for folder in re.findall(r"runs/x/([\w/]+)", override)}
        assert step["door"] == "report" or folders == needed[name], name


def run(monkeypatch, steps, *, jobs, tmp_path, each):
    monkeypatch.setattr(side_by_side, "_run", each)
    ended = []
    commands = {name: [name] for name in steps}
    run_side_by_side(
        commands, needs(steps, "runs/x"), jobs=jobs, logs=tmp_path, console=Console(), ended=lambda name, _: ended.append(name)
    )  # fmt: skip
    return ended


def test_as_many_at_once_as_asked_and_none_before_its_inputs(tmp_path, monkeypatch):
    lock, now, most = threading.Lock(), [], []

    def each(command, log, environment, processes):
        assert int(environment["OMP_NUM_THREADS"]) >= 1
        with lock:
            now.append(command[0])
            most.append(len(now))
        time.sleep(0.05)
        with lock:
            now.remove(command[0])
        return 0.05

    ended = run(monkeypatch, STEPS, jobs=2, tmp_path=tmp_path, each=each)
    assert max(most) == 2 and sorted(ended) == sorted(STEPS)
    assert ended.index("tasks") < ended.index("a/clips") < ended.index("a/codes") < ended.index("report")


def test_after_a_failure_nothing_new_is_begun(tmp_path, monkeypatch):
    begun = []

    def each(command, log, environment, processes):
        begun.append(command[0])
        if command[0] == "tasks":
            raise ChildProcessError("no tasks")
        return 0.0

    with pytest.raises(ChildProcessError, match="no tasks"):
        run(monkeypatch, STEPS, jobs=1, tmp_path=tmp_path, each=each)
    assert begun == ["tasks"]


def test_a_failed_door_is_told_with_the_end_of_its_log(tmp_path):
    with pytest.raises(
        ChildProcessError, match=r"lapa propose ended with status 2; all it said is in .*step\.log:(.|\n)*coutn"
    ):
        side_by_side._run(["propose", "coutn=3", f"out={tmp_path / 'x'}"], tmp_path / "logs" / "step.log", {}, [])


@pytest.mark.parametrize(("number", "raised"), [(signal.SIGTERM, SystemExit), (signal.SIGINT, KeyboardInterrupt)])
def test_steps_are_stopped_when_the_recipe_is(tmp_path, monkeypatch, number, raised):
    pid, python = tmp_path / "pid", tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho $$ > {pid}.part\nmv {pid}.part {pid}\nexec sleep 60\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    before = signal.getsignal(signal.SIGTERM)
    interrupted = signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts behind "&" ignores it

    def tell():
        while not pid.is_file():
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    threading.Thread(target=tell, daemon=True).start()
    steps = {name: {"door": "propose", "with": []} for name in ("tasks", "second")}
    how = {"jobs": 1, "logs": tmp_path, "console": Console(), "ended": lambda *_: None}
    started = time.monotonic()
    try:
        with pytest.raises(raised):
            run_side_by_side({name: [name] for name in steps}, needs(steps, "x"), **how)
    finally:
        signal.signal(signal.SIGINT, interrupted)
    assert time.monotonic() - started < 30
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
    assert signal.getsignal(signal.SIGTERM) == before and not (tmp_path / "second.log").exists()


def test_only_what_a_bar_drew_last_is_shown(tmp_path):
    log = tmp_path / "step.log"
    assert side_by_side._last_line(log) == ""
    log.write_bytes(b"first\nEpoch 0: 1%\rEpoch 0: 2%\r\n\n")
    assert side_by_side._last_line(log) == "Epoch 0: 2%"


def test_a_recipe_side_by_side_skips_what_is_unchanged(tmp_path, monkeypatch, capsys):
    def each(command, log, environment, processes):
        from omegaconf import OmegaConf

        fake_door(OmegaConf.merge({"source": None, "value": 0}, OmegaConf.from_dotlist(command[1:])))
        return 0.0

    monkeypatch.setattr(side_by_side, "_run", each)
    steps = {
        "first": {"door": "build", "with": ["value=1"]},
        "second": {"door": "label", "with": [f"source={tmp_path}/first"]},
    }

    def unchanged():
        recipe.main(walk_of({"steps": steps}, tmp_path, jobs=2))
        return capsys.readouterr().out.count("unchanged │")

    assert unchanged() == 0
    assert unchanged() == 2
    (tmp_path / "second" / "manifest.json").unlink()
    assert unchanged() == 1
