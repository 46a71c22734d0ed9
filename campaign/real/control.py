"""The controlling process of a trial: runs a session, and tells of it in lines of JSON."""

from __future__ import annotations

import asyncio
import os
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from campaign.real.engine import AGENT, LabEngine
from campaign.real.lab import Lab
from campaign.real.naive import allow_plain
from campaign.real.plan import Trial
from jupiter.aio.clock import monotonic_s, wall_s
from jupiter.errors import JupiterError
from jupiter.home.log import FactLog
from jupiter.model import messages as msg
from jupiter.model.ids import NodeId
from jupiter.model.run import ItemRecord, TaskRecord
from jupiter.orchestrator.session import Session, Watch
from jupiter.settings import RunSettings


class Started(msgspec.Struct, tag=True, frozen=True):
    """An agent has started, or was taken over."""

    node: NodeId
    pid: int
    port: int


class Died(msgspec.Struct, tag=True, frozen=True):
    """An agent has ended unasked."""

    node: NodeId


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


Told = Started | Died | ItemEnded | Streamed | Broken
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


class _Log(FactLog):
    """Takes each input away as soon as its acceptance is known: nobody can offer it again."""

    def __init__(self, path: Path, inputs: Sequence[Path]) -> None:
        super().__init__(path)
        self._inputs = inputs

    def add(self, node: NodeId, facts: msg.Facts) -> None:
        """Write facts down."""
        super().add(node, facts)
        for fact in facts.others:
            if isinstance(fact, msg.Accepted):
                self._inputs[fact.seq].unlink(missing_ok=True)


@dataclass(frozen=True)
class Setting:
    """What a controlling process needs to know.

    Attributes:
        token: Secret of the session.
        agent: Words for the interpreter that start an agent.
    """

    trial: Trial
    lab: Lab
    site: Site
    token: str
    agent: tuple[str, ...] = AGENT


def fork(setting: Setting, *, is_resumed: bool = False) -> tuple[int, int]:
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
        os.dup2(theirs, 3, inheritable=False)  # nothing else is open here, above all no locks
        os.closerange(4, 1024)
        os.setsid()
        tempfile.tempdir = os.environ["TMPDIR"] = str(setting.site.temporary)
        errors = os.open(
            setting.site.logs / "control.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600
        )
        os.dup2(errors, 2)
        asyncio.run(_control(setting, 3, is_resumed=is_resumed))
        code = 0
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


async def _control(setting: Setting, pipe: int, *, is_resumed: bool) -> None:
    trial, site = setting.trial, setting.site
    is_plain = "plain" in trial.wrap
    if is_plain:
        allow_plain()

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
        tls="off" if is_plain else "on",
    )
    engine = LabEngine(
        setting.lab,
        site.logs,
        lambda handle: tell(Started(handle.node, handle.pid, handle.port)),
        lambda node: tell(Died(node)),
        setting.agent,
        trial.failpoints,
    )
    app = trial.application(str(site.app))
    session = Session(app, trial.network(), engine, settings, setting.token)
    inputs = [site.inputs / f"in{k}.part" for k in range(trial.items)]
    log = _Log(site.logs / "facts", inputs) if trial.level != "none" else None
    try:
        async with session:
            record = await session.stream(
                trial.schedule(),
                [(path,) for path in inputs],
                site.results,
                watch=Watch(item=lambda: tell(ItemEnded())),
                log=log,
                resumed=session.next_run(trial.schedule()) if is_resumed else "",
            )
    except JupiterError as error:
        tell(Broken(f"{type(error).__name__}: {error}"))
        return
    zero_s = record.started_at - wall_s() + monotonic_s()
    tell(Streamed(zero_s, record.items, record.tasks, record.notes))
