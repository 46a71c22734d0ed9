"""Deciding is pure: what import-linter cannot see in the source of the state machines."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import jupiter

SOURCE = Path(jupiter.__file__).parent
FILES = sorted((SOURCE / "control").rglob("*.py")) + sorted((SOURCE / "packing").rglob("*.py"))
CALLS = {"open", "print", "input", "id", "hash", "eval", "exec", "globals"}
SETS = {"set", "frozenset"}


def faults(tree: ast.AST) -> Iterator[str]:
    """Yield every place where a decision could depend on more than events and time."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in CALLS:
                yield f"line {node.lineno}: calls {node.func.id}"
            if node.func.id in {"list", "tuple", "iter", "enumerate"} and node.args:
                yield from _if_set(node.args[0], node.lineno)
        if isinstance(node, ast.For | ast.comprehension):
            yield from _if_set(node.iter, getattr(node, "lineno", node.iter.lineno))
        if isinstance(node, ast.Global | ast.AsyncFunctionDef | ast.Await):
            yield f"line {node.lineno}: {type(node).__name__}"


def _if_set(value: ast.expr, line: int) -> Iterator[str]:
    is_call = isinstance(value, ast.Call) and isinstance(value.func, ast.Name)
    if isinstance(value, ast.Set | ast.SetComp) or (
        is_call and value.func.id in SETS  # type: ignore[attr-defined]
    ):
        yield f"line {line}: iterates over a set, whose order differs from run to run"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_state_machines_depend_on_events_and_time_alone(path: Path) -> None:
    assert list(faults(ast.parse(path.read_text()))) == []


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("print(1)", "calls print"),
        ("for x in {1, 2}: pass", "iterates over a set"),
        ("[x for x in set(y)]", "iterates over a set"),
        ("list(frozenset(y))", "iterates over a set"),
        ("async def f(): pass", "AsyncFunctionDef"),
    ],
)
def test_the_check_can_fail(code: str, fault: str) -> None:
    assert any(fault in each for each in faults(ast.parse(code)))
