"""Who an agent is from one process to the next: what its data folder remembers of it."""

from __future__ import annotations

import fcntl
import os
import secrets
from pathlib import Path

import msgspec

from jupiter.aio.clock import clock_id
from jupiter.errors import AgentError

LOCK = "lock"
IDENTITY = "agent.json"
PEERS = "peers.json"
ORDER = "order.json"
OWNER = "owner"
"""File in a folder in memory: the data folder of the agent that it belongs to."""


class Identity(msgspec.Struct):
    """What an agent writes down of itself.

    Attributes:
        incarnation: Another number every time that it has lost what it had written down.
        life: Counts its processes.
        boot: Of the machine, when it last started: another one means that the power was cut.
        host: Where it listened.
        port: Likewise; it tries to get the same again.
        pid: Of its process.
        metrics_port: Where it answers ``GET /metrics``; 0 where it does not.
    """

    incarnation: int
    life: int
    boot: str
    host: str = ""
    port: int = 0
    pid: int = 0
    metrics_port: int = 0


class Home:
    """The data folder of an agent, held by one process at a time.

    Args:
        folder: Made where it does not exist.

    Raises:
        AgentError: Another process works in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        self._lock = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(self._lock, 32).decode(errors="replace").strip()
            os.close(self._lock)
            raise AgentError(
                f"another agent works in {folder}, process {pid or 'unknown'}; "
                "give each agent a folder of its own, or end that process"
            ) from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)
        before = read_identity(folder)
        boot = clock_id()
        self.is_new_boot = before is not None and before.boot != boot
        """The power was cut, or the machine restarted, since it was last used."""
        self.is_known = before is not None
        """An earlier process worked here."""
        self.identity = before or Identity(new_incarnation(), 0, boot)
        self.identity.boot = boot
        self.identity.life += 1
        self.identity.pid = os.getpid()
        self.save()

    def renew(self) -> None:
        """Take another incarnation: what was written down is lost."""
        self.identity.incarnation = new_incarnation()
        self.save()

    def save(self) -> None:
        """Write the identity down."""
        write_safely(self.folder / IDENTITY, msgspec.json.encode(self.identity))

    def close(self) -> None:
        """Let another process work here."""
        os.close(self._lock)


def new_incarnation() -> int:
    """Return a number that no other incarnation has."""
    return secrets.randbits(44) + 2


def read_identity(folder: Path) -> Identity | None:
    """Return what an agent wrote down of itself; None where nothing can be read."""
    try:
        return msgspec.json.decode((folder / IDENTITY).read_bytes(), type=Identity)
    except (OSError, msgspec.MsgspecError):
        return None


def is_locked(folder: Path) -> bool:
    """Return whether an agent works in a folder."""
    try:
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def write_safely(path: Path, data: bytes) -> None:
    """Replace a file so that after any crash it has the old content or the new.

    Raises:
        OSError: It cannot be written; the old content is there.
    """
    partial = path.with_name(f".{path.name}.partial")
    fd = os.open(partial, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(data)
        while view:  # on a disk that is nearly full a part is written, and no error told
            view = view[os.write(fd, view) :]
        os.fsync(fd)
    except OSError:
        partial.unlink()
        raise
    finally:
        os.close(fd)
    partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
