"""Which records of a journal are still worth keeping."""

from __future__ import annotations

import enum
from collections.abc import Sequence

from jupiter.kit.seqset import SeqSet
from jupiter.model import records as rec
from jupiter.model.ids import ItemId, TaskId
from jupiter.model.items import Delivery


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
    settled = _settled(records)
    shown = {record.number for record in records if isinstance(record, rec.Published)}
    ended = {
        ending.seq
        for record in records
        if isinstance(record, rec.Committed) and record.number in shown
        for ending in record.endings
    }
    open_keys: set[tuple[TaskId, ItemId]] = set()
    last = -1
    for k, record in enumerate(records):
        if isinstance(record, rec.Taken):
            if _is_open(record.delivery, settled):
                open_keys.add((record.delivery.target, record.delivery.item))
        elif isinstance(record, rec.Forgotten):
            last = k
    worths = []
    for k, record in enumerate(records):
        match record:
            case rec.Taken(delivery):
                worth = Worth.ALL if _is_open(delivery, settled) else Worth.NOTHING
            case rec.Accepted():
                worth = Worth.RECORD if record.seq in ended else Worth.ALL
            case rec.Started(task, item) | rec.Elected(task, item):
                worth = Worth.ALL if (task, item) in open_keys else Worth.NOTHING
            case rec.Assigned(last=seq):
                worth = Worth.RECORD if seq >= settled.mark else Worth.NOTHING
            case rec.Forgotten():
                worth = Worth.RECORD if k == last else Worth.NOTHING
            case rec.Committed(number):
                worth = Worth.RECORD if number in shown else Worth.ALL
            case _:
                worth = Worth.RECORD
        worths.append(worth)
    return worths


def _is_open(delivery: Delivery, settled: SeqSet) -> bool:
    origins = delivery.origins
    if len(origins) == 1:
        return origins[0] not in settled
    return not all(origin in settled for origin in origins)


def _settled(records: Sequence[rec.Record]) -> SeqSet:
    settled = SeqSet()
    for record in records:
        if isinstance(record, rec.Forgotten):
            settled.add_all(record.settled.mark, record.settled.above)
    return settled
