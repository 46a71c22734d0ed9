"""The tables of ``app.toml`` as it is written: keys and values."""

from __future__ import annotations

from collections.abc import Mapping

from jupiter.formats.needs_toml import needs_pairs
from jupiter.formats.toml_source import toml_pairs
from jupiter.model.app import CommandRun, ContainerRun, FunctionRun, Run, ScriptRun, Task


def section(name: str, pairs: Mapping[str, object]) -> list[str]:
    """Return the lines of a table; none where it is empty."""
    return ["", f"[{name}]", *toml_pairs(pairs)] if pairs else []


def task_pairs(task: Task) -> dict[str, object]:
    """Return the keys of a task; None for those that say nothing."""
    memory, timeout = task.memory_bytes, task.timeout_s
    return {
        "name": str(task.name),
        **run_pairs(task.run),
        "route": task.route if task.route != "broadcast" else None,
        "children": tuple(map(str, task.children)) or None,
        "sink": True if task.is_sink else None,
        "profile": None if task.is_profiled else False,
        "cores": task.cores if task.cores != 1 else None,
        "memory": f"{memory} B" if memory is not None else None,
        "retries": task.retries if task.retries != 2 else None,
        "timeout": f"{timeout!r} s" if timeout is not None else None,
        "output": f"{task.output_bytes} B" if task.output_bytes is not None else None,
        **needs_pairs(task.needs),
    }


def run_pairs(run: Run) -> dict[str, object]:
    """Return the keys that say what is executed."""
    match run:
        case ScriptRun(path, args):
            return {"run": path, "args": args or None}
        case FunctionRun(module, function):
            return {"run": f"{module}:{function}"}
        case CommandRun(argv):
            return {"run": argv}
        case ContainerRun(image, argv):
            return {"image": image, "command": argv or None}
