"""Planted bugs in compaction: what a journal may leave out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from campaign.planted.bug import Patch, planted
from jupiter.control import compaction
from jupiter.control.compaction import Worth
from jupiter.model import records as rec
from jupiter.simulator import files, host


def _weighed(is_wrong: Callable[[rec.Record], bool], instead: Worth) -> list[Patch]:
    real = compaction.weigh

    def weigh(records: Sequence[rec.Record]) -> list[Worth]:
        worths = real(records)
        return [
            instead if is_wrong(record) else worth
            for record, worth in zip(records, worths, strict=True)
        ]

    return [(module, "weigh", weigh) for module in (compaction, host, files)]


@planted("a compacted journal leaves out what was elected for items that have not ended")
def elections_not_kept() -> list[Patch]:
    return _weighed(lambda record: isinstance(record, rec.Elected), Worth.NOTHING)


@planted("a compacted journal leaves out what came for items that have not ended")
def deliveries_not_kept() -> list[Patch]:
    return _weighed(lambda record: isinstance(record, rec.Taken), Worth.NOTHING)


@planted("a compacted journal leaves out which items were accepted")
def acceptance_not_kept() -> list[Patch]:
    return _weighed(lambda record: isinstance(record, rec.Accepted), Worth.NOTHING)


@planted("a compacted journal leaves out which results were decided")
def commits_not_kept() -> list[Patch]:
    return _weighed(lambda record: isinstance(record, rec.Committed), Worth.NOTHING)


@planted("a compacted journal leaves out where items were placed")
def places_not_kept() -> list[Patch]:
    return _weighed(lambda record: isinstance(record, rec.Assigned), Worth.NOTHING)


@planted("a compacted journal leaves out which files were lost")
def losses_not_kept() -> list[Patch]:
    return _weighed(lambda record: isinstance(record, rec.Lost), Worth.NOTHING)


@planted("a restart gives up the files of results that are decided and not shown")
def results_not_adopted() -> list[Patch]:
    return _weighed(lambda record: isinstance(record, rec.Committed), Worth.RECORD)


@planted("a restart gives up the inputs of items that have not ended")
def inputs_not_adopted() -> list[Patch]:
    return _weighed(lambda record: isinstance(record, rec.Accepted), Worth.RECORD)
