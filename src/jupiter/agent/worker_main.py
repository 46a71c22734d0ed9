"""The child process that runs the code of one task, attempt after attempt.

Started as ``python worker_main.py FD`` with one end of a socket pair. It imports only the standard
library, so that it starts fast, runs in any environment, and the task's own imports meet nothing of
ours. Each request and each answer is one line of JSON on the socket; standard output and error are
a pipe that the agent reads.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import importlib
import importlib.util
import json
import os
import re
import resource
import signal
import socket
import stat
import subprocess
import sys
import termios
import time
import traceback
from collections.abc import Callable
from json.encoder import encode_basestring_ascii as _quoted
from pathlib import Path
from typing import Any

Attempt = Callable[[list[str], str, str, str], object]
"""(input names, input folder, output folder, item id) -> whatever the task returned."""

READ_WHOLE_BYTES = 1 << 20
"""Outputs up to this size are read at once to be hashed."""
FILES_MAX = 10_000
"""Outputs of one attempt."""
_NOTHING = bytes(4)
_NO_ERROR = ',"","",0,false'


class OutputError(Exception):
    """What a task returned or wrote cannot be its outputs."""


class ProgramError(Exception):
    """A program ended badly; what it printed says more."""


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
        done = subprocess.run(argv, cwd=pathout, stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            how = (
                f"exit code {done.returncode}"
                if done.returncode > 0
                else f"signal {signal.Signals(-done.returncode).name}"
            )
            raise ProgramError(f"{argv[0]} ended with {how}")
        return None

    return attempt


# -- outputs -------------------------------------------------------------------------------------


def natural_key(name: str) -> list[tuple[int, int | str]]:
    """Return a sort key by which ``part10`` follows ``part9``."""
    return [(0, int(word)) if word.isdecimal() else (1, word) for word in re.split(r"(\d+)", name)]


def output_names(returned: object, pathout: str) -> list[str]:
    """Return the names of the outputs in order.

    Raises:
        OutputError: The task returned a path outside its output folder.
        TypeError: It returned something that is no path and no list of paths.
    """
    if returned is None:
        names = os.listdir(pathout)
        return names if len(names) < 2 else sorted(names, key=natural_key)
    if isinstance(returned, (str, os.PathLike)):
        returned = [returned]
    if not isinstance(returned, (list, tuple)):
        raise TypeError(
            f"the task returned {type(returned).__name__}; it must return its output paths or None"
        )
    names = []
    for path in returned:
        folder, name = os.path.split(os.path.join(pathout, os.fspath(path)))
        if folder != pathout and os.path.realpath(folder) != os.path.realpath(pathout):
            raise OutputError(f"the task returned {path!r}, which is not in its output folder")
        names.append(name)
    return names


def describe(name: str, folder: str) -> tuple[int, str]:
    """Return length and SHA-256 of an output.

    Raises:
        OutputError: It is not there, or no file of its own.
    """
    try:
        file = os.open(f"{folder}/{name}", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise OutputError(f"the task returned {name!r} but wrote no such file") from None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # a link, a socket
            raise OutputError(f"output {name!r} is no regular file") from None
        raise
    try:
        status = os.fstat(file)
        size = status.st_size
        if not stat.S_ISREG(status.st_mode):
            raise OutputError(f"output {name!r} is no regular file")
        if status.st_nlink > 1:
            raise OutputError(f"output {name!r} is a hard link to another file; write a copy")
        if size <= READ_WHOLE_BYTES:
            data = os.read(file, size + 1) if size else b""
            return len(data), hashlib.sha256(data).hexdigest()
        with open(file, "rb", buffering=0, closefd=False) as stream:
            return size, hashlib.file_digest(stream, "sha256").hexdigest()
    finally:
        os.close(file)


def _printable(text: str) -> str:
    """Return a text without the halves of characters that stand for bytes that are no UTF-8."""
    return text.encode("utf-8", "replace").decode()


def said(count: int) -> str:
    """Return a number of bytes in words."""
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if count >= unit:
            return f"{count / unit:.4g} {name}"
    return f"{count} bytes"


# -- processor time ------------------------------------------------------------------------------


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


class _Timer:
    """Tells what a slower node would need to know of an attempt: processor time, and idle time.

    Idle is the time that was spent neither computing nor waiting for a processor.
    """

    def __init__(self) -> None:
        self._start = time.monotonic(), _cpu_s(), _run_delay_s()

    def read(self) -> tuple[float, float]:
        """Return seconds of both since the start."""
        wall, cpu, delay = self._start
        cpu = _cpu_s() - cpu
        return cpu, max(0.0, time.monotonic() - wall - cpu - (_run_delay_s() - delay))


# -- serving ---------------------------------------------------------------------------------------


class Server:
    """Runs attempts and says how they ended.

    Args:
        attempt: Runs one.
        setup: What the agent told at the start.
        cleaner: Ends what an attempt leaves behind.
    """

    def __init__(self, attempt: Attempt, setup: dict[str, Any], cleaner: Any) -> None:
        self._attempt = attempt
        self._is_timed: bool = setup["is_timed"]
        self._output_bytes: int = setup["output_bytes"]
        self._is_sealed = setup["level"] > 0
        self._cleaner = cleaner
        self._pid = os.getpid()
        self._printed = os.dup(1)

    def serve(self, line: str) -> str:
        """Run the attempt that a line asks for and return the answer."""
        item, _number, files, pathin, pathout = json.loads(line)
        timer = _Timer() if self._is_timed else None
        outputs, rest = "", ""
        try:
            returned = self._attempt(files, pathin, pathout, item)
            if os.getpid() != self._pid:  # a child that the task has made and not ended
                os._exit(0)
            outputs = self._outputs(output_names(returned, pathout), pathout)
        except BaseException as error:
            if os.getpid() != self._pid:
                os._exit(1)
            trace = _printable(traceback.format_exc()[-8000:])
            words = _printable(self._explain(error, pathout))
            rest = f",{_quoted(words)},{_quoted(trace)},{_errno_of(error)}"
            rest += f",{'true' if isinstance(error, ProgramError) else 'false'}"
        if timer is not None:
            cpu_s, idle_s = timer.read()
            rest = f"{rest or _NO_ERROR},{cpu_s!r},{idle_s!r}"
        self._cleaner.clean()
        has_printed = "true" if self._has_printed() else "false"
        return f"[[{outputs}],{has_printed}{rest}]\n"

    def _has_printed(self) -> bool:
        """Whether standard output or error hold something that the agent has not read."""
        with contextlib.suppress(OSError, ValueError):  # the task has closed it
            sys.stdout.flush()
        return fcntl.ioctl(self._printed, termios.FIONREAD, _NOTHING) != _NOTHING

    def _outputs(self, names: list[str], folder: str) -> str:
        if len(names) > FILES_MAX:
            raise OutputError(f"the task wrote {len(names)} files; at most {FILES_MAX} are allowed")
        parts = []
        total = 0
        for name in names:
            if not name.isascii() and name != _printable(name):
                raise OutputError(f"the name of output {_printable(name)!r} is no UTF-8 text")
            size, digest = describe(name, folder)
            total += size
            parts.append(f'[{_quoted(name)},{size},"{digest}"]')
        if total > self._output_bytes:
            raise OutputError(
                f"the attempt wrote {said(total)}, and its limit is {said(self._output_bytes)}"
            )
        return ",".join(parts)

    def _explain(self, error: BaseException, folder: str) -> str:
        if isinstance(error, (OutputError, ProgramError)):
            return str(error)
        if isinstance(error, SystemExit):
            return f"SystemExit: the task called sys.exit({error.code!r})"
        text = f"{type(error).__name__}: {error}"
        number = _errno_of(error)
        if number == errno.EFBIG:
            total = sum(entry.stat().st_size for entry in os.scandir(folder))
            limit = said(self._output_bytes)
            text += f" (the attempt wrote {said(total)}, and its limit is {limit})"
        elif number in (errno.EACCES, errno.EXDEV, errno.EROFS) and self._is_sealed:
            text += (
                " (tasks may write to their output folder and $TMPDIR only; other paths must be "
                "named in app.toml: reads, writes)"
            )
        return text


def _errno_of(error: BaseException) -> int:
    seen = 0
    cause: BaseException | None = error
    while cause is not None and seen < 10:
        if isinstance(cause, OSError) and cause.errno:
            return cause.errno
        cause, seen = cause.__cause__ or cause.__context__, seen + 1
    return 0


def _isolation() -> Any:
    """Return the module beside this one; it is not importable by name in other environments."""
    path = Path(__file__).with_name("isolation.py")
    spec = importlib.util.spec_from_file_location("_jupiter_isolation", path)
    assert spec is not None  # noqa: S101 - for the type checker
    assert spec.loader is not None  # noqa: S101 - for the type checker
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _lines(link: socket.socket) -> Callable[[], str]:
    """Return what reads the next line; one is never sent before the last was answered."""

    def read() -> str:
        data = link.recv(1 << 16)
        while data and not data.endswith(b"\n"):
            more = link.recv(1 << 16)
            if not more:
                return ""
            data += more
        return data.decode()

    return read


def main() -> None:
    """Serve until the agent closes the socket."""
    isolation = _isolation()
    isolation.die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    link = socket.socket(fileno=int(sys.argv[1]))
    read = _lines(link)
    setup = json.loads(read())
    lacks: list[str] = []
    try:
        lacks = isolation.seal(setup)
        attempt = load(setup["kind"], setup["words"], setup["app"])
        server = Server(attempt, setup, isolation.Cleaner())
    except BaseException as error:
        words = f"{type(error).__name__}: {error}"
        answer = [lacks, _printable(words), _printable(traceback.format_exc()[-8000:])]
        link.sendall(json.dumps(answer).encode() + b"\n")
        return
    link.sendall(json.dumps([lacks]).encode() + b"\n")
    while line := read():
        link.sendall(server.serve(line).encode())


if __name__ == "__main__":
    main()
