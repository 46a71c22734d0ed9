"""From an application to what dispatchers need to know of it."""

from __future__ import annotations

from jupiter.model.app import Application
from jupiter.model.ids import INGRESS, SINK, TaskId
from jupiter.model.items import TaskPlan


def plan_tasks(app: Application) -> tuple[TaskPlan, ...]:
    """Return the plan of every task, in topological order.

    Entry tasks get ``@in`` as their parent, sinks ``@out`` as their last child.
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
            )
        )
    return tuple(plans)


def sinks_of(plans: tuple[TaskPlan, ...]) -> tuple[TaskId, ...]:
    """Return the tasks whose outputs are results, in the order of the plans."""
    return tuple(plan.name for plan in plans if SINK in plan.children)


def entries_of(plans: tuple[TaskPlan, ...]) -> tuple[TaskId, ...]:
    """Return the tasks that every item enters by, in the order of the plans."""
    return tuple(plan.name for plan in plans if INGRESS in plan.parents)
