"""The faults of the campaign: for each, how a seed becomes a workload that meets it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from campaign.real.engine import REBORN
from campaign.real.plan import CHAIN, DIAMOND, FAN, HOME, Injection, Trial, dnad, layers
from campaign.scenario import between, pick
from jupiter.aio.failpoints import NAMES
from jupiter.kit.rng import Stream, stream
from jupiter.model.ids import NodeId

Base = dict[str, Any]
"""A trial in the making, by the names of its attributes."""
Change = Callable[[Stream, Base], None]


def _base(fault: str, seed: int, draw: Stream) -> Base:
    """Return a workload in which nothing goes wrong yet."""
    shape = pick(draw, ("chain", "diamond", "diamond", "dnad", "scatter", "layers"))
    graphs = {"chain": CHAIN, "diamond": DIAMOND, "dnad": dnad(), "scatter": FAN}
    parents = graphs.get(shape) or layers(draw)
    scatter = "b" if shape == "scatter" else ""
    is_big = draw.random() < 0.2 and shape != "dnad"
    ways: dict[str, dict[str, Any]] = {}
    for name in parents:
        ways[name] = {"seconds": round(between(draw, 0.002, 0.02), 4)}
        if name == scatter:
            ways[name] |= {"many": 2, "stingy": pick(draw, (0.0, 0.5))}
        elif draw.random() < 0.15:
            ways[name]["many"] = 2
        if is_big:
            ways[name]["padding_bytes"] = int(between(draw, 1e4, 4e5))
    if draw.random() < 0.2 and not scatter:
        ways[pick(draw, list(parents))]["fails"] = 0.1
    if draw.random() < 0.2 and not scatter:
        ways[pick(draw, list(parents))]["stingy"] = 0.2
    nodes = [NodeId(f"n{k}") for k in range(1, 4 + int(draw.random() * 2))]
    items = 20 + int(draw.random() * (20 if shape == "dnad" else 40))
    return {
        "fault": fault,
        "seed": seed,
        "shape": shape,
        "parents": parents,
        "scatter": scatter,
        "ways": ways,
        "preferred": {name: pick(draw, nodes) for name in parents},
        "cores": {node: 1 + int(draw.random() * 3) for node in nodes},
        "items": items,
        "interval_s": pick(draw, (0.0, 0.01, 0.03)),
        "level": pick(draw, ("none", "ingress", "ingress", "hop")),
        "placement": pick(draw, ("static", "static", "least-loaded")),
        "is_ordered": not scatter and draw.random() < 0.25,
        "in_flight_max": pick(draw, (4, 8, 16)),
        "mbit": pick(draw, (100, 400)) if is_big else 0,
    }


def _moment(draw: Stream, base: Base, until: float = 0.6) -> dict[str, Any]:
    """Return a moment while the stream flows."""
    after = 1 + int(draw.random() * until * base["items"])
    return {"after_items": after, "delay_s": round(0.05 * draw.random(), 4)}


def _busy(draw: Stream, base: Base) -> NodeId:
    """Return a worker that has tasks."""
    busy: list[NodeId] = list(dict.fromkeys(base["preferred"].values()))
    return pick(draw, busy)


def _anyone(draw: Stream, base: Base) -> NodeId:
    """Return home or a worker that has tasks."""
    return HOME if draw.random() < 0.4 else _busy(draw, base)


def _home(draw: Stream, base: Base) -> NodeId:
    return HOME


def _steady(base: Base) -> None:
    """Let a stream last long enough for something to happen in its middle."""
    base["items"] = max(base["items"], 30)
    base["interval_s"] = max(base["interval_s"], 0.01)


def _durable(draw: Stream, base: Base) -> None:
    base["level"] = pick(draw, ("ingress", "hop"))


def _adding(
    kinds: Sequence[str],
    times: int,
    length_s: tuple[float, float] = (0, 0),
    where: Callable[[Stream, Base], NodeId] = _busy,
    **more: Any,
) -> Change:
    """Return what adds a fault of some kinds at up to so many moments.

    Args:
        kinds: One of them is chosen.
        times: At most.
        length_s: Of each, from and to; small ones are as likely as large ones.
        where: Chooses the node.
        more: Attributes of the trial.
    """

    def change(draw: Stream, base: Base) -> None:
        _steady(base)
        low, high = length_s
        base["injections"] = tuple(
            Injection(
                kind=pick(draw, kinds),
                node=where(draw, base),
                length_s=round(between(draw, low, high), 3) if high else 0.0,
                **_moment(draw, base),
            )
            for _ in range(1 + int(draw.random() * times))
        )
        base |= more

    return change


def _adding_durable(*words: Any, **more: Any) -> Change:
    """Return the same for streams that survive their agents."""
    change = _adding(*words, **more)

    def durable(draw: Stream, base: Base) -> None:
        _durable(draw, base)
        change(draw, base)

    return durable


def _kill(draw: Stream, base: Base) -> None:
    _adding(("kill", "leave"), 1)(draw, base)


AT_HOME = ("input.", "item.", "results.", "journal.")
AT_WORKERS = ("attempt.", "outputs.", "bundle.", "body.", "inputs.")
ONCE = ("run.", "bundle.", "epoch.", "workers.", "journal.comp", "journal.swapped")
AFTER_A_LOSS = ("workers.", "epoch.")
"""Points that are passed where tasks move because another agent was lost."""


def _failpoint(draw: Stream, base: Base) -> None:
    """Each seed has its own point; how often it is passed before is drawn."""
    name = NAMES[base["seed"] % len(NAMES)]
    _durable(draw, base)
    _steady(base)
    node = HOME if name.startswith(AT_HOME) else _anyone(draw, base)
    if name.startswith(AT_WORKERS):
        node = _busy(draw, base)
    if name == "body.named":
        for ways in base["ways"].values():
            ways["padding_bytes"] = 300_000
        base |= {"items": 20, "mbit": 0}
    if name in ("journal.compact", "journal.compacted", "journal.swapped"):
        base["wrap"] = ("tiny-journal",)
    times = 1 if name.startswith(ONCE) else 1 + int(draw.random() * 5)
    base["failpoints"] = {node: f"{name}:{times}"}
    if name.startswith(AFTER_A_LOSS):
        victim = _busy(draw, base)
        is_back = name == "workers.stop"  # that happens when the other one has come back
        items, until = (160, 0.1) if is_back else (80, 0.3)
        base |= {"items": items, "interval_s": 0.04, "placement": "static"}
        base["failpoints"] = {each: f"{name}:1" for each in base["cores"] if each != victim}
        base["injections"] = (
            Injection(kind="kill", node=victim, length_s=0.4, **_moment(draw, base, until)),
        )
    elif name in REBORN:
        base["injections"] = (Injection(kind="kill", node=node, **_moment(draw, base, 0.3)),)


def _between_result_and_mark(draw: Stream, base: Base) -> None:
    _durable(draw, base)
    _steady(base)
    names = ("results.show", "results.renamed", "results.synced", "item.resolve")
    base["failpoints"] = {HOME: f"{pick(draw, names)}:{1 + int(25 * draw.random())}"}


def _slow_disk(draw: Stream, base: Base) -> None:
    """An agent is killed; or home's, when others know of what its disk has not taken yet."""
    if base["seed"] % 2:
        _adding_durable(("kill",), 1, wrap=("slow-sync",))(draw, base)
        return
    base |= {"level": "ingress", "in_flight_max": 16, "interval_s": 0.02, "items": 20}
    base["failpoints"] = {HOME: f"facts.acknowledged:{1 + base['seed'] // 2 % 3}"}
    base["wrap"] = ("crawling-sync",)


def _task_dies(draw: Stream, base: Base) -> None:
    how = pick(draw, ("SIGKILL", "SIGSEGV", "SIGABRT", "1", "77", "255", "memory"))
    name = pick(draw, list(base["parents"]))
    base["ways"][name] |= {"dies": how, "dies_share": pick(draw, (0.1, 0.5)), "retries": 5}
    if draw.random() < 0.5:
        _adding(("kill worker",), 3)(draw, base)
        for ways in base["ways"].values():
            ways["retries"] = 8
            ways.pop("fails", None)  # so many attempts take long


def _control_dies(draw: Stream, base: Base) -> None:
    """A stream that runs at one speed, so that its rate can be compared."""
    _durable(draw, base)
    for name in base["parents"]:
        base["ways"][name] = {"seconds": 0.005}
        if name == base["scatter"]:
            base["ways"][name]["many"] = 2
    base["ways"][list(base["parents"])[-1]]["seconds"] = 0.025
    base |= {"interval_s": 0.0, "items": 140, "mbit": 0, "in_flight_max": 8, "is_ordered": False}
    base |= {"cores": dict.fromkeys(base["cores"], 1), "placement": "static"}
    length_s = round(between(draw, 0.6, 1.2), 3)
    after = 30 + int(20 * draw.random())
    base["injections"] = (Injection(kind="kill control", after_items=after, length_s=length_s),)


def _rolling(draw: Stream, base: Base) -> None:
    _durable(draw, base)
    _steady(base)
    base["items"] = 60
    base["injections"] = tuple(
        Injection(kind="end", node=node, after_items=5 + 12 * k)
        for k, node in enumerate(base["cores"])
    )


def _reset(draw: Stream, base: Base) -> None:
    for ways in base["ways"].values():
        ways["padding_bytes"] = int(between(draw, 2e4, 2e5) / len(base["ways"]) * 4)
    _adding(("reset",), 4, (0.02, 0.3))(draw, base)
    base |= {"mbit": pick(draw, (50, 100)), "interval_s": 0.0}


def _detour(kind: str) -> Change:
    def change(draw: Stream, base: Base) -> None:
        for ways in base["ways"].values():
            ways["padding_bytes"] = int(between(draw, 1e3, 1e5))
        times = str(1 + int(draw.random() * 6))
        if (
            kind == "flip" and draw.random() < 0.5
        ):  # else what is changed is found by TLS, and not by digests
            base["wrap"] = ("plain",)
        base["detour"] = (_anyone(draw, base), kind, str(base["seed"]), times)

    return change


def _fill(draw: Stream, base: Base) -> None:
    _durable(draw, base)
    for ways in base["ways"].values():
        ways.pop("padding_bytes", None)
    _adding(("fill", "use inodes"), 2, (0.3, 1.5), _anyone, disk="tmpfs", mbit=0)(draw, base)


def _damage(*kinds: str, times: int = 1) -> Change:
    """Return what harms stored data; half of the files are too large for memory and journal."""
    change = _adding_durable(kinds, times, where=_anyone, may_refuse=True)

    def big(draw: Stream, base: Base) -> None:
        change(draw, base)
        if draw.random() < 0.5:
            for ways in base["ways"].values():
                ways["padding_bytes"] = 100_000

    return big


def _burst(draw: Stream, base: Base) -> None:
    name = pick(draw, list(base["parents"]))
    base["ways"][name]["seconds"] = 0.03
    items = 120 if base["shape"] != "dnad" else 60
    base |= {"interval_s": 0.0, "items": items, "placement": "static"}
    base["cores"][_busy(draw, base)] = 1
    base["injections"] = (Injection(kind="burst", size=base["items"]),)


def _poison(draw: Stream, base: Base) -> None:
    name = pick(draw, list(base["parents"]))
    base["ways"][name] |= {
        "dies": pick(draw, ("SIGKILL", "SIGSEGV", "9")),
        "dies_share": 0.1,
        "dies_always": True,
        "retries": 2,
    }


@dataclass(frozen=True)
class Kind:
    """One fault of the campaign.

    Attributes:
        what: In words, for the report.
        slice: Trials in every run of the tests.
        change: Changes a workload so that the fault meets it.
    """

    what: str
    slice: int
    change: Change


KINDS: dict[str, Kind] = {
    "F01": Kind("an agent is killed, for a moment or for good", 16, _kill),
    "F02": Kind("an agent dies at a labelled point", len(NAMES), _failpoint),
    "F03": Kind("the process of a task dies", 8, _task_dies),
    "F04": Kind("the controlling process is killed, and one goes on later", 6, _control_dies),
    "F05": Kind("home's agent is killed", 8, _adding_durable(("kill",), 2, where=_home)),
    "F06": Kind(
        "home's agent dies between a result and the mark of it", 6, _between_result_and_mark
    ),
    "F07": Kind("all agents are killed at once", 5, _adding_durable(("kill all",), 1)),
    "F08": Kind("an agent is killed and its disk is lost", 5, _adding(("lose disk",), 1)),
    "F09": Kind("an agent stands still for 0.2 to 3 s", 8, _adding(("pause",), 2, (0.2, 3.0))),
    "F10": Kind(
        "the controlling process stands still", 4, _adding(("pause control",), 2, (0.2, 2.0))
    ),
    "F11": Kind("all agents are ended and started again in turn", 3, _rolling),
    "F13": Kind("a node is cut off for 0.1 to 3 s", 8, _adding(("unplug",), 2, (0.1, 3.0))),
    "F14": Kind("a node is heard no more, or hears no more", 6, _adding(("drop",), 2, (0.1, 3.0))),
    "F21": Kind("connections are reset while they carry something", 6, _reset),
    "F26": Kind("transfers are cut at some byte", 6, _detour("cut")),
    "F27": Kind("bytes are changed on the way", 6, _detour("flip")),
    "F28": Kind("a disk is full, or out of inodes, for 0.3 to 1.5 s", 6, _fill),
    "F32": Kind(
        "the power of a node is cut",
        10,
        _adding_durable(("power",), 3, where=_anyone, disk="ext4"),
    ),
    "F33": Kind(
        "the end of a journal is missing",
        6,
        _damage("cut journal"),
    ),
    "F34": Kind(
        "bits of a journal or of stored files have changed",
        8,
        _damage("flip journal", "flip spool"),
    ),
    "F35": Kind(
        "stored files are deleted, swapped, or something else",
        8,
        _damage("mess", times=2),
    ),
    "F36": Kind("disks are slow to sync", 4, _slow_disk),
    "F44": Kind("everything comes at once, and one node is slow", 3, _burst),
    "F46": Kind("an item kills the process of every attempt", 4, _poison),
}


def make(fault: str, seed: int) -> Trial:
    """Return what a fault and a seed mean."""
    draw = stream(seed, "real", fault)
    base = _base(fault, seed, draw)
    KINDS[fault].change(draw, base)
    return Trial(**base)
