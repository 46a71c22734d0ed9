"""What a journal may leave out."""

from __future__ import annotations

import pytest

from jupiter.control.compaction import Worth, slim, weigh
from jupiter.model import records as rec
from jupiter.model.ids import INGRESS, SINK, NodeId, TaskId, item_id
from jupiter.model.items import Delivery, Part
from jupiter.model.view import Numbers, View

A, B, X = TaskId("a"), TaskId("b"), NodeId("x")
PART = Part("out", 1)
NOTHING, RECORD, ALL = Worth


def taken(seq: int, epoch: int = 1) -> rec.Taken:
    return rec.Taken(Delivery("", seq, (seq,), INGRESS, A, (PART,), epoch=epoch))


def begun(seq: int) -> rec.Started:
    return rec.Started(A, item_id(seq), (1, 1))


def ended(seq: int) -> rec.Elected:
    return rec.Elected(A, item_id(seq), (1, 1), ((0, 0),), (PART,), "done", "")


def committed(number: int, *seqs: int) -> rec.Committed:
    endings = tuple(rec.Ending(seq, "done", "", (f"out{seq}",)) for seq in seqs)
    delivery = Delivery("", seqs[0], seqs, A, SINK, (PART,), epoch=1)
    return rec.Committed(number, endings, ((delivery, ("out",)),))


CASES: dict[str, tuple[list[rec.Record], list[Worth]]] = {
    "everything of an item that has not ended is kept": (
        [taken(0), begun(0), ended(0)],
        [ALL, ALL, ALL],
    ),
    "nothing of one that has ended is kept": (
        [taken(0), begun(0), ended(0), taken(1), rec.Forgotten(Numbers(1))],
        [NOTHING, NOTHING, NOTHING, ALL, RECORD],
    ),
    "only the last that was forgotten is kept": (
        [rec.Forgotten(Numbers(1)), rec.Forgotten(Numbers(2))],
        [NOTHING, RECORD],
    ),
    "views are kept": ([rec.Seen(View(k, {}, {})) for k in (1, 2)], [RECORD, RECORD]),
    "files of an accepted input are kept until its results are shown": (
        [
            *(rec.Accepted(k, "f", (PART,)) for k in range(3)),
            committed(1, 0),
            committed(2, 1),
            rec.Published(1),
        ],
        [RECORD, ALL, ALL, RECORD, ALL, RECORD],
    ),
    "files of results are kept until they are shown": (
        [committed(1, 0), committed(2, 1), rec.Published(1)],
        [RECORD, ALL, RECORD],
    ),
    "losses are kept, of whatever they are": (
        [rec.Lost(item_id(0), INGRESS, "x"), rec.Lost(item_id(0), A, "y")],
        [RECORD, RECORD],
    ),
    "places of items that have ended are not kept": (
        [*(rec.Assigned(1, A, item_id(k), X, k) for k in (0, 1)), rec.Forgotten(Numbers(1))],
        [NOTHING, RECORD, RECORD],
    ),
    "a batch is open as long as one of its items is": (
        [
            rec.Taken(Delivery("a", 0, (0, 1), A, B, (PART,), epoch=1)),
            rec.Forgotten(Numbers(1)),
        ],
        [ALL, RECORD],
    ),
    "the end of input is kept": ([rec.Closed(3)], [RECORD]),
}


@pytest.mark.parametrize("name", CASES)
def test_worth(name: str) -> None:
    records, worths = CASES[name]
    assert weigh(records) == worths
    assert weigh([slim(each) for each in records]) == worths


def test_what_is_kept_is_kept_again() -> None:
    for records, _ in CASES.values():
        kept = [r for r, worth in zip(records, weigh(records), strict=True) if worth]
        assert all(weigh(kept))
