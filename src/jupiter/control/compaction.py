"""Which records of a journal are still worth keeping."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any

from jupiter.kit.seqset import SeqSet
from jupiter.model import records as rec
from jupiter.model.ids import INGRESS, ItemId, TaskId
from jupiter.model.items import Delivery

_ByKind = dict[type, list[tuple[int, Any]]]
"""Records and their places in the journal."""


class Worth(enum.IntEnum):
    """What to do with an entry."""

    NOTHING = 0
    RECORD = 1
    """Keep the record; the files that it speaks of are gone."""
    ALL = 2
    """Keep the record, and the files or bodies that belong to it."""


def weigh(records: Sequence[rec.Record]) -> list[Worth]:
    """Return the worth of every record.

    A node that is restored from what is kept is in the same state as one restored from all. Views
    are all kept, as what came under one is read under it; so are the ends of items, which say which
    names are taken. Inputs are kept until their results are shown, as those may be damaged.
    """
    by_kind: _ByKind = {}  # there may be very many: one look at each
    for k, record in enumerate(records):
        by_kind.setdefault(type(record), []).append((k, record))
    forgotten = by_kind.get(rec.Forgotten, ())
    committed = by_kind.get(rec.Committed, ())
    settled = _settled([record for _, record in forgotten])
    shown = {record.number for _, record in by_kind.get(rec.Published, ())}
    ends = [record.endings for _, record in committed if record.number in shown]
    ended = {ending.seq for endings in ends for ending in endings}
    worths = [Worth.RECORD] * len(records)
    _weigh_executions(worths, by_kind, settled)
    for k, record in by_kind.get(rec.Accepted, ()):
        if record.seq not in ended:
            worths[k] = Worth.ALL
    for k, record in by_kind.get(rec.Assigned, ()):
        if record.last < settled.mark:
            worths[k] = Worth.NOTHING
    for k, record in committed:
        if record.number not in shown:
            worths[k] = Worth.ALL
    for k, _ in forgotten[:-1]:
        worths[k] = Worth.NOTHING
    return worths


def _weigh_executions(worths: list[Worth], by_kind: _ByKind, settled: SeqSet) -> None:
    """Set the worth of what came for tasks, and of what became of it."""
    mark, above = settled.mark, frozenset(settled.above)
    begun = [*by_kind.get(rec.Started, ()), *by_kind.get(rec.Elected, ())]
    items = {record.item for _, record in begun}
    open_keys: set[tuple[TaskId, ItemId]] = set()
    for k, record in by_kind.get(rec.Taken, ()):
        delivery = record.delivery
        for origin in delivery.origins:
            if origin >= mark and origin not in above:
                worths[k] = Worth.ALL
                if delivery.item in items:
                    open_keys.add((delivery.target, delivery.item))
                break
        else:
            worths[k] = Worth.NOTHING
    for k, record in begun:
        is_open = (record.task, record.item) in open_keys
        worths[k] = Worth.ALL if is_open else Worth.NOTHING


def _settled(records: Sequence[rec.Forgotten]) -> SeqSet:
    settled = SeqSet()
    for record in records:
        settled.add_all(record.settled.mark, record.settled.above)
    return settled


def slim(record: rec.Record) -> rec.Record:
    """Return a record with no more than its worth depends on, to weigh very many."""
    match record:
        case rec.Taken(Delivery(scope, seq, origins, _, target, item=item)):
            return rec.Taken(Delivery(scope, seq, origins, INGRESS, target, item=item))
        case rec.Accepted(seq):
            return rec.Accepted(seq, "", ())
        case rec.Elected(task, item):
            return rec.Elected(task, item, (0, 0), (), (), "done", "")
        case rec.Committed(number, endings):
            bare = tuple([rec.Ending(each.seq, each.outcome, "", ()) for each in endings])
            return rec.Committed(number, bare, ())
        case _:
            return record
