"""What a stream must give: the same tasks in one process, one item after the other.

Shares no code with the dispatcher: what is compared with this is compared with an independent
reading of the rules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from jupiter.model.ids import INGRESS, SINK, TaskId
from jupiter.model.items import Outcome, TaskPlan

Execute = Callable[[TaskId, tuple[int, ...], list[list[str]]], list[str] | None]
"""Task, ingress numbers and digests of the input files by parent -> those of its outputs; None
where it fails for good."""

Place = tuple[str, int]


@dataclass
class _Thing:
    """What one parent hands over for one item."""

    outcome: Outcome
    origins: tuple[int, ...]
    parts: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Expected:
    """What must come out.

    Attributes:
        effects: (sink task, ingress numbers, digests of its results), each exactly once.
        outcomes: How every item must end.
    """

    effects: tuple[tuple[TaskId, tuple[int, ...], tuple[str, ...]], ...]
    outcomes: dict[int, Outcome]


def expect(
    plans: Sequence[TaskPlan], inputs: Sequence[Sequence[str] | None], execute: Execute
) -> Expected:
    """Return what a stream must give.

    Args:
        plans: In topological order.
        inputs: Digests of the files of each item; None for one that cannot be read, and so fails.
        execute: What tasks do.
    """
    reach = {plan.name: set(plan.batchers) for plan in plans}
    came: dict[TaskId, dict[Place, dict[TaskId, _Thing]]] = {plan.name: {} for plan in plans}
    came[SINK] = {}
    for seq, files in enumerate(inputs):
        for plan in plans:
            if INGRESS in plan.parents:
                outcome: Outcome = "failed" if files is None else "done"
                thing = _Thing(outcome, (seq,), list(files or ()))
                came[plan.name].setdefault(("", seq), {})[INGRESS] = thing
    for plan in plans:
        for place, made, shares in _run(plan, came[plan.name], reach, execute):
            for child, parts in zip(plan.children, shares, strict=True):
                thing = _Thing(made.outcome, made.origins, parts)
                came[child].setdefault(place, {})[plan.name] = thing
    return _at_the_sink(plans, came[SINK], len(inputs))


def _run(
    plan: TaskPlan,
    came: dict[Place, dict[TaskId, _Thing]],
    reach: dict[TaskId, set[TaskId]],
    execute: Execute,
) -> list[tuple[Place, _Thing, list[list[str]]]]:
    """Return everything that a task hands on: item, how it ended, the parts for each child."""
    sent = []
    batches = 0
    many = len(plan.children)
    nothing: list[list[str]] = [[] for _ in plan.children]
    for scope in sorted({scope for scope, _ in came}):
        batch = _Thing("done", ())
        for place in sorted(place for place in came if place[0] == scope):
            made = _one(plan, place, came[place], reach, execute)
            if made is None:
                continue
            if made.outcome != "done":
                sent.append((place, made, nothing))
            elif not plan.is_scatter:
                sent.append((place, made, [made.parts] * many))
            elif len(made.parts) >= many:
                sent.append((place, made, [made.parts[k::many] for k in range(many)]))
            else:
                batch.origins += tuple(o for o in made.origins if o not in batch.origins)
                batch.parts += made.parts
                if len(batch.parts) >= many:
                    shares = [batch.parts[k::many] for k in range(many)]
                    sent.append(((str(plan.name), batches), batch, shares))
                    batches += 1
                    batch = _Thing("done", ())
        if batch.origins:
            batch.outcome = "failed"
            sent.append(((str(plan.name), batches), batch, nothing))
            batches += 1
    return sent


def _one(
    plan: TaskPlan,
    place: Place,
    by_parent: dict[TaskId, _Thing],
    reach: dict[TaskId, set[TaskId]],
    execute: Execute,
) -> _Thing | None:
    """Return how one item ends at a task; None where it never comes to that."""
    scope = place[0]
    things = [by_parent[parent] for parent in plan.parents if parent in by_parent]
    origins = tuple(dict.fromkeys(o for thing in things for o in thing.origins))
    if scope and any(TaskId(scope) not in reach.get(parent, set()) for parent in plan.parents):
        return _Thing("failed", things[0].origins)
    if len(things) < len(plan.parents):
        return None
    for thing in things:
        if thing.outcome != "done":
            return _Thing(thing.outcome, origins)
    inputs = [thing.parts for thing in things if thing.parts]
    outputs = execute(plan.name, origins, inputs)
    if outputs is None:
        return _Thing("failed", origins)
    if not outputs and not plan.is_scatter:
        return _Thing("filtered", origins)
    return _Thing("done", origins, outputs)


def _at_the_sink(
    plans: Sequence[TaskPlan], came: dict[Place, dict[TaskId, _Thing]], items: int
) -> Expected:
    rank: dict[Outcome, int] = {"done": 0, "filtered": 1, "failed": 2}
    outcomes: dict[int, Outcome] = dict.fromkeys(range(items), "done")
    effects = []
    for by_sink in came.values():
        for sink, thing in by_sink.items():
            if thing.outcome == "done" and thing.parts:
                effects.append((sink, thing.origins, tuple(thing.parts)))
            for origin in thing.origins:
                outcomes[origin] = max(outcomes[origin], thing.outcome, key=rank.__getitem__)
    return Expected(tuple(effects), outcomes)
