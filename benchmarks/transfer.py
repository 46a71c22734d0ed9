"""How fast bytes go from agent to agent, and are safe there: against a bare socket, scp and rsync.

    make bench BENCH=benchmarks/transfer.py

One large file: a link of two processes on loopback, received, checked and synced, against a bare
socket whose receiver only writes and syncs, and against scp and rsync over an sshd of our own,
whose copies are synced afterwards. A ratio is the median of those within a round.
Small parts: 1 KB deliveries that are checked, stored and in the synced journal of the receiver
before they are acknowledged. The goals are those of the issue; missing one ends with exit code 1.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from jupiter.agent.journal import Journal
from jupiter.agent.link import PeerLink
from jupiter.agent.outgoing import Outgoing
from jupiter.agent.owner import Owner
from jupiter.agent.partials import Partials
from jupiter.agent.receiving import BodyFiles, body_fault, write_parts
from jupiter.aio.authority import Authority
from jupiter.aio.bodies import BodySink
from jupiter.aio.channel import Channel
from jupiter.aio.dial import listen
from jupiter.aio.tls import Identity, Tls
from jupiter.model import messages as msg
from jupiter.model import records as rec
from jupiter.model import words
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.items import Delivery, Part

TOKEN = b"b" * 32
RUN = "bench"
SHARE_GOAL = 0.8
HOPS_GOAL = 4000
UNDER_WAY = 64
"""Words under way on a link, as `control.outbox` allows."""
PAIRS = 2
"""Senders with a receiver each: four processes for four cores."""


class Receiver:
    """An agent's receiving side: nothing is acknowledged before it is safe."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        self._free: list[str] = []
        self._journal = Journal(folder / "journal", lambda reason: os._exit(1))
        self._journal.open()
        self._partials = Partials(self._new_folder, self._discard, is_durable=True)
        self.worst_s = 0.0

    async def watch(self) -> None:
        """Note how late the loop ever is."""
        while True:
            start = time.perf_counter()
            await asyncio.sleep(0.01)
            self.worst_s = max(self.worst_s, time.perf_counter() - start - 0.01)

    def _new_folder(self) -> str:
        if self._free:
            return self._free.pop()
        self._count += 1
        path = self._folder / str(self._count)
        path.mkdir()
        return str(path)

    def _discard(self, folder: str) -> None:
        for entry in os.scandir(folder):
            os.unlink(entry.path)
        self._free.append(folder)

    def on_message(self, channel: Channel, message: msg.AnyMessage, body: bytes) -> None:
        assert isinstance(message, msg.Say)
        assert isinstance(message.word, words.Deliver)
        delivery = message.word.delivery
        assert not body_fault(delivery.parts, body)
        folder = self._new_folder()
        paths = [f"{folder}/{part.name}" for part in delivery.parts]
        write_parts(paths, [part.size_bytes for part in delivery.parts], body)

        def safe() -> None:
            channel.send(msg.Say(0, RUN, 0.0, words.Ack(message.number, UNDER_WAY)))
            self._discard(folder)

        self._journal.sync(rec.Taken(delivery), safe, place=folder, bodies=[body])

    def on_long_message(self, channel: Channel, message: msg.AnyMessage, size: int) -> BodySink:
        assert isinstance(message, msg.Say)
        assert isinstance(message.word, words.Deliver)
        delivery = message.word.delivery

        def finish(folder: str, paths: list[str]) -> None:
            for path, part in zip(paths, delivery.parts, strict=True):
                os.replace(path, f"{folder}/{part.name}")
            files = [f"{folder}/{part.name}" for part in delivery.parts]

            def safe() -> None:
                late_s, self.worst_s = self.worst_s, 0.0
                channel.send(msg.Say(0, RUN, late_s, words.Ack(message.number, UNDER_WAY)))

            self._journal.sync(rec.Taken(delivery), safe, files=files, folders=[folder])

        def fail(reason: object) -> None:
            sys.exit(f"a body did not come as it was sent: {reason}")

        return BodyFiles(self._partials, delivery, on_finish=finish, on_spoilt=fail, on_error=fail)

    def on_closed(self, channel: Channel, reason: str) -> None:
        pass


async def serve(folder: Path, tls: Tls | None) -> None:
    receiver = Receiver(folder)
    server = await listen(lambda: Channel(receiver, TOKEN, NodeId("there")), tls=tls)
    print(server.sockets[0].getsockname()[1], flush=True)
    watch = asyncio.ensure_future(receiver.watch())
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    watch.cancel()


class Sender:
    """An agent's sending side, with so many words under way."""

    def __init__(self, port: int, tls: Tls | None) -> None:
        self._waiting: dict[int, asyncio.Future[float]] = {}
        self._number = 0
        owner = Owner(self._hear, lambda node: None, self._fail)
        address = msg.PeerAddress(NodeId("there"), "127.0.0.1", port, 0.0, 0.0)
        self.link = PeerLink(address, NodeId("here"), TOKEN, owner, tls)

    def _fail(self, reason: str) -> None:
        sys.exit(reason)

    def _hear(self, channel: Channel, message: msg.AnyMessage, body: bytes) -> None:
        assert isinstance(message, msg.Say), message
        assert isinstance(message.word, words.Ack)
        self._waiting.pop(message.word.number).set_result(message.sent_s)

    def say(self, path: str, part: Part) -> asyncio.Future[float]:
        self._number += 1
        number = self._number
        delivery = Delivery("", number, (number,), TaskId("a"), TaskId("b"), (part,))
        message = msg.Say(number, RUN, time.monotonic(), words.Deliver(delivery))
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        self.link.post(Outgoing(message, part.size_bytes, lambda: [path]))
        return future


def part_of(path: Path) -> Part:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Part(path.name, path.stat().st_size, digest)


# -- processes -------------------------------------------------------------------------------------


class Child:
    """This program again, in another role."""

    def __init__(self, *words: str, identity: Identity | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--role", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdin is not None
        self.process.stdin.write(msgspec.json.encode(identity).decode() + "\n")
        self.process.stdin.flush()
        self.port = int(self.line())

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def play(role: str, folder: Path, more: list[str]) -> None:
    identity = msgspec.json.decode(sys.stdin.readline(), type=Identity | None)
    tls = Tls(identity) if identity is not None else None
    if role == "agent":
        asyncio.run(serve(folder, tls))
    elif role == "hops":
        print(0, flush=True)
        asyncio.run(send_small(folder, int(more[0]), float(more[1]), tls))
    else:
        bare_receiver(folder)


def bare_receiver(folder: Path) -> None:
    """Receive, write, sync: what any receiver must at least do."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        connection = server.accept()[0]
        buffer = memoryview(bytearray(1 << 20))
        left = int.from_bytes(connection.recv(8, socket.MSG_WAITALL))
        fd = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        while left:
            size = connection.recv_into(buffer[: min(left, len(buffer))])
            os.write(fd, buffer[:size])
            left -= size
        os.fsync(fd)
        connection.sendall(b"k")
        connection.close()


async def send_small(folder: Path, port: int, seconds: float, tls: Tls | None) -> None:
    """Keep the link busy with 1 KB parts for some time; print how many were safe."""
    paths = []
    for k in range(200):
        path = folder / f"part{os.getpid()}-{k}"
        path.write_bytes(os.urandom(1000))
        paths.append((str(path), part_of(path)))
    sender = Sender(port, tls)
    count = 0
    await sender.say(*paths[0])
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    start = time.perf_counter()
    end = start + seconds

    async def worker(k: int) -> None:
        nonlocal count
        while time.perf_counter() < end:
            await sender.say(*paths[k % len(paths)])
            count += 1
            k += 7

    await asyncio.gather(*(worker(k) for k in range(UNDER_WAY)))
    print(json.dumps([count, time.perf_counter() - start]), flush=True)
    await sender.link.close()


# -- measuring -------------------------------------------------------------------------------------


class Ssh:
    """An sshd of our own on loopback, with keys of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("host", "user"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True
            )
        (folder / "authorized").write_bytes((folder / "user.pub").read_bytes())
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        (folder / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1:{self.port}\nHostKey {folder}/host\n"
            f"AuthorizedKeysFile {folder}/authorized\nPidFile none\nUsePAM no\n"
            "StrictModes no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n"
            "Subsystem sftp internal-sftp\n"
        )
        known = (folder / "host.pub").read_text().split()[:2]
        (folder / "known").write_text(f"[127.0.0.1]:{self.port} {' '.join(known)}\n")
        Path("/run/sshd").mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            ["/usr/sbin/sshd", "-D", "-e", "-f", folder / "sshd_config"],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        self.process.stderr.readline()  # it listens now

    @property
    def options(self) -> list[str]:
        return [
            "-i",
            f"{self.folder}/user",
            "-o",
            f"UserKnownHostsFile={self.folder}/known",
            "-o",
            "BatchMode=yes",
        ]

    def end(self) -> None:
        self.process.terminate()
        self.process.wait()


def synced(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def time_bare(source: Path, folder: Path) -> float:
    child = Child("bare", str(folder))
    start = time.perf_counter()
    with socket.create_connection(("127.0.0.1", child.port)) as connection, source.open("rb") as f:
        connection.sendall(source.stat().st_size.to_bytes(8))
        connection.sendfile(f)
        assert connection.recv(1) == b"k"
    elapsed = time.perf_counter() - start
    child.end()
    (folder / "bare").unlink()
    return elapsed


async def time_link(
    source: Path, part: Part, folder: Path, tls: tuple[Identity, Identity] | None, late: list[float]
) -> float:
    here, there = tls or (None, None)
    child = Child("agent", str(folder), identity=there)
    sender = Sender(child.port, Tls(here) if here is not None else None)
    small = source.parent / "small"
    small.write_bytes(b"x")
    await sender.say(str(small), part_of(small))  # the connection stands
    start = time.perf_counter()
    late.append(await sender.say(str(source), part))
    elapsed = time.perf_counter() - start
    await sender.link.close()
    child.end()
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return elapsed


def time_command(command: list[str], target: Path) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    synced(target)
    elapsed = time.perf_counter() - start
    target.unlink()
    return elapsed


def large(root: Path, size: int, rounds: int, ids: tuple[Identity, Identity]) -> dict[str, Any]:
    source, folder = root / "source", root / "target"
    folder.mkdir()
    block = os.urandom(1 << 24)
    with source.open("wb") as file:
        for start in range(0, size, len(block)):
            file.write(block[: size - start])
    synced(source)
    part = part_of(source)
    late: dict[str, list[float]] = {"plain": [], "tls": []}
    ways: dict[str, Callable[[], float]] = {
        "bare socket": lambda: time_bare(source, folder),
        "Jupiter": lambda: asyncio.run(time_link(source, part, folder, None, late["plain"])),
        "Jupiter, TLS": lambda: asyncio.run(time_link(source, part, folder, ids, late["tls"])),
    }
    ssh = None
    if Path("/usr/sbin/sshd").exists():
        (root / "ssh").mkdir(mode=0o700)
        ssh = Ssh(root / "ssh")
        to = f"127.0.0.1:{folder}/copy"
        port = str(ssh.port)
        ways["scp"] = lambda: time_command(
            ["scp", "-q", "-P", port, *ssh.options, str(source), to], folder / "copy"
        )
        if shutil.which("rsync"):
            shell = " ".join(["ssh", "-p", port, *ssh.options])
            ways["rsync"] = lambda: time_command(
                ["rsync", "-W", "-e", shell, str(source), to], folder / "copy"
            )
    found: dict[str, list[float]] = {name: [] for name in ways}
    try:
        for _ in range(rounds):
            for name, way in ways.items():
                os.sync()
                found[name].append(way())
    finally:
        if ssh is not None:
            ssh.end()
    return {"times": found, "late": late}


def hops(root: Path, seconds: float, ids: tuple[Identity, Identity] | None) -> float:
    here, there = ids or (None, None)
    pairs = []
    for k in range(PAIRS):
        folder = root / f"hops{k}-{ids is not None}"
        folder.mkdir()
        receiver = Child("agent", str(folder), identity=there)
        port = str(receiver.port)
        sender = Child("hops", str(root), port, str(seconds), identity=here)
        pairs.append((receiver, sender))
    for _, sender in pairs:
        assert sender.process.stdin is not None
        sender.process.stdin.write("go\n")
        sender.process.stdin.flush()
    rate = 0.0
    for receiver, sender in pairs:
        count, elapsed = json.loads(sender.line())
        rate += count / elapsed
        sender.end()
        receiver.end()
    return rate


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1 << 30)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--folder", help="on the disk that is to be measured")
    parser.add_argument("--role", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.role:
        play(options.role[0], Path(options.role[1]), options.role[2:])
        return 0
    console = Console()
    authority = Authority(os.urandom(16).hex())
    ids = (authority.issue("here"), authority.issue("there"))
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        root = Path(name)
        found = large(root, options.size, options.rounds, ids)
        rates = {
            "plain": hops(root, options.seconds, None),
            "TLS": hops(root, options.seconds, ids),
        }
    times, late = found["times"], found["late"]
    bare = times["bare socket"]
    table = Table(
        title=f"{options.size / 2**20:.0f} MiB, safe at the receiver; {os.cpu_count()} cores"
    )
    for column in ("way", "best s", "median s", "MB/s", "of a bare socket"):
        table.add_column(column, justify="left" if column == "way" else "right")
    shares = {}
    for way, taken in times.items():
        shares[way] = statistics.median(b / t for b, t in zip(bare, taken, strict=True))
        best = min(taken)
        table.add_row(
            way,
            f"{best:.2f}",
            f"{statistics.median(taken):.2f}",
            f"{options.size / statistics.median(taken) / 1e6:.0f}",
            f"{shares[way]:.0%}",
        )
    console.print(table)
    for kind, worst in late.items():
        console.print(f"receiver's loop at worst {max(worst) * 1e3:.0f} ms late ({kind})")
    goals = {f"Jupiter at {SHARE_GOAL:.0%} of a bare socket": shares["Jupiter"] >= SHARE_GOAL}
    for other in ("scp", "rsync"):
        if other in shares:
            goals[f"Jupiter with TLS ahead of {other}"] = shares["Jupiter, TLS"] > shares[other]
        else:
            console.print(f"{other} is not installed here")
    for kind, rate in rates.items():
        console.print(f"1 KB durable hops, {PAIRS} links, {kind}: {rate:.0f}/s")
        goals[f"{HOPS_GOAL} durable hops a second, {kind}"] = rate >= HOPS_GOAL
    for goal, is_met in goals.items():
        console.print(f"{'met' if is_met else 'MISSED'}: {goal}")
    return 0 if all(goals.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
