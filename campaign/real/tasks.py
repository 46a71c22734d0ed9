"""What the tasks of a trial do. Copied into its application; the oracle uses the same rules.

Needs the standard library only. A file holds one line of JSON, its head, and then padding. The head
says what went into it: its `digest` follows from the task and the digests of the inputs alone, so a
serial run gives the same; `line` names every execution that it came from, by a number of its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import signal
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

SETUP = Path(__file__).with_name("work.json")
"""Beside this file, in an application: the seed, the folder for marks, and each task's ways."""


def digest_of(*words: object) -> str:
    """Return a digest that depends on the words alone."""
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:32]


def luck_of(*words: object) -> float:
    """Return a number in [0, 1) that depends on the words alone."""
    return int(digest_of("luck", *words)[:13], 16) / 16**13


def outputs_of(
    seed: int, task: str, ways: dict[str, Any], inputs: Sequence[str]
) -> list[str] | None:
    """Return the digests of a task's outputs; None where it fails for good."""
    luck = luck_of(seed, task, inputs)
    if luck < ways.get("fails", 0.0):
        return None
    many: int = ways.get("many", 1)
    if luck > 1 - ways.get("stingy", 0.0):
        many = int(luck_of("few", seed, task, inputs) * many)
    return [digest_of(task, inputs, k) for k in range(many)]


def read_head(path: Path) -> dict[str, Any]:
    """Return the head of a file.

    Raises:
        ValueError: It has none, or its padding is not as it was written.
    """
    with path.open("rb") as file:
        head: dict[str, Any] = json.loads(file.readline())
        if hashlib.sha256(file.read()).hexdigest() != head["padding"]:
            raise ValueError(f"the content of {path.name} is damaged")
    return head


def write_file(path: Path, head: dict[str, Any], padding_bytes: int) -> None:
    """Write a file with as much padding as wanted, different in every file."""
    pattern = hashlib.sha256(head["digest"].encode()).digest()
    padding = (pattern * (padding_bytes // len(pattern) + 1))[:padding_bytes]
    head["padding"] = hashlib.sha256(padding).hexdigest()
    path.write_bytes(json.dumps(head).encode() + b"\n" + padding)


def merged(heads: Sequence[dict[str, Any]]) -> tuple[dict[str, int], bool]:
    """Return the executions that files came from, and whether two of one task were mixed."""
    line: dict[str, int] = {}
    is_mixed = any(head["mixed"] for head in heads)
    for head in heads:
        for key, number in head["line"].items():
            is_mixed |= line.setdefault(key, number) != number
    return line, is_mixed


def run_task(setup: dict[str, Any], task: str, inputs: list[Path], folder: Path) -> list[Path]:
    """Run one attempt.

    Raises:
        RuntimeError: The task fails for this item, whatever is tried.
    """
    ways = setup["tasks"][task]
    heads = [read_head(path) for path in inputs]
    digests = [head["digest"] for head in heads]
    select.select([], [], [], ways["seconds"])
    _die(setup, task, ways, digests)
    found = outputs_of(setup["seed"], task, ways, digests)
    if found is None:
        raise RuntimeError("this item cannot be worked on")
    line, is_mixed = merged(heads)
    origins = list(dict.fromkeys(o for head in heads for o in head["origins"]))
    line[f"{task}|{origins}"] = int.from_bytes(os.urandom(6), "big")
    paths = []
    for k, digest in enumerate(found):
        path = folder / f"{task}{k}.part"
        head = {"task": task, "digest": digest, "origins": origins, "line": line, "mixed": is_mixed}
        write_file(path, head, ways.get("padding_bytes", 0))
        paths.append(path)
    return paths


def _die(setup: dict[str, Any], task: str, ways: dict[str, Any], digests: list[str]) -> None:
    """End this process where the trial wants it so: once for an item, or whenever it comes."""
    how = ways.get("dies", "")
    if not how or luck_of("dies", setup["seed"], task, digests) > ways["dies_share"]:
        return
    mark = Path(setup["marks"], f"{task}-{digest_of(digests)}")
    try:
        with mark.open("x") as file:
            file.write(how)
    except FileExistsError:
        if not ways.get("dies_always"):
            return
    if how == "agent":
        os.kill(os.getppid(), signal.SIGKILL)
    elif how.startswith("SIG"):
        os.kill(os.getpid(), getattr(signal, how))
    elif how == "memory":
        raise MemoryError
    else:
        os._exit(int(how))


def __getattr__(name: str) -> Callable[[list[Path], Path], list[Path]]:
    """Return the function of a task; only in the copies that have a setup beside them."""
    if name.startswith("__") or not SETUP.is_file():
        raise AttributeError(name)
    return partial(run_task, json.loads(SETUP.read_text()), name)
