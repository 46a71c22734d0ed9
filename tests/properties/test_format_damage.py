"""Every format meets any text with a value or an InputError, and soon."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.properties.every_format import EVERY, FORMATS

from jupiter.errors import InputError
from jupiter.formats.application import FILES_READ, load_application


@EVERY
@given(data=st.data())
def test_damaged_text_gives_a_value_or_faults(name: str, data: st.DataObject) -> None:
    form = FORMATS[name]
    text = form.dumps(data.draw(form.values))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        patch = data.draw(st.sampled_from(PATCHES) | st.text(max_size=3))
        text = text[:at] + patch + text[at + data.draw(st.integers(0, 4)) :]
    check_total(form.parse, text)


@EVERY
@given(content=st.binary(max_size=80) | st.text(max_size=80))
def test_any_content_gives_a_value_or_faults(name: str, content: str | bytes) -> None:
    check_total(FORMATS[name].parse, content)


PATCHES = (
    "\n",
    "\r",
    "\t",
    "  ",
    " ",
    "\0",
    "\ufeff",
    "\u202e",
    "-1",
    "0",
    "nan",
    "1e999",
    "9" * 5000,
    '"',
    "'",
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    "=",
    ":",
    ",",
    "#",
    "@",
    "%(x)s",
    "home",
    "true",
    "\\",
    "\\ud800",
    '"""',
    "'''",
    "null",
    "None",
    "..",
    "/",
    "=[",
    "[[",
    "]]",
)


def check_total(parse: Callable[..., Any], content: str | bytes) -> None:
    try:
        parse(content, "file")
    except InputError as error:
        assert error.faults
        assert all(fault.level == "error" and str(fault) for fault in error.faults)


@given(
    st.dictionaries(
        st.sampled_from([*sorted(FILES_READ), "scripts/a.py", "sample_input/1a.txt"]),
        st.text(max_size=40) | st.binary(max_size=40) | st.just("1\na 1 true home\n"),
    )
)
def test_any_folder_gives_an_application_or_faults(files: dict[str, str | bytes]) -> None:
    check_total(lambda content, file: load_application(content, "folder", "name"), files)  # type: ignore[arg-type]


SIZE = 60_000
TRAPS = {
    "blanks": " " * SIZE,
    "tabs": "a \t" * (SIZE // 3),
    "one word": "a" * SIZE,
    "words": "a " * (SIZE // 2),
    "tasks": "".join(f"n{k} 1 true n{k + 1}\n" for k in range(SIZE // 16)),
    "unknown children": f"{SIZE // 20}\n"
    + "".join(f"t{k} 1 true nothing{k}\n" for k in range(SIZE // 20)),
    "brackets": "a=" + "[" * SIZE,
    "objects": '{"a":' * (SIZE // 5),
    "quotes": '"' * SIZE,
    "apostrophes": "'" * SIZE,
    "dots": "a." * (SIZE // 2),
    "quoted dots": '"a".' * (SIZE // 4),
    "lists": "a=[" + "[]," * (SIZE // 3),
    "tables": "[[node]]\n" * (SIZE // 9),
    "backslashes": 'a="' + "\\\\" * (SIZE // 2),
    "keys": "".join(f"a{k}=1\n" for k in range(SIZE // 7)),
    "signs": "-" * SIZE,
    "digits": "1" * SIZE,
    "sections": "@TASK_GRAPH 0 {\n" * (SIZE // 16),
    "commas": "," * SIZE,
    "interpolation": "%(a)s\n" * (SIZE // 6),
    "line ends": "\n" * SIZE,
}


@EVERY
@pytest.mark.parametrize("trap", TRAPS)
def test_no_text_takes_more_than_100_ms_a_kib(name: str, trap: str) -> None:
    start_s = perf_counter()
    check_total(FORMATS[name].parse, TRAPS[trap])
    assert perf_counter() - start_s < 0.1 * SIZE / 1024
