"""What a restart finds in a spool against a model that keeps every claim."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jupiter.agent.leftovers import Leftovers
from jupiter.model.ids import ItemId, TaskId, item_id
from jupiter.model.items import Delivery, Part

TASKS = (TaskId("t"), TaskId("u"))
PLACES = ("in/1", "*in/2", "*in/3")
OUTPUTS = ("out/1", "*out/2", "*given/3")

Owner = tuple[TaskId, ItemId, int]


def delivery(task: int, seq: int, epoch: int, source: int, size: int) -> Delivery:
    parts = (Part("x", size), Part("y", 1))
    return Delivery("", seq, (seq,), TaskId(f"s{source}"), TASKS[task], parts, epoch=epoch)


CLAIMS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 1), st.integers(0, 2), st.integers(1, 2))
    | st.tuples(st.integers(0, 2), st.integers(0, 1), st.integers(0, 2)),
    max_size=25,
)


@given(CLAIMS, st.sets(st.sampled_from(PLACES + OUTPUTS)), st.sets(st.integers(0, 2)))
def test_the_last_who_was_named_has_a_folder(
    claims: list[tuple[int, ...]], there: set[str], kept: set[int]
) -> None:
    left = Leftovers()
    left.see(sorted(there))
    known = set(there)
    owners: dict[str, Owner] = {}
    held: dict[str, list[tuple[Part, ...]]] = {}
    for k, (where, task, seq, *rest) in enumerate(claims):
        if rest:
            place, epoch = PLACES[where], rest[0]
            each = delivery(task, seq, epoch, source=k, size=k)
            parts, is_there = each.parts, left.give_inputs(place, each)
        else:
            place, epoch = OUTPUTS[where], -1
            parts = (Part("o", k),)
            is_there = left.give_outputs(place, (TASKS[task], item_id(seq)), parts)
        assert is_there == (place in known)
        known.add(place)
        owner = (TASKS[task], item_id(seq), epoch)
        for other in [p for p, o in owners.items() if (o == owner) is not (p == place)]:
            del owners[other], held[other]
        if epoch < 0:
            held[place] = []  # outputs are of one attempt, inputs of several parents
        owners[place] = owner
        held.setdefault(place, []).append(parts)
        size = [p.size_bytes for at in held for each in held[at] for p in each if at[0] == "*"]
        assert left.memory_bytes == sum(size)
    gone = left.sweep(lambda task, item: int(item) in kept, lambda task, item: int(item) in kept)
    stays = {place: owner for place, owner in owners.items() if int(owner[1]) in kept}
    assert sorted(gone) == sorted(known - set(stays))
    for place, owner in stays.items():
        key = owner[:2]
        if owner[2] < 0:
            assert left.take_outputs(key) == (place, held[place][0])
            assert left.take_outputs(key) is None
            continue
        others = {p: o for p, o in stays.items() if o[:2] == owner[:2] and o[2] >= 0}
        if place == min(others):
            found = sorted((p, each.epoch) for p, each in left.take_inputs(key))
            assert found == sorted((p, o[2]) for p, o in others.items() for _ in held[p])
            assert left.take_inputs(key) == []
    assert left.memory_bytes == 0
    assert not left.inputs
    assert not left.outputs
