from __future__ import annotations

import pytest

from jupiter.formats.literal import DEPTH_MAX, read_assignments, read_json_object
from jupiter.formats.text import Faults


def test_json_values_have_places() -> None:
    found = read_json_object('{\n  "a": [1, {"b": null}]\n}', Faults())
    assert found is not None
    values, places = found
    assert values == {"a": [1, {"b": None}]}
    assert (places.at("a", 1, "b").line, places.at("a", 1, "b").column) == (2, 13)


def test_duplicate_keys_are_all_found_with_their_lines() -> None:
    faults = Faults()
    read_json_object('{"a": 1,\n"a": 2,\n"b": {"c": 1, "c": 2}}', faults)
    assert [(fault.line, fault.problem) for fault in faults.errors] == [
        (2, "key 'a' is written twice"),
        (3, "key 'c' is written twice"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"a"}',
        '{"a": }',
        '{"a": 1,}',
        '{"a": 1 "b": 2}',
        '{"a": 01}',
        '{"a": NaN}',
        '{"a": 1e999}',
        '{"a": 9007199254740993}',
        '{"a": "\\ud800"}',
        "{'a': 1}",
        '{"a": 1} {}',
        '{"a":' * 100_000,
        '{"a": ' + "9" * 100_000 + "}",
    ],
)
def test_what_is_no_json_object_is_refused(text: str) -> None:
    faults = Faults()
    read_json_object(text, faults)
    assert faults.has_errors


def test_depth_is_bounded() -> None:
    faults = Faults()
    read_json_object('{"a": ' + "[" * DEPTH_MAX + "[]" + "]" * DEPTH_MAX + "}", faults)
    assert [fault.problem for fault in faults.errors] == ["the text is nested too deeply"]


def test_python_literals_are_read_without_being_run() -> None:
    found = read_assignments("# note\ndag = ['a', {'b': (True, None,)}, \"\\x41\"]\n", Faults())
    assert found is not None
    assert found[0] == {"dag": ["a", {"b": [True, None]}, "A"]}


@pytest.mark.parametrize("text", ["import os", "x = open('f')", "x = 1 + 1", "x", "x == 1"])
def test_anything_but_assigned_literals_is_refused(text: str) -> None:
    faults = Faults()
    read_assignments(text, faults)
    assert faults.has_errors
