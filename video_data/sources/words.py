"""What is done in a video, in words: from `manifest.jsonl`, a `.txt` or `.json` beside the clip, or the file's name."""

import json
import os
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from video_data.sources.files import inside

MANIFEST = "manifest.jsonl"
TEXT_KEYS = ("instruction", "text", "caption", "task")
LONGEST_BYTES = 1 << 20  # of a file with the words of one video; what is longer is something else


class Words(NamedTuple):
    """What people said of a video; "" where they said nothing."""

    text: str
    embodiment: str


def read_manifest_rows(folder: Path) -> dict[str, dict[str, Any]]:
    """Rows of `folder/manifest.jsonl` by their "path" in the folder, {} without the file; ValueError names a wrong line."""
    path = folder / MANIFEST
    rows: dict[str, dict[str, Any]] = {}
    for number, line in json_lines(path) if path.is_file() else ():
        where = f"{path}, line {number}"
        row = _parse(line, where)
        if not isinstance(row, dict):
            raise ValueError(f"{where}: must be an object, is {type(row).__name__}")
        if not isinstance(row.get("path"), str):
            raise ValueError(f'{where}: no "path"; it has {sorted(row)}')
        try:
            name = inside(row["path"])
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
        if name in rows:
            raise ValueError(f"{where}: {name} has a line already")
        rows[name] = row
    return rows


def json_lines(path: Path) -> Iterator[tuple[int, str]]:
    """(number from 1, line) of those that are not empty. Only "\\n" ends one: words may hold other separators."""
    for number, line in enumerate(path.read_bytes().removeprefix(BOM_UTF8).split(b"\n"), start=1):
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}, line {number}: not UTF-8 ({error.reason})") from error
        if text.strip():
            yield number, text


def words_of(video: Path, row: dict[str, Any]) -> Words:
    """The first that says something: the manifest's row, `<name>.txt`, `<name>.json`, the file name.

    ValueError when a file beside it cannot be read and the row says nothing.
    """
    try:
        beside = _beside(video)
    except ValueError:
        if not _text(row):
            raise
        beside = {}
    text = _text(row) or _text(beside) or words_in_name(video.stem)
    return Words(" ".join(text.split()), str(row.get("embodiment") or beside.get("embodiment") or ""))


def words_in_name(stem: str) -> str:
    """`03_push-the_red.block` → "push the red block"; "" for names like `episode_000001` or `IMG_1234`."""
    words = [word.lower() for word in re.split(r"[\W\d_]+", stem) if word]
    return " ".join(words) if len(words) > 1 else ""


def _beside(video: Path) -> dict[str, Any]:
    text, table = video.with_suffix(".txt"), video.with_suffix(".json")
    if os.path.isfile(text):  # unlike Path's it takes any name
        return {"text": _read(text)}
    if not os.path.isfile(table) or os.path.getsize(table) > LONGEST_BYTES:
        return {}
    value = _parse(_read(table), str(table))
    return value if isinstance(value, dict) else {}  # poses, boxes, …: no words


def _read(path: Path) -> str:
    if path.stat().st_size > LONGEST_BYTES:
        raise ValueError(f"{path}: {path.stat().st_size} bytes are no words of one video")
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error


def _text(row: dict[str, Any]) -> str:
    return next((str(row[key]) for key in TEXT_KEYS if row.get(key)), "")


def _parse(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where}: not JSON ({error.msg})") from error
    except RecursionError as error:
        raise ValueError(f"{where}: not JSON that can be read (nested too deeply)") from error
