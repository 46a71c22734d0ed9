"""Items that failed: their inputs and the reasons, kept beside the results."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Self

import msgspec

from jupiter.agent.identity import write_safely
from jupiter.aio.clock import wall_s
from jupiter.errors import Fault, InputError
from jupiter.kit.names import nearest
from jupiter.model import messages as msg
from jupiter.model.ids import ItemId, NodeId, is_batch, item_id
from jupiter.model.run import TaskRecord

FOLDER = "dead-letters"
ORIGIN = "run.json"
REASON = "reason.json"
INPUT = "input"
ENTRIES_MAX = 10_000
BYTES_MAX = 1 << 30
"""Beyond either bound only the reason of an item is kept, and not its input."""
TEXT_MAX = 65_536
"""Characters of a traceback; its end is kept."""
ATTEMPTS_MAX = 100
OPEN_MAX = 10_000
"""Failed attempts of items that have not ended, which are remembered."""


class Origin(msgspec.Struct, frozen=True):
    """What a dead letter needs to be tried again.

    Attributes:
        app: Folder of the application.
        cluster: File of the network.
        engine: Name of the engine.
        settings: As JSON.
    """

    app: str
    cluster: str
    engine: str
    settings: str


class Attempt(msgspec.Struct, frozen=True):
    """One attempt that gave nothing."""

    task: str
    node: str
    attempt: int
    seconds: float
    reason: str


class DeadLetter(msgspec.Struct, frozen=True):
    """One item that failed.

    Attributes:
        item: Its id.
        name: Of its input.
        task: That gave up; empty where none did.
        reason: In one sentence.
        traceback: Of the last attempt, or the end of what it printed.
        attempts: That failed.
        time: When it was known, seconds since 1970.
        sources: Paths of its input, as the run was given them.
        files: Names of the copies in the folder ``input``.
        retried: Folder of the run in which it did well later; empty where it did not.
    """

    item: str
    name: str
    task: str
    reason: str
    traceback: str = ""
    attempts: tuple[Attempt, ...] = ()
    time: float = 0.0
    sources: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    retried: str = ""


class DeadLetters:
    """Writes dead letters of a run as its items fail; all files are written by one thread.

    Args:
        output: Output folder of the run.
        origin: Of the run.
        inputs: Paths of each item's files, in the order of the items.
        is_new: The run begins: what is left of an earlier one goes.
    """

    def __init__(
        self, output: Path, origin: Origin, inputs: Sequence[tuple[Path, ...]], *, is_new: bool
    ) -> None:
        self._folder = output / FOLDER
        self._origin = origin
        self._inputs = inputs
        if is_new:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="dead-letters")
        self._names: dict[int, str] = {}
        self._failed: dict[str, list[TaskRecord]] = {}
        self._letters: dict[str, DeadLetter] = {}
        self._entries = 0
        self._bytes = 0
        self.count = 0
        """Items that failed."""
        self.problem = ""
        """Why some could not be written."""

    def take(self, node: NodeId, facts: msg.Facts) -> None:
        """Take in what an agent reports."""
        for record in facts.tasks:
            if record.status == "failed":
                self._attempted(record)
        for fact in facts.others:
            match fact:
                case msg.Accepted(seq, name):
                    self._names[seq] = name
                case msg.Ended(seq=seq, outcome="failed"):
                    self._end(fact)
                case msg.Ended(seq=seq):
                    self._names.pop(seq, None)
                    self._failed.pop(item_id(seq), None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._thread.shutdown(wait=True)  # until everything is written

    def _attempted(self, record: TaskRecord) -> None:
        letter = self._letters.get(record.item)
        if letter is not None:  # its end was told first, by another node
            self._write(_with_attempts(letter, [record]))
            return
        if len(self._failed) >= OPEN_MAX:
            del self._failed[next(iter(self._failed))]
        self._failed.setdefault(record.item, []).append(record)
        del self._failed[record.item][:-ATTEMPTS_MAX]
        if is_batch(record.item):
            for letter in [each for each in self._letters.values() if _is_of(record, each)]:
                self._write(_with_attempts(letter, [record]))

    def _end(self, ended: msg.Ended) -> None:
        item = item_id(ended.seq)
        if item in self._letters:
            return
        sources = self._inputs[ended.seq] if ended.seq < len(self._inputs) else ()
        words = ended.detail.split()
        task = words[1] if len(words) > 1 and words[0] == "task" else ""
        letter = DeadLetter(
            item=item,
            name=self._names.pop(ended.seq, ""),
            task=task,
            reason=ended.detail,
            time=wall_s(),
            sources=tuple([str(path.absolute()) for path in sources]),
        )
        batches = [each for key, each in self._failed.items() if is_batch(ItemId(key))]
        found = [record for each in batches for record in each if _is_of(record, letter)]
        self.count += 1
        self._write(_with_attempts(letter, [*self._failed.pop(item, ()), *found]), is_first=True)

    def _write(self, letter: DeadLetter, *, is_first: bool = False) -> None:
        self._letters[letter.item] = letter
        self._thread.submit(self._put, letter, is_first)

    def _put(self, letter: DeadLetter, is_first: bool) -> None:
        """Write a letter; the input first, so that a letter speaks only of what is there."""
        folder = self._folder / letter.item
        try:
            if is_first:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._keep_origin()
                self._keep_input(letter, folder / INPUT)
            files = _names_in(folder / INPUT)
            kept = read_letter(folder)
            retried = kept.retried if kept is not None else ""
            letter = msgspec.structs.replace(letter, files=files, retried=retried)
            write_safely(folder / REASON, _encode(letter))
        except OSError as error:
            self.problem = f"dead letters cannot be kept: {error}"

    def _keep_origin(self) -> None:
        path = self._folder / ORIGIN
        if not path.exists():
            write_safely(path, _encode(self._origin))

    def _keep_input(self, letter: DeadLetter, folder: Path) -> None:
        if folder.exists():  # kept before this command was started again
            return
        size = 0
        for source in letter.sources:
            with suppress(OSError):
                size += Path(source).stat().st_size
        if self._entries >= ENTRIES_MAX or self._bytes + size > BYTES_MAX:
            return
        partial = folder.with_name(".input.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        for source in letter.sources:
            with suppress(FileNotFoundError):  # the user has removed it
                shutil.copyfile(source, partial / Path(source).name)
        partial.rename(folder)
        self._entries += 1
        self._bytes += size


def _names_in(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.name for path in folder.iterdir())) if folder.is_dir() else ()


def _is_of(record: TaskRecord, letter: DeadLetter) -> bool:
    """Return whether an attempt of a batch is why an item failed: the batch does not say whose."""
    first = record.detail.partition("\n")[0]
    return is_batch(record.item) and record.task == letter.task and first in letter.reason


def _with_attempts(letter: DeadLetter, records: Iterable[TaskRecord]) -> DeadLetter:
    attempts = list(letter.attempts)
    traceback = letter.traceback
    for record in records:
        reason, _, rest = record.detail.partition("\n")
        seconds = record.finish_s - record.execute_s
        attempts.append(Attempt(record.task, record.node, record.attempt, seconds, reason))
        traceback = rest[-TEXT_MAX:] or traceback
    attempts.sort(key=lambda each: each.attempt)
    return msgspec.structs.replace(
        letter, attempts=tuple(attempts[-ATTEMPTS_MAX:]), traceback=traceback
    )


def _encode(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"


def read_letter(folder: Path) -> DeadLetter | None:
    """Return the letter in a folder; None where there is none that can be read."""
    try:
        return msgspec.json.decode((folder / REASON).read_bytes(), type=DeadLetter)
    except (OSError, msgspec.MsgspecError):
        return None


def read_letters(output: Path) -> list[DeadLetter]:
    """Return all dead letters of a run, by their items.

    Raises:
        InputError: There is no such folder.
    """
    if not output.is_dir():
        raise InputError(
            Fault(
                "there is no such folder",
                file=str(output),
                expected="the output folder of a run",
                remedy="check the path",
            )
        )
    folder = output / FOLDER
    if not folder.is_dir():
        return []
    found = [read_letter(each) for each in folder.iterdir() if each.is_dir()]
    return sorted(
        (letter for letter in found if letter is not None), key=lambda each: int(each.item)
    )


def find_letters(output: Path, wanted: Iterable[str]) -> list[DeadLetter]:
    """Return the letters of some items, named by their ids or by the names of their inputs.

    Raises:
        InputError: An item has none.
    """
    letters = read_letters(output)
    found: dict[str, DeadLetter] = {}
    faults = []
    for word in wanted:
        match = [each for each in letters if word in (each.item, each.name)]
        found |= {each.item: each for each in match}
        if not match:
            known = [name for each in letters for name in (each.item, each.name)]
            near = nearest(word, known)
            faults.append(
                Fault(
                    "no item of this name has failed",
                    file=str(output / FOLDER),
                    got=word,
                    expected=f"one of {len(letters)} items" if letters else "no item has failed",
                    remedy=f"{near} (did you mean that?)" if near else "see jupiter dlq list",
                )
            )
    if faults:
        raise InputError(faults)
    return list(found.values())


def folder_of(output: Path, letter: DeadLetter) -> Path:
    """Return the folder of a letter."""
    return output / FOLDER / letter.item


def read_origin(output: Path) -> Origin:
    """Return where the letters of a run come from.

    Raises:
        InputError: That is not known.
    """
    path = output / FOLDER / ORIGIN
    try:
        return msgspec.json.decode(path.read_bytes(), type=Origin)
    except (OSError, msgspec.MsgspecError) as error:
        raise InputError(
            Fault(
                f"cannot be read: {error}",
                file=str(path),
                expected="what jupiter run wrote there when the first item failed",
                remedy="stream the inputs with: jupiter run",
            )
        ) from error


def mark_retried(output: Path, letter: DeadLetter, where: str) -> None:
    """Note in which run an item did well.

    Raises:
        OSError: The letter cannot be written.
    """
    changed = msgspec.structs.replace(letter, retried=where)
    write_safely(folder_of(output, letter) / REASON, _encode(changed))
