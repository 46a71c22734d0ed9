"""What keeps the code of a task away from the rest of the machine, set up once in its process.

`seal` runs in the worker before any code of the task; it cannot be undone there, and all that the
task starts inherits it. This module imports only the standard library, as workers load it by path.
What a platform lacks is reported in words and left out.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import shutil
import signal
import stat
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

PROCESSES_MAX = 512
"""Processes and threads of one worker. Libraries start a thread a core; bombs end here."""
FILES_OPEN_MAX = 4096
SWEEP_S_MAX = 2.0
"""A worker whose children cannot be ended in that time ends itself; the agent does the rest."""
OOM_SCORE = 500
"""Where the whole machine runs out of memory, a task goes before its agent."""

_SET_DEATH_SIGNAL, _DROP_CAPABILITY, _SET_SUBREAPER, _NO_NEW_PRIVILEGES = 1, 24, 36, 38  # prctl(2)
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on all architectures
_CAPSET = {"x86_64": 126, "aarch64": 91, "riscv64": 91, "armv7l": 185, "i686": 185}

# Rights of landlock(7).
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 1 << 1, 1 << 2, 1 << 3
_CHANGE_FOLDERS = 0x1FF0  # remove and make entries of all kinds
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_READ = _READ_FILE | _READ_DIR
_FOR_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
_SCOPE_SOCKETS_AND_SIGNALS = 3

_SYSTEM = (
    *("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/opt", "/nix/store", "/gnu/store"),
    *("/proc", "/sys/devices/system", "/sys/fs/cgroup"),
)
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts")
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - what is in it has unguessable names


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64),
        ("net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends, however that happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)


def adopt_orphans() -> None:
    """Become the parent of all processes below this one whose parent has ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_SUBREAPER, 1, 0, 0, 0)


def seal(setup: Mapping[str, Any]) -> list[str]:
    """Close this process in; return what could not be done, one sentence each.

    Args:
        setup: ``level``: 0 leaves out all that restricts access, 1 is everything. ``groups``:
            control groups to make and enter. ``memory_bytes``, ``output_bytes``: limits; 0 is none.
            ``reads``, ``writes``: paths that the task may use besides the system's.
    """
    if sys.platform != "linux":
        return [f"{sys.platform} has no means of isolation that are known here"]
    libc = ctypes.CDLL(None, use_errno=True)
    os.umask(0o077)
    adopt_orphans()
    _write("/proc/self/oom_score_adj", str(OOM_SCORE))
    lacks = _enter(setup["groups"], setup["memory_bytes"])
    _limit(setup)
    if setup["level"] < 1:
        return lacks
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    lacks += _restrict_paths(libc, setup["reads"], setup["writes"])
    _drop_capabilities(libc)
    return lacks


def _write(path: str, value: str) -> bool:
    try:
        with open(path, "w") as file:
            file.write(value)
    except OSError:
        return False
    return True


# -- limits --------------------------------------------------------------------------------------


def _enter(groups: Iterable[tuple[str, Mapping[str, str]]], memory_bytes: int) -> list[str]:
    """Make control groups with their limits, and enter them."""
    limited = set()
    for folder, values in groups:
        try:
            os.mkdir(folder, 0o755)
        except OSError:
            continue
        kinds = {
            name.partition(".")[0]
            for name, value in values.items()
            if _write(f"{folder}/{name}", value)
        }
        if _write(f"{folder}/cgroup.procs", "0"):
            limited |= kinds
    lacks = []
    if "pids" not in limited:
        lacks.append(
            "no control group limits processes: all tasks of this user share one limit, and what a "
            "task leaves behind is only found while its worker lives"
        )
        if os.getuid():
            _set(resource.RLIMIT_NPROC, _threads_of_user() + PROCESSES_MAX)
    if memory_bytes and "memory" not in limited:
        lacks.append("no control group limits memory: the address space is limited instead")
        _set(resource.RLIMIT_AS, memory_bytes)
    return lacks


def _limit(setup: Mapping[str, Any]) -> None:
    _set(resource.RLIMIT_CORE, 0)
    _set(resource.RLIMIT_NOFILE, FILES_OPEN_MAX)
    if setup["output_bytes"]:
        _set(resource.RLIMIT_FSIZE, setup["output_bytes"])


def _set(which: int, value: int) -> None:
    hard = resource.getrlimit(which)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (value, value))


def _threads_of_user() -> int:
    """Return how many threads run under this user id now."""
    user, count = os.getuid(), 0
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                if os.stat(f"/proc/{name}").st_uid == user:
                    count += len(os.listdir(f"/proc/{name}/task"))
            except OSError:
                continue
    return count


# -- paths ---------------------------------------------------------------------------------------


def landlock_abi(libc: ctypes.CDLL | None = None) -> int:
    """Return the version of Landlock that the kernel offers; 0 is none."""
    if sys.platform != "linux":
        return 0
    libc = libc or ctypes.CDLL(None)
    return max(0, int(libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)))


def _restrict_paths(libc: ctypes.CDLL, reads: Iterable[str], writes: Iterable[str]) -> list[str]:
    abi = landlock_abi(libc)
    if not abi:
        return ["no Landlock: tasks can read and write all files that the agent's user can"]
    handled = _EXECUTE | _WRITE_FILE | _READ | _CHANGE_FOLDERS
    handled |= (_REFER if abi >= 2 else 0) | (_TRUNCATE if abi >= 3 else 0)
    attributes = _Ruleset(handled, 0, _SCOPE_SOCKETS_AND_SIGNALS)
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    ruleset = libc.syscall(_CREATE_RULESET, ctypes.byref(attributes), ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return [f"no Landlock: {os.strerror(ctypes.get_errno())}"]
    try:
        for path in _system_paths():
            _allow(libc, ruleset, path, _READ | _EXECUTE)
        for path in reads:
            _allow(libc, ruleset, path, _READ | _EXECUTE)
        for path in (*(f"/dev/{name}" for name in _DEVICES), *writes):
            _allow(libc, ruleset, path, handled)
        # Who makes an object there may use it; what others keep there cannot be listed.
        _allow(libc, ruleset, _SHARED_MEMORY, handled & ~_READ_DIR)
        if libc.syscall(_RESTRICT_SELF, ruleset, 0):
            return [f"no Landlock: {os.strerror(ctypes.get_errno())}"]
    finally:
        os.close(ruleset)
    if abi < 6:
        return [
            f"Landlock of this kernel is of version {abi}, and 6 is needed to keep tasks from "
            "sending signals to other processes of the agent's user"
        ]
    return []


def _system_paths() -> list[str]:
    """Return what programs, and Python with its packages, are made of."""
    env = os.environ
    listed = f"{env.get('PATH', '')}:{env.get('LD_LIBRARY_PATH', '')}".split(":")
    return [
        *_SYSTEM,
        *(os.path.realpath(path) for path in ("/etc/resolv.conf", "/etc/localtime")),
        *_public_entries("/etc"),
        *(sys.prefix, sys.base_prefix, sys.exec_prefix, *sys.path, *filter(None, listed)),
        os.path.dirname(os.path.realpath(sys.executable)),
        os.path.abspath(__file__),
        os.path.join(os.path.dirname(os.path.abspath(__file__)), "worker_main.py"),
    ]


def _public_entries(folder: str) -> list[str]:
    """Return the entries that everyone may read: an agent of root must not show the others."""
    with os.scandir(folder) as entries:
        return [e.path for e in entries if e.is_symlink() or e.stat().st_mode & stat.S_IROTH]


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    """Add a rule; a path that is not there needs none."""
    try:
        folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(folder).st_mode):
            rights &= _FOR_FILES
        rule = _PathBeneath(rights, folder)
        libc.syscall(_ADD_RULE, ruleset, 1, ctypes.byref(rule), 0)
    finally:
        os.close(folder)


# -- rights of root ------------------------------------------------------------------------------


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    """Give up what root may do beyond an owner of files; for others nothing changes."""
    if os.geteuid():
        return
    for number in range(64):
        if libc.prctl(_DROP_CAPABILITY, number, 0, 0, 0):
            break
    call = _CAPSET.get(os.uname().machine)
    if call is not None:
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)
        nothing = (ctypes.c_uint32 * 6)()
        libc.syscall(call, ctypes.byref(header), ctypes.byref(nothing))


# -- what an attempt leaves behind -----------------------------------------------------------------


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _children() -> set[int]:
    found: set[int] = set()
    for thread in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{thread}/children") as file:
                found.update(map(int, file.read().split()))
        except OSError:
            continue
    return found


class Cleaner:
    """Ends the processes and removes the temporary files that an attempt has left.

    What was there when the code was loaded stays. Children of children come here too once their
    parent is gone, as this process is their reaper.
    """

    def __init__(self) -> None:
        self._folder = os.environ.get("TMPDIR", "")
        self._kept_files = set(os.listdir(self._folder)) if self._folder else set()
        self._changed = os.stat(self._folder).st_mtime_ns if self._folder else 0
        self._kept = _children() if _has_children() else set()

    def clean(self) -> None:
        """Do so; costs two system calls where there is nothing."""
        if _has_children():
            self._end_children()
        if self._folder and os.stat(self._folder).st_mtime_ns != self._changed:
            for name in set(os.listdir(self._folder)) - self._kept_files:
                path = os.path.join(self._folder, name)
                if os.path.isdir(path) and not os.path.islink(path):
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    with contextlib.suppress(OSError):
                        os.unlink(path)
            self._changed = os.stat(self._folder).st_mtime_ns

    def _end_children(self) -> None:
        give_up_s = time.monotonic() + SWEEP_S_MAX
        while left := _children() - self._kept:
            for child in left:
                os.kill(child, signal.SIGKILL)
            for child in left:
                try:
                    os.waitpid(child, 0)
                except ChildProcessError:
                    continue
            if time.monotonic() > give_up_s:
                os.write(2, b"the task starts processes faster than they can be ended\n")
                os._exit(1)
