"""All that is written down of a run, while it is under way and after its end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jupiter.errors import Fault, InputError
from jupiter.formats import trace_jsonl
from jupiter.home.collector import Collector
from jupiter.home.log import read_facts
from jupiter.kit.names import nearest
from jupiter.model.ids import ItemId
from jupiter.model.run import ItemRecord, TaskRecord, TransferRecord
from jupiter.orchestrator.output import RESULTS, TRACE
from jupiter.orchestrator.state import FACTS, StateFolder


@dataclass(frozen=True)
class History:
    """All that is written down of a run; times are seconds after the first acceptance.

    Attributes:
        is_over: The run has ended.
    """

    run: str
    items: tuple[ItemRecord, ...]
    tasks: tuple[TaskRecord, ...]
    transfers: tuple[TransferRecord, ...]
    is_over: bool

    def find(self, word: str) -> ItemRecord:
        """Return the item with an id or, where none has it, with the name of its input.

        Raises:
            InputError: There is none, or several have the name.
        """
        named = [item for item in self.items if item.name == word]
        same = [item for item in self.items if item.item == word] or named
        if len(same) == 1:
            return same[0]
        if same:
            ids = ", ".join(item.item for item in same[:10])
            fault = Fault("several items have this name", got=word, remedy=f"name one by id: {ids}")
        else:
            near = nearest(word, [item.name for item in self.items])
            last = self.items[-1].item if self.items else "none"
            fault = Fault(
                "there is no such item",
                got=word,
                expected=f"an id up to {last}, or the name of an input",
                remedy=f"{near} (did you mean that?)" if near else "see the names in trace.jsonl",
            )
        raise InputError(fault)


def refuse_unless_run(output: Path) -> None:
    """Raise where a folder is the output folder of no run.

    Raises:
        InputError: It is not.
    """
    is_there = output.is_dir()
    if is_there and (StateFolder(output).path.is_dir() or (output / TRACE).is_file()):
        return
    if (output / RESULTS).is_dir():
        raise InputError(
            Fault(
                "has no trace: its run has ended this moment, or was given up",
                file=str(output),
                expected="a run that goes on, or that came to its end",
                remedy="ask again",
            )
        )
    raise InputError(
        Fault(
            "is the output folder of no run" if is_there else "there is no such folder",
            file=str(output),
            expected="the folder that jupiter run was given as --output",
            remedy="check the path",
        )
    )


@dataclass
class _NoEnd:
    """Where the end of the run is noted."""

    is_over: bool = False

    def drained(self) -> None:
        """Note that all items have ended."""
        self.is_over = True


def read_history(output: Path) -> History:
    """Return all that is written down of a run, whether or not it has ended.

    Raises:
        InputError: Nothing is, or it cannot be read.
    """
    refuse_unless_run(output)
    folder = StateFolder(output)
    facts = folder.path / FACTS
    if folder.exists and facts.is_file():
        end = _NoEnd()
        collector = Collector(lambda node: 0.0, lambda: None, end.drained, lambda reason: None)
        for node, each in read_facts(facts):
            collector.take(node, each)
        items, tasks, transfers = collector.records()
        return History(folder.load().run, items, tasks, transfers, end.is_over)
    path = output / TRACE
    if not path.is_file():
        raise InputError(
            Fault(
                "nothing is written down of this run yet",
                file=str(output),
                expected="a run that streams, or has ended",
                remedy="wait until its nodes are measured",
            )
        )
    trace = trace_jsonl.read(path.read_text(encoding="utf-8"), str(path))
    return History(trace.run, trace.items, trace.tasks, trace.transfers, is_over=True)


def is_in(item: ItemId, other: ItemId, others: set[ItemId]) -> bool:
    """Return whether an item went into a batch.

    A batch has the number of its first item; so an item is in the last one that begins before it.

    Args:
        item: Of the ingress.
        other: A batch.
        others: All batches.
    """
    scope, _, first = other.rpartition(".")
    if not scope or int(first) > int(item):
        return False
    same = [int(each.rpartition(".")[2]) for each in others if each.rpartition(".")[0] == scope]
    return int(first) == max(number for number in same if number <= int(item))


def life_of(
    history: History, item: ItemRecord
) -> tuple[tuple[TaskRecord, ...], tuple[TransferRecord, ...]]:
    """Return the executions and transfers of an item, those of its batches included."""
    names = {each.item for each in history.tasks} | {each.item for each in history.transfers}
    batches = {name for name in names if "." in name}
    wanted = {item.item} | {name for name in batches if is_in(item.item, name, batches)}
    return (
        tuple(each for each in history.tasks if each.item in wanted),
        tuple(each for each in history.transfers if each.item in wanted),
    )
