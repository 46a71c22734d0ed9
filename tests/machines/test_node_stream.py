"""A stream through two whole nodes, with words that come twice, late, or never."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.machines.nodes import DIAMOND, HOME, PART, A, B, C, D, X, offered

from jupiter.control.config import NodeConfig
from jupiter.control.node import Node
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import records as rec
from jupiter.model.ids import ItemId, NodeId, TaskId
from jupiter.model.view import View


@dataclass
class Loop:
    """Brings everything that two nodes say to each other, in an order drawn from a seed.

    Attributes:
        copies: How often each word comes, drawn anew for each.
    """

    configs: dict[NodeId, NodeConfig]
    draw: random.Random
    copies: tuple[int, ...] = (2,)
    now: float = 0.0
    nodes: dict[NodeId, Node] = field(default_factory=dict)
    coming: list[tuple[NodeId, ev.Event]] = field(default_factory=list)
    """What can happen next, in any order."""
    writing: dict[NodeId, list[rec.Record]] = field(default_factory=dict)
    """What is written down next, in this order."""
    journals: dict[NodeId, list[rec.Record]] = field(default_factory=dict)
    timers: list[tuple[float, NodeId, ev.Timer]] = field(default_factory=list)
    ends: Counter[int] = field(default_factory=Counter)
    runs: list[act.Run] = field(default_factory=list)
    elections: Counter[tuple[TaskId, ItemId]] = field(default_factory=Counter)
    drained: int = 0

    def start(self) -> None:
        for name, made in self.configs.items():
            self.writing[name], self.journals[name] = [], []
            self.nodes[name] = Node(made)
            self.do(name, self.nodes[name].start(self.now))

    def do(self, name: NodeId, actions: list[act.Action]) -> None:
        for action in actions:
            match action:
                case act.Transmit(node, number, word):
                    heard = ev.Received(name, number, word)
                    self.coming += [(node, heard)] * self.draw.choice(self.copies)
                case act.Persist(record):
                    self.writing[name].append(record)
                case act.Run(item, task, attempt):
                    self.runs.append(action)
                    self.coming.append((name, ev.Finished(item, task, attempt, (PART,))))
                case act.Publish(commit):
                    self.coming.append((name, ev.Shown(commit.number)))
                case act.SetTimer(timer, delay_s):
                    self.timers.append((self.now + delay_s, name, timer))
                case act.Resolve(ending):
                    assert ending.outcome == "done"
                    self.ends[ending.seq] += 1
                case act.Drained():
                    self.drained += 1

    def step(self) -> bool:
        """Let one thing happen; return whether there was any."""
        writers = [name for name, records in self.writing.items() if records]
        count = len(self.coming) + len(writers)
        if not count:
            return self.wait()
        k = self.draw.randrange(count)
        if k < len(self.coming):
            name, event = self.coming.pop(k)
        else:
            name = writers[k - len(self.coming)]
            record = self.writing[name].pop(0)
            self.journals[name].append(record)
            if isinstance(record, rec.Elected):
                self.elections[record.task, record.item] += 1
            event = ev.Kept(record)
        self.do(name, self.nodes[name].step(event, self.now))
        return True

    def wait(self) -> bool:
        """Let time pass until the next timer."""
        if self.drained or not self.timers:
            return False
        self.timers.sort(key=lambda each: each[0])
        self.now, name, timer = self.timers.pop(0)
        self.do(name, self.nodes[name].step(ev.Due(timer), self.now))
        return True

    def crash(self, name: NodeId) -> None:
        """Let a node die and come back with what was written down."""
        self.writing[name].clear()
        own = (ev.Finished, ev.Shown)
        self.coming = [(n, e) for n, e in self.coming if n != name or not isinstance(e, own)]
        self.timers = [timer for timer in self.timers if timer[1] != name]
        first = self.nodes[name].outbox._number
        self.nodes[name] = Node(replace(self.configs[name], first_number=first))
        self.nodes[name].restore(self.journals[name], self.now)
        self.do(name, self.nodes[name].resume(self.now))
        self.coming += [(other, ev.Connected(name)) for other in self.nodes if other != name]


ITEMS = 20


def loop(seed: int, copies: tuple[int, ...] = (2,), **kinds: object) -> Loop:
    seen = View(1, {HOME: 1, X: 1}, {A: X, B: HOME, C: X, D: HOME})
    base = NodeConfig(
        node=HOME,
        home=HOME,
        plans=DIAMOND,
        preferred=seen.mapping,
        view=seen,
        level="hop",
        cores=2,
        in_flight_max=8,
        credit_max=4,
        resend_s=1.0,
    )
    configs = {name: replace(base, node=name, **kinds) for name in (HOME, X)}  # type: ignore[arg-type]
    made = Loop(configs, random.Random(seed), copies)
    made.start()
    made.coming += [(HOME, offered(f"f{seq}")) for seq in range(ITEMS)]
    return made


def close_after(made: Loop) -> None:
    """Close the input once all of it was offered, and go on to the end."""
    while any(isinstance(event, ev.Offered) for _, event in made.coming):
        made.step()
    made.coming.append((HOME, ev.InputClosed()))
    for _ in range(200_000):
        if not made.step():
            return
    raise AssertionError("the stream does not end")


def check(made: Loop) -> None:
    assert made.ends == Counter(range(ITEMS))
    assert made.drained == 1
    assert set(made.elections.values()) == {1}
    assert len(made.elections) == ITEMS * len(DIAMOND)
    for run in made.runs:
        assert {each.item for each in run.inputs} == {run.item}


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_each_item_ends_once_though_every_word_comes_twice_and_in_any_order(seed: int) -> None:
    made = loop(seed)
    close_after(made)
    check(made)
    assert len(made.runs) == ITEMS * len(DIAMOND)
    assert {name: machine.size for name, machine in made.nodes.items()} == {HOME: 0, X: 0}


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_each_item_ends_once_though_words_are_lost(seed: int) -> None:
    made = loop(seed, copies=(0, 0, 1, 2))
    close_after(made)
    check(made)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_items_end_in_the_order_of_their_numbers_where_that_is_asked_for(seed: int) -> None:
    made = loop(seed, is_ordered=True)
    close_after(made)
    check(made)
    commits = [each for each in made.journals[HOME] if isinstance(each, rec.Committed)]
    assert [end.seq for each in commits for end in each.endings] == list(range(ITEMS))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_each_item_ends_once_though_places_are_decided_for_each(seed: int) -> None:
    made = loop(seed, copies=(0, 1, 2), placement="least-loaded")
    close_after(made)
    check(made)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), crashes=st.lists(st.integers(0, 60), min_size=1, max_size=4))
def test_each_item_ends_once_though_a_node_dies_and_comes_back(
    seed: int, crashes: list[int]
) -> None:
    made = loop(seed, copies=(1, 2))
    for steps in crashes:
        for _ in range(steps):
            made.step()
        made.crash(X)
    close_after(made)
    check(made)
