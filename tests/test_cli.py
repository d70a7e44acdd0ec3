"""lapa.cli: help without torch, completion from the yaml, one clear line for a mistake."""

import os
import subprocess
import sys
import time

import pytest

from lapa import cli
from lapa.doors import DOORS, door_help, override_keys


def lapa(*args: str, **env: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "lapa", *args]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | env, timeout=60)


@pytest.mark.parametrize("door", DOORS)
def test_help_is_fast_and_imports_no_torch(door, capsys):
    code = (
        "import sys; from lapa.cli import build_parser; build_parser().format_help(); assert 'torch' not in sys.modules"
    )
    started = time.time()
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    with pytest.raises(SystemExit):
        cli.main([door, "--help"])
    assert "key=value" in capsys.readouterr().out and time.time() - started < 5


def test_waiting_threads_sleep_unless_the_user_says_otherwise(monkeypatch, capsys):
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    cli.main([])
    assert os.environ["GOMP_SPINCOUNT"] == "7"
    monkeypatch.delenv("GOMP_SPINCOUNT")
    cli.main([])
    assert os.environ["GOMP_SPINCOUNT"] == cli.SPINS


def test_help_shows_the_yaml_of_a_choice_that_was_typed(capsys):
    for words, keys in [
        (["build", "source=simulated"], "episodes:"),
        (["build", "source=folder"], "min_source_fps: 4"),
    ]:
        with pytest.raises(SystemExit):
            cli.main([*words, "--help"])
        assert keys in capsys.readouterr().out
    with pytest.raises(SystemExit):
        cli.main(["build", "--help"])
    assert "min_source_fps" not in capsys.readouterr().out


@pytest.mark.parametrize("door", DOORS)
def test_every_choice_of_every_group_can_be_typed(door):
    for word in override_keys(door):
        group, _, choice = word.partition("=")
        assert not choice or f"configs/{group}/{choice}.yaml" in door_help(door, [word])


def test_an_unknown_key_a_missing_value_and_an_unknown_choice_each_get_one_line():
    for args, words in [
        (["build", "source=folder", "nonsense=1"], "nonsense"),
        (["build", "source=nowhere"], "nowhere"),
        (["run"], "recipe"),
    ]:
        result = lapa(*args)
        assert result.returncode == 2 and words in result.stderr and result.stderr.count("\n") == 1, result.stderr


def test_completion_offers_doors_and_overrides():
    words = cli.complete_override("recipe=", cli.build_parser().parse_args(["run"]))
    assert "recipe=demo" in words
    line = "lapa tr"
    done = subprocess.run(
        [sys.executable, "-m", "lapa"], env=os.environ | {"_ARGCOMPLETE": "1", "COMP_LINE": line,
        "COMP_POINT": str(len(line)), "_ARGCOMPLETE_STDOUT_FILENAME": "/dev/stdout"}, capture_output=True, text=True,
    )  # fmt: skip
    assert "train" in done.stdout
