"""``scripts/config.json``: which file runs which task, and what the application keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from jupiter.formats.literal import read_json_object
from jupiter.formats.text import Content, Faults, Parsed, Places, Word, parse_with
from jupiter.kit.names import file_name_fault, printable

TASKS_KEY = "taskname_map"
PROFILER_KEY = "exec_profiler"
Argument = str | int | float | bool


@dataclass(frozen=True, slots=True)
class ScriptEntry:
    """How one task is run.

    Attributes:
        script: Path of the file without its ending, relative to the scripts.
        is_dag: It takes part in the graph.
        args: Further words for the script.
    """

    script: Word
    is_dag: bool
    args: tuple[Argument, ...] = ()


@dataclass(frozen=True)
class ConfigJson:
    """The whole file.

    Attributes:
        scripts: By task, in written order.
        profiled: Whether a task can be profiled alone, by task; None where the file does not say.
        private: All other keys.
    """

    scripts: Mapping[Word, ScriptEntry]
    profiled: Mapping[Word, bool] | None = None
    private: Mapping[str, object] = field(default_factory=dict)


def parse(content: Content, file: str = "") -> Parsed[ConfigJson]:
    """Return what a ``config.json`` says.

    Raises:
        InputError: It is no JSON, a key is written twice, or an entry has another shape.
    """
    return parse_with(read, content, file)


def dumps(config: ConfigJson) -> str:
    """Return the text of a ``config.json``."""
    values: dict[str, object] = dict(config.private)
    values[TASKS_KEY] = {
        task: [entry.script, entry.is_dag, *entry.args] for task, entry in config.scripts.items()
    }
    if config.profiled is not None:
        values[PROFILER_KEY] = dict(config.profiled)
    return json.dumps(values, indent=2) + "\n"


def argument_text(argument: Argument) -> str:
    """Return an argument as the script finds it in ``sys.argv``."""
    return argument if isinstance(argument, str) else json.dumps(argument)


def read(content: Content, faults: Faults) -> ConfigJson:
    """Return what can be understood; the rest is reported."""
    found = read_json_object(content, faults)
    if found is None:
        return ConfigJson({})
    values, places = found
    scripts = {}
    for task, entry in _table(values, TASKS_KEY, places, faults).items():
        read_entry = _read_entry(task, entry, places, faults)
        if read_entry is not None:
            scripts[task] = read_entry
    profiled = None
    if PROFILER_KEY in values:
        profiled = {}
        for task, flag in _table(values, PROFILER_KEY, places, faults).items():
            if _is_bool(flag, task, places.at(PROFILER_KEY, task), faults):
                profiled[task] = bool(flag)
    private = {key: each for key, each in values.items() if key not in (TASKS_KEY, PROFILER_KEY)}
    return ConfigJson(scripts, profiled, private)


def _table(
    values: Mapping[str, object], key: str, places: Places, faults: Faults
) -> dict[Word, object]:
    table = values.get(key)
    if not isinstance(table, dict):
        faults.error(
            f"{key} is {'no object' if key in values else 'missing'}",
            places.at(key) if key in values else 0,
            got=_shown(table) if key in values else "",
            expected=f'"{key}": {{"task": …}}',
            remedy=faults.suggestion(key, values, "add it"),
        )
        return {}
    return {places.word(task, key, task): value for task, value in table.items()}


def _read_entry(task: Word, entry: object, places: Places, faults: Faults) -> ScriptEntry | None:
    at = places.at(TASKS_KEY, task)
    if not isinstance(entry, list) or len(entry) < 2:
        faults.error(
            f"the entry of task {printable(task)} has not at least two values",
            at,
            got=_shown(entry),
            expected="[script, is_dag, argument…]",
            remedy='write ["file name without .py", true]',
        )
        return None
    script, is_dag, *args = entry
    is_right = _is_script(script, task, places.at(TASKS_KEY, task, 0), faults)
    is_right &= _is_bool(is_dag, task, places.at(TASKS_KEY, task, 1), faults)
    for k, argument in enumerate(args, 2):
        if not isinstance(argument, Argument):
            is_right = False
            faults.error(
                f"an argument of task {printable(task)} is neither text nor number",
                places.at(TASKS_KEY, task, k),
                got=_shown(argument),
                expected="text, numbers, true or false",
                remedy="put it under a key of its own, and pass the name of the key",
            )
    if not is_right:
        return None
    return ScriptEntry(places.word(script, TASKS_KEY, task, 0), is_dag, tuple(args))


def _is_script(script: object, task: Word, at: Word, faults: Faults) -> bool:
    problem = path_fault(script) if isinstance(script, str) and script else "is no path of a file"
    if problem is None:
        return True
    faults.error(
        f"the script of task {printable(task)} {problem}",
        at,
        got=_shown(script),
        expected="a path within the folder of the scripts, without the ending .py",
        remedy="write for example the name of the task",
    )
    return False


def path_fault(path: str) -> str | None:
    """Return why a text is no path below the application folder, or None where it is one."""
    if path.startswith("/"):
        return "is an absolute path"
    for part in path.split("/"):
        problem = file_name_fault(part)
        if problem is not None:
            return f"leaves the application folder or {problem}" if part == ".." else problem
    return None


def _is_bool(value: object, task: Word, at: Word, faults: Faults) -> bool:
    if isinstance(value, bool):
        return True
    faults.error(
        f"a flag of task {printable(task)} is neither true nor false",
        at,
        got=_shown(value),
        expected="true or false, without quotes",
        remedy="write true or false",
    )
    return False


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:40]}…"
