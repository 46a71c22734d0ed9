"""What a run leaves in its output folder while it is under way, so that it can be resumed."""

from __future__ import annotations

import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

import msgspec

from jupiter.agent.identity import is_locked, read_identity, write_safely
from jupiter.errors import Fault, InputError
from jupiter.home.log import FactLog
from jupiter.model.run import Prediction
from jupiter.model.schedule import Schedule

FOLDER = ".jupiter"
SESSION = "session.json"
FACTS = "facts.log"
NODES = "nodes"


class State(msgspec.Struct, frozen=True):
    """A stream that is under way.

    Attributes:
        token: Secret of the session, hexadecimal; so only its owner may read the file.
        run: Its id.
        engine: Name of the engine.
        app: Folder of the application.
        bundle: Digest of its code.
        cluster: File of the network.
        settings: As JSON.
        inputs: The paths of each item's files.
        results: Folder for results.
        schedule: That the items stream through.
        prediction: Of it.
    """

    token: str
    run: str
    engine: str
    app: str
    bundle: str
    cluster: str
    settings: str
    inputs: tuple[tuple[str, ...], ...]
    results: str
    schedule: Schedule
    prediction: Prediction | None


class StateFolder:
    """The folder of a run that is under way.

    Args:
        output: Output folder of the run.
    """

    def __init__(self, output: Path) -> None:
        self.path = output / FOLDER
        self.output = output

    @property
    def nodes(self) -> Path:
        """Folder for the data of the agents."""
        return self.path / NODES

    @property
    def exists(self) -> bool:
        """Whether a run was begun and has not ended."""
        return (self.path / SESSION).exists()

    def save(self, state: State) -> None:
        """Write the state of a run that begins to stream.

        Raises:
            OSError: It cannot be written.
        """
        self.path.mkdir(mode=0o700, exist_ok=True)
        (self.path / FACTS).unlink(missing_ok=True)
        write_safely(self.path / SESSION, msgspec.json.encode(state))

    def load(self) -> State:
        """Return the state of the run.

        Raises:
            InputError: There is none, or it cannot be read.
        """
        try:
            return msgspec.json.decode((self.path / SESSION).read_bytes(), type=State)
        except FileNotFoundError:
            raise InputError(
                Fault(
                    "there is no run to go on with",
                    file=str(self.output),
                    expected="the output folder of a run that was interrupted while it streamed",
                    remedy="start it anew with: jupiter run",
                )
            ) from None
        except (OSError, msgspec.MsgspecError) as error:
            raise InputError(
                Fault(
                    f"the state of the run cannot be read: {error}",
                    file=str(self.path / SESSION),
                    remedy="start it anew with: jupiter run --overwrite",
                )
            ) from error

    def log(self) -> FactLog:
        """Open the facts of the run."""
        return FactLog(self.path / FACTS)

    def at_work(self) -> dict[str, int]:
        """Return the process ids of the agents that are at work, by node."""
        found = {}
        if self.nodes.is_dir():
            for folder in sorted(self.nodes.iterdir()):
                identity = read_identity(folder) if folder.is_dir() else None
                if identity is not None and is_locked(folder):
                    found[folder.name] = identity.pid
        return found

    def stop_agents(self) -> tuple[str, ...]:
        """Ask all agents that are at work to end; return their nodes."""
        found = self.at_work()
        for pid in found.values():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        return tuple(found)

    def refuse_if_busy(self, *, overwrite: bool) -> None:
        """Refuse a folder in which an earlier run has not ended; else make it ready for a new one.

        Raises:
            InputError: It has not.
        """
        busy = self.at_work()
        if busy or (self.exists and not overwrite):
            what = f"agents of {', '.join(busy)} are at work" if busy else "it was interrupted"
            remedy = f"jupiter resume {self.output}" + (
                f", or jupiter stop {self.output}" if busy else ", or give --overwrite"
            )
            raise InputError(
                Fault(
                    "holds a run that has not ended",
                    file=str(self.output),
                    got=what,
                    expected="a folder of no run, or of one that has ended",
                    remedy=remedy,
                )
            )
        self.remove()

    def remove(self) -> None:
        """Remove the folder; nothing is left to go on with."""
        shutil.rmtree(self.path, ignore_errors=True)
