"""The list of failpoints is that of the code, and each of them kills."""

from __future__ import annotations

import ast
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import jupiter
from jupiter.aio import failpoints
from jupiter.errors import InputError

SOURCE = Path(jupiter.__file__).parent


def points_in_code() -> Iterator[str]:
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id == "hit":
                (name,) = node.args
                assert isinstance(name, ast.Constant), f"{path}:{node.lineno}"
                yield str(name.value)


def test_names_are_those_of_the_code() -> None:
    found = Counter(points_in_code())
    assert set(found) == set(failpoints.NAMES)
    assert len(set(failpoints.NAMES)) == len(failpoints.NAMES)


@pytest.mark.parametrize("spec", ["no.such", "word.send:x", "word.send:-1", ":3"])
def test_unknown_points_are_refused(spec: str) -> None:
    if spec == ":3":
        failpoints.arm(spec)  # no name: nothing is armed
        return
    with pytest.raises(InputError, match="unknown failpoint"):
        failpoints.arm(spec)


@pytest.mark.parametrize(("spec", "hits"), [("word.send", 1), ("word.send:3", 3), ("", 5)])
def test_process_dies_at_the_point(spec: str, hits: int) -> None:
    script = (
        "from jupiter.aio import failpoints\n"
        f"failpoints.arm({spec!r})\n"
        "for k in range(1, 6):\n"
        "    print(k, flush=True)\n"
        "    failpoints.hit('attempt.run')\n"
        "    failpoints.hit('word.send')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert ended.returncode == (-signal.SIGKILL if spec else 0)
    assert ended.stdout.split() == [str(k) for k in range(1, hits + 1)]
