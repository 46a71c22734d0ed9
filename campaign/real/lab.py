"""Nodes of a trial: network namespaces on a bridge, and disks.

A lab lives in namespaces of its own (network, mount and process): whatever happens, its interfaces,
mounts and processes vanish with its first process, and the machine's own network is never touched.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from jupiter.agent.cells import find_trees

BRIDGE = "hub0"
HUB = "10.77.0.254"
"""Address of the controlling process."""
TABLE = "inet trial"
DISK_BYTES = 48 << 20
SHARED = Path("/dev/shm")  # noqa: S108 - a lab has one of its own
"""Tasks may write here, whatever their isolation."""
SMALL_BYTES = 6 << 20
SMALL_INODES = 3000
"""Of a disk in memory, which is there to be filled up."""

Disk = Literal["plain", "tmpfs", "ext4"]
Direction = Literal["input", "output"]


def run(*argv: str, stdin: str = "") -> str:
    """Run a program and return what it printed.

    Raises:
        RuntimeError: It failed.
    """
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout


def address_of(index: int) -> str:
    """Return the address of a node."""
    return f"10.77.0.{index + 1}"


def build_hub() -> None:
    """Make the bridge; called once in fresh namespaces."""
    names = Path("/run/netns")
    names.mkdir(exist_ok=True)
    for path in (names, SHARED):
        run("mount", "-t", "tmpfs", "tmpfs", str(path))
    commands = ("link set lo up", f"link add {BRIDGE} type bridge", f"link set {BRIDGE} up")
    run("ip", "-batch", "-", stdin="\n".join((*commands, f"addr add {HUB}/24 dev {BRIDGE}\n")))


class Lab:
    """The nodes of one trial.

    Args:
        folder: For disks; nothing else is in it.
        nodes: Their names.
        disk: What their folders are.
    """

    def __init__(self, folder: Path, nodes: Sequence[str], disk: Disk = "plain") -> None:
        self.nodes = tuple(nodes)
        self.address = {node: address_of(k) for k, node in enumerate(nodes)}
        self._folder = folder
        self._disk = disk
        self._mounted: list[Path] = []

    def __enter__(self) -> Lab:
        lines = []
        for node in self.nodes:
            lines += [
                f"netns add {node}",
                f"link add v-{node} type veth peer name eth0 netns {node}",
                f"link set v-{node} master {BRIDGE} up",
            ]
        run("ip", "-batch", "-", stdin="\n".join(lines) + "\n")
        for node, address in self.address.items():
            inside = ("link set lo up", f"addr add {address}/24 dev eth0", "link set eth0 up\n")
            run("ip", "-n", node, "-batch", "-", stdin="\n".join(inside))
            self.disk_of(node).mkdir(parents=True)
            if self._disk == "tmpfs":
                size = f"size={SMALL_BYTES},nr_inodes={SMALL_INODES}"
                self.mount(node, "-t", "tmpfs", "-o", size, "tmpfs")
            elif self._disk == "ext4":
                self._make_image(node)
        return self

    def __exit__(self, *why: object) -> None:
        for path in reversed(self._mounted):
            run("umount", "--lazy", str(path))
        for node in self.nodes:
            run("ip", "link", "del", f"v-{node}")
            run("ip", "netns", "del", node)
        shutil.rmtree(self._folder, ignore_errors=True)

    # -- disks ---------------------------------------------------------------------------------

    def disk_of(self, node: str) -> Path:
        """Return the folder that is a node's disk."""
        return self._folder / node

    def image_of(self, node: str) -> Path:
        """Return the file that holds a node's disk, where it is one."""
        return self._folder / f"{node}.img"

    def mount(self, node: str, *how: str) -> None:
        """Put something else in the place of a node's disk."""
        run("mount", *how, str(self.disk_of(node)))
        self._mounted.append(self.disk_of(node))

    def swap_image(self, node: str, copy: Path) -> None:
        """Put another disk into the place of a node's."""
        run("umount", "--lazy", str(self.disk_of(node)))
        self._mounted.remove(self.disk_of(node))
        copy.replace(self.image_of(node))
        self.mount(node, "-o", "loop", str(self.image_of(node)))

    def _make_image(self, node: str) -> None:
        image = self.image_of(node)
        with image.open("wb") as file:
            file.truncate(DISK_BYTES)
        run("mkfs.ext4", "-q", "-E", "lazy_itable_init=1", str(image))
        self.mount(node, "-o", "loop", str(image))

    # -- network -------------------------------------------------------------------------------

    def enter(self, node: str) -> tuple[str, ...]:
        """Return the words before a command that is to run on a node."""
        return ("nsenter", f"--net=/run/netns/{node}")

    def plug(self, node: str, *, is_in: bool) -> None:
        """Pull the cable of a node, or put it back."""
        run("ip", "link", "set", f"v-{node}", "up" if is_in else "down")

    def drop(self, node: str, direction: Direction, peers: Iterable[str] = ()) -> None:
        """Lose all that comes in, or goes out; only that of some addresses where any are given."""
        self._filter(node, (direction,), "drop", peers)

    def reset(self, node: str, peers: Iterable[str] = ()) -> None:
        """Answer all that comes in or goes out with a reset of its connection."""
        self._filter(node, ("input", "output"), "reject with tcp reset", peers)

    def _filter(
        self, node: str, directions: Sequence[Direction], what: str, peers: Iterable[str]
    ) -> None:
        rules = [f"table {TABLE} {{"]
        for direction in directions:
            side = "saddr" if direction == "input" else "daddr"
            only = f"ip {side} {{ {', '.join(peers)} }} " if peers else ""
            rules.append(
                f"chain {direction} {{ type filter hook {direction} priority 0; "
                f"{only}meta l4proto tcp counter {what}; }}"
            )
        run(*self.enter(node), "nft", "-f", "-", stdin="\n".join([*rules, "}\n"]))

    def unfilter(self, node: str) -> int:
        """Let everything pass again; return how many packets did not."""
        listed = run(*self.enter(node), "nft", "list", "table", *TABLE.split())
        run(*self.enter(node), "nft", "delete", "table", *TABLE.split())
        return sum(map(int, re.findall(r"packets (\d+)", listed)))

    def redirect(self, node: str, port: int) -> None:
        """Lead all connections with other nodes' agents that come in to a port of this node."""
        peers = ", ".join(each for of, each in self.address.items() if of != node)
        rule = f'iifname "eth0" ip saddr {{ {peers} }} tcp dport 1024-65535 redirect to :{port}'
        chain = f"chain prerouting {{ type nat hook prerouting priority -100; {rule}; }}"
        rules = f"table ip detour {{\n{chain}\n}}\n"
        run(*self.enter(node), "nft", "-f", "-", stdin=rules)

    def slow_down(self, node: str, mbit: int) -> None:
        """Limit what a node sends and what it is sent, in Mbit/s."""
        limit = ("root", "tbf", "rate", f"{mbit}mbit", "burst", "64kb", "latency", "400ms")
        run("tc", "qdisc", "add", "dev", f"v-{node}", *limit)
        run("tc", "-n", node, "qdisc", "add", "dev", "eth0", *limit)


def left_mounts() -> set[str]:
    """Return what is mounted in this namespace."""
    return {line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()}


def left_cells() -> dict[int, list[Path]]:
    """Return control groups that agents of this process namespace have made, by their pids."""
    own = Path("/proc/self/ns/pid").stat().st_ino
    found: dict[int, list[Path]] = {}
    trees = find_trees()
    for tree in {trees.pids, trees.memory, trees.unified} - {""}:
        for path in Path(tree).glob(f"jupiter-{own}-*"):
            found.setdefault(int(path.name.split("-")[2]), []).append(path)
    return found


def left_nodes() -> list[str]:
    """Return the names of network namespaces and of cables that are there."""
    names = [path.name for path in Path("/run/netns").iterdir()]
    cables = re.findall(r"^\d+: (v-[^@:]+)", run("ip", "-o", "link"), re.MULTILINE)
    return [*names, *cables]
