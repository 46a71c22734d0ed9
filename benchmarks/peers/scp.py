"""The original's way: a process a task watches a folder, and every file goes by its own `scp`.

A server of its own listens on loopback, with keys made for this run. The tasks trigger on files
that were closed, as the newest of the original's monitors do, and send outputs one after another.
"""

from __future__ import annotations

import getpass
import os
import queue
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Semaphore
from pathlib import Path
from typing import Any

import shape
from peers.common import (
    Join,
    Measured,
    Stream,
    Usage,
    free_port,
    server,
    summarise,
    task_processes,
)
from peers.tools import environment, program

Arrivals = "queue.SimpleQueue[Path]"
_OWN_MOUNTS = """
set -eu
mount -t tmpfs none /run
mkdir -m 755 /run/sshd
mount --bind "$1" /etc/passwd
mount --bind "$2" /etc/shadow
shift 2
exec "$@"
"""
"""Gives a server that root starts the user and the folder that its package's scripts would make,
and lets root in by key where it has no password; nobody else sees it."""


def _watch(folder: Path) -> tuple[Any, Arrivals]:
    from watchdog.events import FileSystemEvent, FileSystemEventHandler
    from watchdog.observers import Observer

    arrivals: Arrivals = queue.SimpleQueue()

    class Handler(FileSystemEventHandler):
        def on_closed(self, event: FileSystemEvent) -> None:
            arrivals.put(Path(os.fsdecode(event.src_path)))

    observer = Observer()
    observer.schedule(Handler(), str(folder))
    observer.start()
    return observer, arrivals


def _copy(words: list[str], path: Path, target: Path) -> None:
    host = f"{getpass.getuser()}@127.0.0.1"
    subprocess.run(
        [*words, str(path), f"{host}:{target}/"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
    )


def _serve(task: str, ready: Semaphore, folder: Path, words: list[str]) -> None:
    join = Join(task)
    _, arrivals = _watch(folder / task / "input")
    ready.release()
    while True:
        path = arrivals.get()
        item, source = path.name.split("~")
        paths = join.add(int(item), source, path)
        if paths is None:
            continue
        output = folder / task / "output" / f"{item}~{task}"
        output.write_bytes(shape.work([path.read_bytes() for path in paths]))
        for child in shape.children_of(task) or ["done"]:
            _copy(words, output, folder / child / "input")


@contextmanager
def started(folder: Path, variant: str, has_files: bool) -> Iterator[Stream]:
    """Start the server and the tasks."""
    for task in [*shape.TASKS, "source", "done"]:
        for name in ("input", "output"):
            (folder / task / name).mkdir(parents=True)
    port = free_port()
    for name in ("host_key", "user_key"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(words, check=True)
    (folder / "known_hosts").write_text(
        f"[127.0.0.1]:{port} {(folder / 'host_key.pub').read_text()}"
    )
    config = folder / "sshd_config"
    config.write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {folder}/host_key\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {folder}/user_key.pub\nStrictModes no\nPasswordAuthentication no\n"
        "PermitRootLogin prohibit-password\nUseDNS no\nMaxStartups 200\nMaxSessions 200\n"
        "Subsystem sftp internal-sftp\n"
    )
    words = [program("scp") or "", "-q", "-F", "none", "-P", str(port)]
    words += ["-i", str(folder / "user_key"), "-o", "BatchMode=yes"]
    words += ["-o", f"UserKnownHostsFile={folder}/known_hosts"]
    sshd = [program("sshd") or "", "-D", "-e", "-f", str(config)]
    if os.geteuid() == 0:
        sshd = _in_own_mounts(folder, sshd)
    with (
        server(sshd, port, folder / "sshd.log", env=environment()),
        task_processes(_serve, folder, words),
    ):
        yield lambda items, size, in_flight: _stream(folder, words, items, size, in_flight)


def _in_own_mounts(folder: Path, words: list[str]) -> list[str]:
    users = Path("/etc/passwd").read_text()
    if "\nsshd:" not in users:
        users += "sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n"
    (folder / "passwd").write_text(users)
    shadow = folder / "shadow"
    shadow.touch(mode=0o600)
    shadow.write_text("root:*:19000:0:99999:7:::\nsshd:*:19000:0:99999:7:::\n")
    own = ["unshare", "--mount", "sh", "-c", _OWN_MOUNTS, "sh"]
    return [*own, str(folder / "passwd"), str(shadow), *words]


def _stream(folder: Path, words: list[str], items: int, size: int, in_flight: int) -> Measured:
    starts: dict[int, float] = {}
    ends: dict[int, float] = {}
    room = threading.Semaphore(in_flight)
    observer, arrivals = _watch(folder / "done" / "input")
    before = Usage.now()

    def feed() -> None:
        for k in range(items):
            path = folder / "source" / "output" / f"{k}~source"
            path.write_bytes(shape.payload(k, size))
            room.acquire()
            starts[k] = time.perf_counter()
            _copy(words, path, folder / "entry" / "input")

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    try:
        while len(ends) < items:
            path = arrivals.get()
            item = int(path.name.split("~")[0])
            ends[item] = time.perf_counter()
            room.release()
            shape.check(item, size, path.read_bytes())
        feeder.join()
        return summarise(starts, ends, before)
    finally:
        observer.stop()
        observer.join()
