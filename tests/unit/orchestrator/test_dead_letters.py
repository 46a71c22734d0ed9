"""Dead letters: what is kept of items that fail, in whatever order it is told."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from jupiter.errors import InputError
from jupiter.model import messages as msg
from jupiter.model.ids import ItemId, NodeId, TaskId
from jupiter.model.run import TaskRecord
from jupiter.orchestrator import dead_letters
from jupiter.orchestrator.dead_letters import (
    DeadLetter,
    DeadLetters,
    Origin,
    find_letters,
    folder_of,
    mark_retried,
    read_letters,
    read_origin,
)

ORIGIN = Origin("app", "cluster.toml", "local", "{}")
HOME, N1 = NodeId("home"), NodeId("n1")


def facts(*others: msg.Fact, tasks: tuple[TaskRecord, ...] = ()) -> msg.Facts:
    return msg.Facts("run", tasks, (), others)


def attempt(
    item: str, number: int, *, task: str = "work", detail: str = "no\ntraceback"
) -> TaskRecord:
    times = (0.0, 1.0, 1.5)
    return TaskRecord(
        ItemId(item), TaskId(task), N1, *times, attempt=number, status="failed", detail=detail
    )  # fmt: skip


def failed(seq: int, detail: str = "task work failed in 2 attempts: no") -> msg.Ended:
    return msg.Ended(seq, "failed", detail, (), 2.0)


@pytest.fixture
def inputs(tmp_path: Path) -> list[tuple[Path, ...]]:
    folder = tmp_path / "input"
    folder.mkdir()
    for k in range(4):
        (folder / f"in{k}.txt").write_text(f"input {k}")
    return [(folder / f"in{k}.txt",) for k in range(4)]


def letters_of(
    output: Path, inputs: list[tuple[Path, ...]], *told: msg.Facts, is_new: bool = True
) -> list[DeadLetter]:
    with DeadLetters(output, ORIGIN, inputs, is_new=is_new) as letters:
        for each in told:
            letters.take(N1, each)
    return read_letters(output)


TOLD = (
    facts(msg.Accepted(2, "in2.txt", 0.0, 0.0)),
    facts(tasks=(attempt("2", 1),)),
    facts(tasks=(attempt("2", 2, detail="no\nthe last traceback"),)),
    facts(failed(2)),
)


@pytest.mark.parametrize("order", list(itertools.permutations(range(1, 4))))
def test_a_letter_is_the_same_in_whatever_order_things_are_told(
    order: tuple[int, ...], tmp_path: Path, inputs: list[tuple[Path, ...]]
) -> None:
    (letter,) = letters_of(tmp_path, inputs, TOLD[0], *(TOLD[k] for k in order))
    assert (letter.item, letter.name, letter.task) == ("2", "in2.txt", "work")
    assert letter.reason == "task work failed in 2 attempts: no"
    assert [(each.attempt, each.node, each.seconds) for each in letter.attempts] == [
        (1, "n1", 0.5),
        (2, "n1", 0.5),
    ]
    assert letter.files == ("in2.txt",)
    copy = folder_of(tmp_path, letter) / "input" / "in2.txt"
    assert copy.read_text() == "input 2"
    assert read_origin(tmp_path) == ORIGIN


def test_items_that_do_well_leave_nothing(tmp_path: Path, inputs: list[tuple[Path, ...]]) -> None:
    told = (
        facts(msg.Accepted(0, "in0.txt", 0.0, 0.0), tasks=(attempt("0", 1),)),
        facts(msg.Ended(0, "done", "", ("out",), 1.0)),
        facts(msg.Ended(1, "filtered", "by task x", (), 1.0)),
    )
    assert letters_of(tmp_path, inputs, *told) == []
    assert not (tmp_path / "dead-letters").exists()


def test_attempts_of_a_batch_are_found_by_the_reason(
    tmp_path: Path, inputs: list[tuple[Path, ...]]
) -> None:
    told = (
        facts(tasks=(attempt("collect.0", 1), attempt("collect.2", 1, detail="another"))),
        facts(failed(0), failed(1)),
    )
    for letter in letters_of(tmp_path, inputs, *told):
        assert [each.reason for each in letter.attempts] == ["no"]


def test_a_command_that_was_started_again_changes_nothing(
    tmp_path: Path, inputs: list[tuple[Path, ...]]
) -> None:
    (before,) = letters_of(tmp_path, inputs, *TOLD)
    mark_retried(tmp_path, before, "retry-1")
    inputs[2][0].unlink()
    (after,) = letters_of(tmp_path, inputs, *TOLD, is_new=False)
    assert (after.files, after.retried) == (("in2.txt",), "retry-1")
    assert letters_of(tmp_path, inputs) == []  # a new run begins with none


def test_beyond_the_bound_only_reasons_are_kept(
    tmp_path: Path, inputs: list[tuple[Path, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "ENTRIES_MAX", 2)
    found = letters_of(tmp_path / "a", inputs, facts(*(failed(seq) for seq in range(4))))
    assert [bool(letter.files) for letter in found] == [True, True, False, False]
    monkeypatch.setattr(dead_letters, "BYTES_MAX", 10)  # one input has 7
    found = letters_of(tmp_path / "b", inputs, facts(*(failed(seq) for seq in range(4))))
    assert [bool(letter.files) for letter in found] == [True, False, False, False]
    assert all(letter.reason and letter.sources for letter in found)


def test_an_input_that_is_gone_leaves_its_reason(
    tmp_path: Path, inputs: list[tuple[Path, ...]]
) -> None:
    inputs[1][0].unlink()
    (letter,) = letters_of(tmp_path, inputs, facts(failed(1)))
    assert (letter.files, letter.sources) == ((), (str(inputs[1][0]),))


def test_what_cannot_be_written_is_told_and_stops_nothing(
    tmp_path: Path, inputs: list[tuple[Path, ...]]
) -> None:
    (tmp_path / "dead-letters").write_text("in the way")
    with DeadLetters(tmp_path, ORIGIN, inputs, is_new=False) as letters:
        letters.take(HOME, facts(failed(1)))
    assert letters.count == 1
    assert "cannot be kept" in letters.problem


def test_letters_are_found_by_item_and_by_name(
    tmp_path: Path, inputs: list[tuple[Path, ...]]
) -> None:
    letters_of(tmp_path, inputs, *TOLD, facts(failed(3)))
    assert [each.item for each in find_letters(tmp_path, ["in2.txt", "3", "2"])] == ["2", "3"]
    with pytest.raises(InputError, match=r"got in9.txt.*did you mean") as error:
        find_letters(tmp_path, ["in9.txt", "7"])
    assert len(error.value.faults) == 2
    with pytest.raises(InputError, match="no such folder"):
        read_letters(tmp_path / "nowhere")
