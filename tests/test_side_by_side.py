"""lapa.side_by_side: steps at the same time, in an order that their inputs allow, and a failure that is told."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from rich.console import Console

from lapa import recipe, side_by_side
from lapa.order import needs
from lapa.side_by_side import run_side_by_side
from tests.test_order import STEPS
from tests.test_recipe import fake_door, walk_of


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
    ended = r"lapa propose ended with status 2; all it said is in .*step\.log:(.|\n)*coutn"
    with pytest.raises(ChildProcessError, match=ended), side_by_side._stopping() as running:
        side_by_side._run(["propose", "coutn=3", f"out={tmp_path / 'x'}"], tmp_path / "logs" / "step.log", {}, running)


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


# What stands for Python: `-m lapa tasks` fails when the other step runs, any other tells its process and waits.
STEP = """#!{python}
import os, runpy, sys, time
from pathlib import Path
from lapa import cli
pid = Path({pid!r})
def enter(door, overrides, config_dir):
    if door != "tasks":
        pid.with_suffix(".part").write_text(str(os.getpid()))
        pid.with_suffix(".part").rename(pid)
        time.sleep(60)
    while not pid.is_file():
        time.sleep(0.01)
    raise ValueError("no tasks")
cli.enter = enter
del sys.argv[:2]
runpy.run_module("lapa", run_name="__main__")
"""
RUNNER = """
import sys
from pathlib import Path
from rich.console import Console
from lapa.side_by_side import run_side_by_side
sys.executable = sys.argv[1]
commands = {"tasks": ["tasks"], "clips": ["build"]}
run_side_by_side(
    commands, dict.fromkeys(commands, set()), jobs=2, logs=Path(sys.argv[2]), console=Console(), ended=lambda *_: None
)
"""


def step_python(tmp_path):
    """A program for `sys.executable`, and the file in which its sleeping step tells its process."""
    python, pid = tmp_path / "python", tmp_path / "pid"
    python.write_text(STEP.format(python=sys.executable, pid=str(pid)))
    python.chmod(0o755)
    return python, pid


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_failure_is_told_at_once_and_no_step_outlives_its_runner(tmp_path, number):
    python, pid = step_python(tmp_path)
    command = [sys.executable, "-u", "-c", RUNNER, str(python), str(tmp_path / "logs")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as runner:
        told = next(line for line in runner.stdout if "tasks  failed" in line)
        assert "lapa tasks ended with status 2" in told
        sleeper = int(pid.read_text())
        os.kill(sleeper, 0)
        runner.send_signal(number)
        assert runner.wait() == (143 if number == signal.SIGTERM else -number)
    for _ in range(300):
        if not is_alive(sleeper):
            return
        time.sleep(0.1)
    os.kill(sleeper, signal.SIGKILL)
    pytest.fail("the step outlives its runner")


def is_alive(pid):
    """Also where nobody collects the status of what ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_is_begun_after_the_stop_is_stopped(tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexec sleep 60\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(KeyboardInterrupt), side_by_side._stopping() as running:
        raise KeyboardInterrupt
    with pytest.raises(ChildProcessError, match="status -15"):
        side_by_side._run(["propose"], tmp_path / "step.log", {}, running)


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
