"""The child process that runs the code of one task, attempt after attempt.

Started as ``python -m jupiter.agent.worker_main FD`` with one end of a socket pair. It imports only
the standard library, so that it starts fast and the task's own imports meet nothing of ours. Each
request and each answer is one line of JSON on the socket; standard output belongs to the task.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

Attempt = Callable[[list[str], str, str, str], object]
"""(input names, input folder, output folder, item id) -> whatever the task returned."""

_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends, however that happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)


def load(kind: str, words: list[str], app: str) -> Attempt:
    """Return what runs one attempt of the task.

    Raises:
        Exception: Whatever the task's module raises while it is imported.
    """
    if kind == "script":
        return _load_script(words, app)
    if kind == "function":
        return _load_function(words, app)
    return _load_command(words, app)


def _load_script(words: list[str], app: str) -> Attempt:
    path = Path(app, words[0])
    sys.argv = [str(path), *words[1:]]
    scripts = Path(app, "scripts")
    for folder in dict.fromkeys((app, str(scripts), str(path.parent))):
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{words[0]} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    task = getattr(module, "task", None)
    if not callable(task):
        raise AttributeError(f"{words[0]} has no function task(files, pathin, pathout)")

    def attempt(names: list[str], pathin: str, pathout: str, item: str) -> object:
        return task(names[0] if len(names) == 1 else names, pathin, pathout)

    return attempt


def _load_function(words: list[str], app: str) -> Attempt:
    sys.path.insert(0, app)
    function = getattr(importlib.import_module(words[0]), words[1])

    def attempt(names: list[str], pathin: str, pathout: str, item: str) -> object:
        return function([Path(pathin, name) for name in names], Path(pathout))

    return attempt


def _load_command(words: list[str], app: str) -> Attempt:
    def attempt(names: list[str], pathin: str, pathout: str, item: str) -> object:
        argv: list[str] = []
        for word in words:
            if word == "{inputs}":
                argv += [str(Path(pathin, name)) for name in names]
            else:
                for key, value in (("{output_dir}", pathout), ("{app}", app), ("{item}", item)):
                    word = word.replace(key, value)
                argv.append(word)
        done = subprocess.run(
            argv,
            cwd=pathout,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
            preexec_fn=die_with_parent,
        )
        if done.returncode:
            words_of_program = done.stderr[-2000:].decode(errors="replace").strip()
            how = (
                f"exit code {done.returncode}"
                if done.returncode > 0
                else f"signal {signal.Signals(-done.returncode).name}"
            )
            raise RuntimeError(f"{argv[0]} ended with {how}: {words_of_program}")
        return None

    return attempt


def natural_key(name: str) -> list[tuple[int, int | str]]:
    """Return a sort key by which ``part10`` follows ``part9``."""
    return [(0, int(word)) if word.isdecimal() else (1, word) for word in re.split(r"(\d+)", name)]


def output_names(returned: object, pathout: str) -> list[str]:
    """Return the names of the outputs in order.

    Raises:
        ValueError: The task returned a path outside its output folder.
        TypeError: It returned something that is no path and no list of paths.
    """
    if returned is None:
        return sorted(os.listdir(pathout), key=natural_key)
    if isinstance(returned, (str, os.PathLike)):
        returned = [returned]
    if not isinstance(returned, (list, tuple)):
        raise TypeError(
            f"the task returned {type(returned).__name__}; it must return its output paths or None"
        )
    names = []
    for path in returned:
        folder, name = os.path.split(os.path.join(pathout, os.fspath(path)))
        if os.path.realpath(folder) != os.path.realpath(pathout):
            raise ValueError(f"the task returned {path!r}, which is not in its output folder")
        names.append(name)
    return names


def _run_delay_s() -> float:
    """Return how long this thread has waited for a processor, in seconds; 0 where unknown."""
    try:
        with open("/proc/thread-self/schedstat") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def _cpu_s() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def serve(attempt: Attempt, request: dict[str, Any]) -> dict[str, Any]:
    """Run one attempt and return the answer.

    The answer has ``cpu_s`` (processor time used) and ``idle_s`` (time spent neither computing nor
    waiting for a processor): from both the agent knows what a slower node would have needed.
    """
    pathin, pathout = request["in"], request["out"]
    wall, cpu, delay = time.monotonic(), _cpu_s(), _run_delay_s()
    answer: dict[str, Any] = {"attempt": request["attempt"], "item": request["item"]}
    try:
        returned = attempt(request["files"], pathin, pathout, request["item"])
        answer["outputs"] = output_names(returned, pathout)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        answer["error"] = f"{type(error).__name__}: {error}"
        answer["traceback"] = traceback.format_exc()[-8000:]
    answer["cpu_s"] = _cpu_s() - cpu
    elapsed = time.monotonic() - wall
    answer["idle_s"] = max(0.0, elapsed - answer["cpu_s"] - (_run_delay_s() - delay))
    sys.stdout.flush()
    return answer


def main() -> None:
    """Serve until the agent closes the socket."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    link = socket.socket(fileno=int(sys.argv[1]))
    lines = link.makefile("rb")
    setup = json.loads(lines.readline())
    try:
        attempt = load(setup["kind"], setup["words"], setup["app"])
    except BaseException as error:
        problem = {"error": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}
        link.sendall(json.dumps(problem).encode() + b"\n")
        return
    link.sendall(b'{"ready":true}\n')
    for line in lines:
        link.sendall(json.dumps(serve(attempt, json.loads(line))).encode() + b"\n")


if __name__ == "__main__":
    main()
