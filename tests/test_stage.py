"""lapa.stage: the same settings skip, other settings are refused or replace, half a result goes on."""

import shutil
import subprocess
import sys

import pytest
from omegaconf import OmegaConf

from lapa.stage import manifest_hash, open_stage, read_manifest


def run(out, *, size=1, inputs=None, overwrite=False, stop=False):
    cfg = OmegaConf.create({"out": str(out), "size": size, "overwrite": overwrite, "num_workers": 2, "source": "x"})
    with open_stage(cfg, inputs or {}) as stage:
        if stage.done:
            return "skipped"
        fresh = not (stage.out / "part").exists()
        (stage.out / "part").write_text(str(size))
        if stop:
            raise KeyboardInterrupt
        stage.finish(record="Clip", count=size, fps=10)
        return "made" if fresh else "went on"


def test_skip_resume_refuse_overwrite(tmp_path):
    out = tmp_path / "a"
    with pytest.raises(KeyboardInterrupt):
        run(out, stop=True)
    with pytest.raises(ValueError, match="not finished"):
        read_manifest(out)
    assert run(out) == "went on"
    assert run(out) == "skipped"
    with pytest.raises(ValueError, match=r"config.size: 1 → 2"):
        run(out, size=2)
    assert run(out, size=2, overwrite=True) == "made" and read_manifest(out)["count"] == 2


def test_what_a_killed_process_was_writing_is_removed(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "a", stop=True)
    (tmp_path / "a" / ".part.123.partial").write_text("half")
    assert run(tmp_path / "a") == "went on" and not list((tmp_path / "a").glob(".*.partial"))


def test_killed_while_an_old_result_is_removed_it_is_removed_on(tmp_path, monkeypatch):
    run(tmp_path / "a")
    (tmp_path / "a" / "sub").mkdir()
    (tmp_path / "a" / "sub" / "shard.tar").write_text("old")
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("lapa.stage.shutil.rmtree", interrupted)
        run(tmp_path / "a", size=5, overwrite=True)
    for size in (1, 5):  # not even the old command takes what is left for its own
        again = tmp_path / f"again{size}"
        shutil.copytree(tmp_path / "a", again)
        run(again, size=size)
        assert not (again / "sub").exists() and (again / "manifest.json").is_file()


def interrupted(_path):
    raise KeyboardInterrupt


def test_what_is_read_is_never_cleared(tmp_path):
    run(tmp_path / "input" / "clips")
    before = sorted(path.name for path in (tmp_path / "input" / "clips").iterdir())
    for out in (tmp_path / "input" / "clips", tmp_path / "input", tmp_path / "input" / ".." / "input"):
        with pytest.raises(ValueError, match="is, or holds, what is read as source="):
            run(out, inputs={"source": tmp_path / "input" / "clips"}, overwrite=True)
    assert sorted(path.name for path in (tmp_path / "input" / "clips").iterdir()) == before


def test_a_changed_input_changes_the_fingerprint(tmp_path):
    run(tmp_path / "input")
    run(tmp_path / "out", inputs={"source": tmp_path / "input"})
    assert run(tmp_path / "out", inputs={"source": tmp_path / "input"}) == "skipped"
    run(tmp_path / "input", size=5, overwrite=True)
    with pytest.raises(ValueError, match="inputs.source"):
        run(tmp_path / "out", inputs={"source": tmp_path / "input"})


def test_equal_results_have_equal_hashes(tmp_path):
    run(tmp_path / "a")
    run(tmp_path / "b")
    assert manifest_hash(tmp_path / "a") == manifest_hash(tmp_path / "b")
    assert read_manifest(tmp_path / "a")["versions"]["mujoco"]


def test_a_folder_that_is_not_ours_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match="not made by lapa"):
        run(tmp_path, overwrite=True)
    assert (tmp_path / "thesis.tex").exists()


def test_killed_while_the_first_file_was_written_it_is_begun_anew(tmp_path):
    for name in ("out", "theirs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".fingerprint.json.123.partial").write_text("{")
    (tmp_path / "theirs" / "thesis.tex").write_text("years of work")
    assert run(tmp_path / "out") == "made" and not list((tmp_path / "out").glob(".*.partial"))
    with pytest.raises(ValueError, match="not made by lapa"):
        run(tmp_path / "theirs", overwrite=True)
    assert (tmp_path / "theirs" / "thesis.tex").exists()


def test_a_missing_input_is_named(tmp_path):
    with pytest.raises(ValueError, match="no folder"):
        run(tmp_path / "out", inputs={"source": tmp_path / "nowhere"})


def test_a_folder_that_another_process_writes_is_refused_until_it_ends(tmp_path):
    code = f"""
import sys
from pathlib import Path
from lapa.lock import writing
with writing(Path({str(tmp_path / "out")!r})):
    print("held", flush=True)
    sys.stdin.read()
"""
    other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "held\n"
    with pytest.raises(
        BlockingIOError, match=rf"out is being written by process {other.pid} on .*; wait for it or stop it"
    ):
        assert run(tmp_path / "out") == "made"
    other.kill()  # which leaves its lock's file, held by nobody
    other.wait()
    assert run(tmp_path / "out") == "made"
    assert not list(tmp_path.glob(".*.lock"))
