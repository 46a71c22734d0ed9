"""From an application to what dispatchers need to know of it."""

from __future__ import annotations

from collections.abc import Mapping

from jupiter.model.app import Application
from jupiter.model.ids import INGRESS, SINK, NodeId, TaskId
from jupiter.model.items import TaskPlan


def plan_tasks(
    app: Application, nodes: Mapping[TaskId, tuple[NodeId, ...]] | None = None
) -> tuple[TaskPlan, ...]:
    """Return the plan of every task, in topological order.

    Entry tasks get ``@in`` as their parent, sinks ``@out`` as their last child.

    Args:
        app: Checked application.
        nodes: Where a task may run; everywhere where it is missing.
    """
    graph = app.graph
    plans = []
    for rank, name in enumerate(graph.topological_order):
        task = app.by_name[name]
        children: tuple[TaskId, ...] = graph.children[name]
        plans.append(
            TaskPlan(
                name=name,
                parents=graph.parents[name] or (INGRESS,),
                children=(*children, SINK) if task.is_sink or not children else children,
                is_scatter=task.route == "scatter",
                rank=rank,
                cores=task.cores,
                retries=task.retries,
                timeout_s=task.timeout_s or 0.0,
                nodes=(nodes or {}).get(name, ()),
            )
        )
    return with_batchers(plans)


def with_batchers(plans: list[TaskPlan] | tuple[TaskPlan, ...]) -> tuple[TaskPlan, ...]:
    """Fill in, for plans in topological order, which scattering tasks lie upstream."""
    found: dict[TaskId, tuple[TaskId, ...]] = {}
    made = []
    for plan in plans:
        upstream = [each for parent in plan.parents for each in found.get(parent, ())]
        if plan.is_scatter:
            upstream.append(plan.name)
        found[plan.name] = tuple(dict.fromkeys(upstream))
        made.append(
            TaskPlan(
                name=plan.name,
                parents=plan.parents,
                children=plan.children,
                is_scatter=plan.is_scatter,
                rank=plan.rank,
                cores=plan.cores,
                retries=plan.retries,
                timeout_s=plan.timeout_s,
                nodes=plan.nodes,
                batchers=found[plan.name],
            )
        )
    return tuple(made)


def sinks_of(plans: tuple[TaskPlan, ...]) -> tuple[TaskId, ...]:
    """Return the tasks whose outputs are results, in the order of the plans."""
    return tuple(plan.name for plan in plans if SINK in plan.children)


def entries_of(plans: tuple[TaskPlan, ...]) -> tuple[TaskId, ...]:
    """Return the tasks that every item enters by, in the order of the plans."""
    return tuple(plan.name for plan in plans if INGRESS in plan.parents)
