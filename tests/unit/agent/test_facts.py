"""Facts wait for home, within bounds."""

from __future__ import annotations

import pytest

from jupiter.agent import facts as facts_module
from jupiter.agent.facts import FactBook
from jupiter.model import messages as msg
from jupiter.model.ids import ItemId, NodeId, TaskId
from jupiter.model.items import Delivery


@pytest.fixture
def sent() -> list[msg.Facts]:
    return []


@pytest.fixture
def book(sent: list[msg.Facts]) -> FactBook:
    return FactBook("r", NodeId("n"), sent.append, life=3)


def transfer(book: FactBook, seq: int) -> None:
    book.transfer(Delivery("", seq, (seq,), TaskId("a"), TaskId("b")), NodeId("m"), 0.0)


async def test_facts_go_home_in_numbered_batches(book: FactBook, sent: list[msg.Facts]) -> None:
    for seq in range(facts_module.BATCH_MAX * 2 + 5):
        transfer(book, seq)
    book.note(msg.Noted("once"))
    book.flush()
    assert [each.number for each in sent] == [1, 2, 3]
    assert {each.life for each in sent} == {3}
    assert [len(each.transfers) for each in sent] == [1000, 1000, 5]
    items = [record.item for each in sent for record in each.transfers]
    assert items == [ItemId(str(k)) for k in range(2005)]
    assert [each.others for each in sent] == [(msg.Noted("once"),), (), ()]
    assert book.unreported == 2005
    book.flush()
    assert len(sent) == 3


async def test_what_is_taken_is_not_told_again(book: FactBook, sent: list[msg.Facts]) -> None:
    for k in range(4):
        transfer(book, k)
        book.flush()
    first = list(sent)
    for number in (2, 3, 3, 99):
        book.taken(number)
    assert book.unreported == 2
    sent.clear()
    book.again()
    assert sent == [first[0], first[3]]
    book.taken(1)
    book.taken(4)
    sent.clear()
    book.again()
    assert sent == []
    assert book.unreported == 0


async def test_details_are_dropped_beyond_a_bound_and_ends_never(
    book: FactBook, sent: list[msg.Facts], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts_module, "RECORDS_MAX", 50)
    for k in range(100):
        transfer(book, k)
        if not k % 10:
            book.note(msg.Ended(k, "done", "", (), 0.0))
        book.flush()
    assert book.unreported == 50
    assert book.dropped == 50
    sent.clear()
    book.again()
    ends = [fact.seq for each in sent for fact in each.others if isinstance(fact, msg.Ended)]
    assert ends == list(range(0, 100, 10))
    assert [each.number for each in sent] == sorted({each.number for each in sent})
    kept = [record.item for each in sent for record in each.transfers]
    assert kept == [ItemId(str(k)) for k in range(50, 100)]
    for each in list(sent):
        book.taken(each.number)
    assert book.unreported == 0
    assert book.dropped == 50


async def test_facts_go_home_by_themselves(
    book: FactBook, sent: list[msg.Facts], monkeypatch: pytest.MonkeyPatch
) -> None:
    from .conftest import turns

    monkeypatch.setattr(facts_module, "FACTS_WAIT_S", 0.001)
    book.note(msg.RunDrained(1))
    assert sent == []
    await turns(lambda: bool(sent))
    assert sent[0].others == (msg.RunDrained(1),)
