"""``scripts/config.json``: which script runs each task, and the application's own settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from jupiter.formats.json_text import line_of_key, loads
from jupiter.formats.text import Faults, Parsed, decode
from jupiter.kit.names import printable

_SHAPE = '["script", true or false, arguments …]'


@dataclass(frozen=True, slots=True)
class ScriptEntry:
    """One entry of ``taskname_map``.

    Attributes:
        script: Path under ``scripts/`` without its ending.
        is_dag: Whether the task is part of the graph.
        args: Further words, as text.
    """

    script: str
    is_dag: bool
    args: tuple[str | int | float | bool, ...] = ()


@dataclass(frozen=True)
class ConfigJson:
    """The whole file.

    Attributes:
        tasks: ``taskname_map``.
        exec_profiler: Whether a task can be profiled alone; a missing task can.
        private: All other keys; they are the application's own.
    """

    tasks: Mapping[str, ScriptEntry]
    exec_profiler: Mapping[str, bool] = field(default_factory=dict)
    private: Mapping[str, object] = field(default_factory=dict)


def parse(content: bytes | str, file: str = "scripts/config.json") -> Parsed[ConfigJson]:
    """Read a file.

    Raises:
        InputError: With every fault.
    """
    faults = Faults(file)
    text = decode(content, faults)
    faults.check()
    value = loads(text, faults)
    if not isinstance(value, dict) or not isinstance(value.get("taskname_map"), dict):
        faults.add(
            'has no object "taskname_map"',
            expected=f'{{"taskname_map": {{"task": {_SHAPE}}}}}',
            remedy="add it, with one entry a task",
        )
        faults.check()
        raise AssertionError  # unreachable: check raised
    tasks = {
        task: entry
        for task, found in value["taskname_map"].items()
        if (entry := _entry(task, found, text, faults))
    }
    profiled = value.get("exec_profiler", {})
    if not isinstance(profiled, dict):
        faults.add('"exec_profiler" is no object', remedy='write {"task": true, …}')
        profiled = {}
    for task, flag in profiled.items():
        if not isinstance(flag, bool):
            faults.add(
                f"exec_profiler of task {printable(task)} is no truth value",
                _line(text, task),
                got=printable(json.dumps(flag)),
                expected="true or false",
            )
        if task not in value["taskname_map"]:
            faults.warn(f"exec_profiler names {printable(task)}, which taskname_map does not")
    private = {
        key: item for key, item in value.items() if key not in ("taskname_map", "exec_profiler")
    }
    return faults.done(ConfigJson(tasks, profiled, private))


def dumps(config: ConfigJson) -> str:
    """Return the text of a file."""
    value = {
        **config.private,
        "taskname_map": {
            task: [entry.script, entry.is_dag, *entry.args] for task, entry in config.tasks.items()
        },
        "exec_profiler": dict(config.exec_profiler),
    }
    return json.dumps(value, indent=2) + "\n"


def _line(text: str, key: str) -> int:
    lines = line_of_key(text, key)
    return lines[0] if lines else 0


def _entry(task: str, found: object, text: str, faults: Faults) -> ScriptEntry | None:
    line = _line(text, task)
    if not isinstance(found, list) or len(found) < 2:
        faults.add(
            f"the entry of task {printable(task)} is not complete",
            line,
            got=printable(json.dumps(found)),
            expected=_SHAPE,
            remedy="name the script without .py and say whether the task is part of the graph",
        )
        return None
    script, is_dag, *args = found
    if not isinstance(script, str) or not _is_inside(script):
        faults.add(
            f"the script of task {printable(task)} is no path inside scripts/",
            line,
            got=printable(json.dumps(script)),
            expected="a name such as task1, without .py",
        )
        return None
    if not isinstance(is_dag, bool):
        faults.add(
            f"the second value of task {printable(task)} is no truth value",
            line,
            got=printable(json.dumps(is_dag)),
            expected="true (part of the graph) or false",
        )
        return None
    if any(isinstance(arg, (list, dict)) or arg is None for arg in args):
        faults.add(
            f"the arguments of task {printable(task)} are not all simple values",
            line,
            got=printable(json.dumps(args)),
            expected="texts and numbers",
        )
        return None
    return ScriptEntry(script, is_dag, tuple(args))


def _is_inside(script: str) -> bool:
    parts = script.split("/")
    return bool(script) and not script.startswith("/") and ".." not in parts and "" not in parts
