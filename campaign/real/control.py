"""The controlling process of a trial: runs a session, and tells of it in lines of JSON."""

from __future__ import annotations

import asyncio
import os
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path

import msgspec

from campaign.real.engine import AGENT, LabEngine
from campaign.real.lab import Lab
from campaign.real.plan import Trial
from jupiter.aio.clock import monotonic_s, wall_s
from jupiter.errors import JupiterError
from jupiter.model.ids import NodeId
from jupiter.model.run import ItemRecord, TaskRecord
from jupiter.orchestrator.session import Session, Watch
from jupiter.settings import RunSettings


class Started(msgspec.Struct, tag=True, frozen=True):
    """An agent has started."""

    node: NodeId
    pid: int


class ItemEnded(msgspec.Struct, tag=True, frozen=True):
    """An item has ended; counted, not named."""


class Streamed(msgspec.Struct, tag=True, frozen=True):
    """The stream is over; times of records are seconds after `zero_s` on the monotonic clock."""

    zero_s: float
    items: tuple[ItemRecord, ...]
    tasks: tuple[TaskRecord, ...]
    notes: tuple[str, ...]


class Broken(msgspec.Struct, tag=True, frozen=True):
    """The stream did not end well."""

    reason: str


Told = Started | ItemEnded | Streamed | Broken
DECODER: msgspec.json.Decoder[Told] = msgspec.json.Decoder(Told)


@dataclass(frozen=True)
class Site:
    """The folders of a trial.

    Attributes:
        app: The application.
        inputs: One file an item.
        results: Where results go.
        temporary: For all processes; must be empty in the end.
        logs: What agents write to their error output.
        marks: What tasks note down.
    """

    app: Path
    inputs: Path
    results: Path
    temporary: Path
    logs: Path
    marks: Path


def fork(trial: Trial, lab: Lab, site: Site, agent: tuple[str, ...] = AGENT) -> tuple[int, int]:
    """Start a controlling process; return its id and the end of the pipe that it tells into.

    It is forked, so that everything is loaded already: a campaign starts thousands of them.
    """
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid:
        os.close(theirs)
        return pid, ours
    code = 1
    try:
        os.close(ours)
        os.setsid()
        tempfile.tempdir = str(site.temporary)
        os.environ["TMPDIR"] = str(site.temporary)
        errors = os.open(site.logs / "control.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(errors, 2)
        asyncio.run(_control(trial, lab, site, agent, theirs))
        code = 0
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


async def _control(trial: Trial, lab: Lab, site: Site, agent: tuple[str, ...], pipe: int) -> None:
    def tell(what: Told) -> None:
        line = msgspec.json.encode(what) + b"\n"
        while line:
            line = line[os.write(pipe, line) :]

    settings = RunSettings(
        interval_s=trial.interval_s,
        in_flight_max=trial.in_flight_max,
        placement=trial.placement,
        is_ordered=trial.is_ordered,
        durability=trial.level,
    )
    engine = LabEngine(lab, site.logs, lambda node, pid: tell(Started(node, pid)), agent)
    session = Session(trial.application(str(site.app)), trial.network(), engine, settings)
    inputs = [(site.inputs / f"in{k}.part",) for k in range(trial.items)]
    try:
        async with session:
            record = await session.stream(
                trial.schedule(),
                inputs,
                site.results,
                watch=Watch(item=lambda: tell(ItemEnded())),
            )
    except JupiterError as error:
        tell(Broken(f"{type(error).__name__}: {error}"))
        return
    zero_s = record.started_at - wall_s() + monotonic_s()
    tell(Streamed(zero_s, record.items, record.tasks, record.notes))
