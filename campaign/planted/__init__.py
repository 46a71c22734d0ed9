"""Bugs planted on purpose: a campaign that does not find them is worth nothing.

Each is a small patch of the code that decides, or of the host that carries out. Several are bugs
that the campaign found in this code when it was written. A file a room of `jupiter.control`; the
list is here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from campaign.planted import (
    compaction,
    dispatch,
    driver,
    ingress,
    joins,
    machines,
    membership,
    node,
    outbox,
    placing,
    routing,
    sink,
)
from campaign.planted.bug import Bug

_ALL: tuple[Bug, ...] = (
    # writing down
    ingress.accept_before_sync,
    machines.acknowledge_before_sync,
    dispatch.no_election,
    dispatch.election_forgotten,
    dispatch.nothing_sent_after_restart,
    dispatch.cut_short_for_ever,
    placing.assignment_forgotten,
    placing.assignment_not_remembered,
    machines.view_before_sync,
    machines.forget_before_sync,
    driver.record_before_files,
    # the two ends
    sink.sink_forgets,
    sink.sink_without_deduplication,
    sink.show_before_commit,
    sink.commit_not_shown,
    sink.partial_commit,
    sink.batch_torn,
    sink.batch_overtakes,
    sink.batch_not_parked,
    sink.order_ignored,
    sink.names_collide,
    ingress.nothing_sent_again,
    ingress.window_ignored,
    dispatch.held_not_told,
    machines.parked_not_told,
    # between nodes
    outbox.delete_on_send,
    machines.drop_on_acknowledgement,
    outbox.never_resent,
    outbox.numbers_again,
    outbox.credit_lost,
    outbox.credit_ignored,
    outbox.no_pump,
    machines.no_fencing,
    placing.stale_place,
    outbox.outbox_remembers,
    # who takes part
    membership.lease_for_ever,
    membership.incarnation_ignored,
    membership.no_new_epoch,
    membership.never_again,
    node.workers_given_up,
    node.workers_forgotten,
    node.home_not_closed,
    node.home_remembers,
    # joins, attempts, batches
    joins.join_by_arrival,
    dispatch.twice_is_twice,
    dispatch.lineage_ignored,
    dispatch.inputs_not_stored,
    driver.drop_all_epochs,
    dispatch.no_retry,
    dispatch.endless_retry,
    dispatch.no_timeout,
    dispatch.core_lost,
    joins.never_evicted,
    routing.batch_by_arrival,
    routing.batch_never_ends,
    # files that cannot be read, disks that take nothing, journals that are compacted
    machines.lost_in_same_epoch,
    machines.lost_without_epoch,
    machines.lost_words_kept,
    machines.unused_inputs_kept,
    machines.losses_not_written,
    membership.gone_for_ever,
    ingress.lost_input_dropped,
    ingress.lost_input_kept,
    dispatch.damaged_outputs_kept,
    dispatch.lost_input_executed,
    dispatch.full_disk_counted,
    dispatch.full_disk_counted_later,
    dispatch.late_beginning,
    driver.full_is_taken,
    compaction.elections_not_kept,
    compaction.deliveries_not_kept,
    compaction.acceptance_not_kept,
    compaction.commits_not_kept,
    compaction.places_not_kept,
    compaction.losses_not_kept,
    compaction.results_not_adopted,
    compaction.inputs_not_adopted,
)
BUGS: dict[str, Bug] = {bug.name: bug for bug in _ALL}


@contextmanager
def with_bug(name: str) -> Iterator[None]:
    """Run with a bug in the code; with none where there is no name."""
    with ExitStack() as stack:
        for owner, attribute, value in BUGS[name].patches() if name else ():
            old = owner.__dict__[attribute]
            stack.callback(setattr, owner, attribute, old)
            setattr(owner, attribute, value)
        yield
