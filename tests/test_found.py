"""found.py: a class counts in the file that wrote it, if its kind is its own, in the order of the files."""

from sim_finetune.found import classes_in
from sim_finetune.objects.base import SceneObject
from sim_finetune.objects.painted import Painted

BEFORE = """
from typing import Literal
from sim_finetune.objects.painted import Painted

class Patch(Painted):
    kind: Literal["patch"]
"""
LATER = """
from typing import Literal
from pydantic import BaseModel
from somewhere_else.before import Patch

class Common(Patch.__base__):
    pass

class Second(Common):
    kind: Literal["second"]

class First(Common):
    kind: Literal["first"]

class Other(BaseModel):
    kind: Literal["other"]
"""


def test_only_classes_with_a_kind_of_their_own_once_and_in_order(tmp_path, monkeypatch):
    folder = tmp_path / "somewhere_else"
    folder.mkdir()
    for name, text in {"__init__": "", "later": LATER, "before": BEFORE}.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    found = classes_in("somewhere_else", SceneObject)
    assert [cls.__name__ for cls in found] == ["Patch", "Second", "First"]
    assert all(issubclass(cls, Painted) for cls in found)
