"""Reading: what is no task file is refused before it is large in memory; keys stay words; shipped files stay what they are."""

import json

import pytest
from small_sim import task

from lapa.doors import configs_dir
from sim_finetune.library import MOST_BYTES, load_task
from sim_finetune.reading import read_json, read_yaml

BOMB = "\n".join([f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9) if i else 1}]" for i in range(12)])


def read(text):
    return read_yaml(text, max_bytes=1000)


def test_keys_of_yaml_are_words_and_values_what_yaml_says():
    found = read("{on: true, no: off, 1: yes, null: ~, plain: [1e-3, 2.5, 'x']}")
    assert found == {"on": True, "no": False, "1": True, "null": None, "plain": ["1e-3", 2.5, "x"]}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (BOMB, r"line 2: an alias \(\*a0\)"),
        ("a: &a [*a]", "an alias"),
        ("[" * 900, "nested too deeply"),
        ("a: [", "expected the node content"),
        ("!!python/name:os.system", "could not determine a constructor"),
        ("a" * 1001, "1001 bytes; at most 1000 are read"),
    ],
)
def test_what_yaml_can_do_to_a_reader_is_refused(text, fault):
    with pytest.raises(ValueError, match=fault):
        read(text)


def test_json_from_outside_has_each_key_once_and_numbers_only():
    limits = {"max_bytes": 100, "max_depth": 3}
    assert read_json('{\t"a": [1]}', **limits) == {"a": [1]}
    for text, fault in [('{"a": 1, "a": 2}', "twice"), ("[NaN]", "not a number"), ("[[[[]]]]", "nested 4 deep")]:
        with pytest.raises(ValueError, match=fault):
            read_json(text, **limits)


def test_a_task_file_may_have_tabs_and_bare_words_for_keys_but_is_no_large_file(tmp_path):
    tabs, bare, large = tmp_path / "tabs.json", tmp_path / "bare.yaml", tmp_path / "large.yaml"
    tabs.write_text(json.dumps(task("reach").model_dump(mode="json"), indent="\t"))
    source = (configs_dir() / "task" / "flip_switch.yaml").read_text()
    bare.write_text(source.replace('"on": true', "on: true"))
    large.write_text("# " + "x" * MOST_BYTES)
    assert "on: true" in bare.read_text()
    assert [load_task(tabs).hash, load_task(bare).hash] == [task("reach").hash, task("flip_switch").hash]
    with pytest.raises(ValueError, match=r"large.yaml: .* bytes; at most"):
        load_task(large)
