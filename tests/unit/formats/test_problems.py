"""Problems in the formats of other tools: round trips, and bad input that is named and placed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import jupiter
from jupiter.errors import InputError
from jupiter.formats import (
    dot,
    graphml,
    ncsim_yaml,
    problem_json,
    saga_json,
    tgff,
    tgff_problem,
    wfformat,
)
from jupiter.model.graph import Edge
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.problem import Problem
from jupiter.model.transfer import QuadraticTransfer, TableTransfer
from jupiter.schedulers.families import FamilyShape, family_problem
from jupiter.schedulers.generate import ProblemShape, random_problem
from jupiter.schedulers.heft import heft

SAGA = """{"network": {"nodes": [{"name": "a", "speed": 1.0}, {"name": "b", "speed": 2.0}],
  "edges": [{"source": "a", "target": "a", "speed": null},
            {"source": "a", "target": "b", "speed": 5.0}]},
 "task_graph": {"tasks": [{"name": "y", "cost": 2.0}, {"name": "x", "cost": 1.0}],
  "dependencies": [{"source": "x", "target": "y", "size": 3.0}]}}"""
SAMPLES = {
    "saga": SAGA,
    "wfformat": wfformat.dumps(family_problem(FamilyShape("montage", 12, 3))),
    "ncsim": ncsim_yaml.dumps(family_problem(FamilyShape("fft", 8, 3))),
    "problem": problem_json.dumps(random_problem(ProblemShape(6, 3, runs=0.7))),
    "dot": dot.dumps(family_problem(FamilyShape("gauss", 9, 3))),
    "graphml": graphml.dumps(family_problem(FamilyShape("gauss", 9, 3))),
}
PARSERS: dict[str, Callable[[Any], Any]] = {
    "saga": saga_json.parse,
    "wfformat": wfformat.parse,
    "ncsim": ncsim_yaml.parse,
    "problem": problem_json.parse,
    "dot": dot.parse,
    "graphml": graphml.parse,
}
ROUND_TRIPS: dict[str, Callable[[Problem], Problem]] = {
    "saga": lambda p: saga_json.loads(saga_json.dumps(p)),
    "ncsim": lambda p: ncsim_yaml.parse(ncsim_yaml.dumps(p)).value,
    "problem": lambda p: problem_json.parse(problem_json.dumps(p)).value,
}


def same(first: Problem, second: Problem) -> None:
    assert first.graph == second.graph
    assert first.nodes == second.nodes
    for task in first.graph.tasks:
        for node in first.nodes:
            a, b = first.seconds(task, node), second.seconds(task, node)
            assert a == pytest.approx(b)
    for edge in first.graph.edges:
        for pair in first.links:
            assert first.transfer_s(edge, *pair) == pytest.approx(second.transfer_s(edge, *pair))
    assert set(first.links) == set(second.links)


@pytest.mark.parametrize("name", ROUND_TRIPS)
@given(
    family=st.sampled_from(["layered", "fft", "montage", "stream"]),
    tasks=st.integers(4, 20),
    nodes=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_what_was_written_is_read_again(
    name: str, family: str, tasks: int, nodes: int, seed: int
) -> None:
    problem = family_problem(FamilyShape(family, tasks, nodes), seed)
    again = ROUND_TRIPS[name](problem)
    same(problem, again)
    assert heft(problem).makespan_s == pytest.approx(heft(again).makespan_s)


@pytest.mark.parametrize("parser", [dot.parse, graphml.parse])
def test_graphs_are_read_again(parser: Callable[[str], Any]) -> None:
    problem = family_problem(FamilyShape("epigenomics", 30, 2))
    text = dot.dumps(problem) if parser is dot.parse else graphml.dumps(problem)
    parts = parser(text).value
    assert parts.graph() == problem.graph
    assert parts.work_s == problem.work_s
    assert parts.edge_bytes == problem.edge_bytes


def test_our_own_format_loses_nothing() -> None:
    problem = random_problem(ProblemShape(8, 3, runs=0.7, links=0.8, cores_max=3, pinned=2), 5)
    nodes, tasks = problem.nodes, problem.graph.tasks
    full = replace(
        problem,
        links={
            **problem.links,
            (nodes[0], nodes[1]): QuadraticTransfer(0.1, 1e-6, -1e-12),
            (nodes[1], nodes[0]): TableTransfer(((1.0, 0.5), (10.0, 2.0))),
        },
        work_s={tasks[0]: 3.5},
        speed={nodes[2]: 2.0},
        forbidden={tasks[1]: frozenset({nodes[0]})},
        memory_bytes={tasks[2]: 7.0},
        node_memory_bytes={nodes[0]: 100.0},
        tasks_max={nodes[1]: 4},
        objective="both",
    )
    assert problem_json.parse(problem_json.dumps(full)).value == full


def test_tgff_keeps_times_and_curves() -> None:
    problem = random_problem(ProblemShape(8, 3), 2)
    again = tgff_problem.to_problem(
        tgff.parse(tgff.dumps(tgff_problem.from_problem(problem))).value
    )
    same(problem, again)


def test_saga_is_reached_from_the_package_and_its_networks_have_no_direction() -> None:
    problem = jupiter.formats.saga_json.loads(SAGA)
    assert problem.speed == {"a": 1.0, "b": 2.0}
    edge = Edge(TaskId("x"), TaskId("y"))
    assert problem.transfer_s(edge, NodeId("a"), NodeId("b")) == pytest.approx(0.6)
    assert problem.transfer_s(edge, NodeId("b"), NodeId("a")) == pytest.approx(0.6)
    assert jupiter.schedule(problem, "heft").makespan_s == 1.5
    assert jupiter.schedule(problem, budget_s=0.01).makespan_s == 1.5
    whole = json.loads(SAGA)
    parts = saga_json.parse_parts(json.dumps(whole["network"]), json.dumps(whole["task_graph"]))
    assert parts.value == problem


def test_what_saga_cannot_say_is_refused() -> None:
    problem = random_problem(ProblemShape(4, 2, cores_max=4, pinned=1), 1)
    with pytest.raises(InputError) as caught:
        saga_json.dumps(problem)
    text = str(caught.value)
    assert "how many cores" in text
    assert "latencies" in text
    assert "problem.json" in text


def test_a_schedule_is_written_as_saga_writes_its_own() -> None:
    problem = saga_json.loads(SAGA)
    values = json.loads(saga_json.dumps_schedule(problem, heft(problem)))
    assert values["mapping"]["b"] == [
        {"node": "b", "name": "x", "start": 0.0, "end": 0.5},
        {"node": "b", "name": "y", "start": 0.5, "end": 1.5},
    ]


def test_files_shared_by_tasks_are_the_bytes_of_an_edge() -> None:
    text = json.dumps(
        {
            "name": "w",
            "schemaVersion": "1.5",
            "workflow": {
                "specification": {
                    "tasks": [
                        {
                            "name": "a", "id": "a", "parents": [], "children": ["b"],
                            "inputFiles": ["in"], "outputFiles": ["x", "y", "z"],
                        },
                        {
                            "name": "b", "id": "b", "parents": ["a"], "children": [],
                            "inputFiles": ["x", "y", "in"], "outputFiles": [],
                        },
                    ],
                    "files": [
                        {"id": name, "sizeInBytes": size}
                        for name, size in (("in", 1), ("x", 10), ("y", 100), ("z", 1000))
                    ],
                },
                "execution": {
                    "tasks": [
                        {"id": "a", "runtimeInSeconds": 2.5},
                        {"id": "b", "runtimeInSeconds": 1},
                    ],
                    "machines": [
                        {"nodeName": "m1", "cpu": {"speedInMHz": 1000, "coreCount": 4}},
                        {"nodeName": "m2", "cpu": {"speedInMHz": 3000}},
                    ],
                },
            },
        }
    )  # fmt: skip
    parsed = wfformat.parse(text)
    problem = parsed.value
    assert problem.edge_bytes == {("a", "b"): 110}
    assert problem.work_s == {"a": 2.5, "b": 1}
    assert problem.speed == {"m1": 0.5, "m2": 1.5}
    assert problem.cores == {"m1": 4}
    assert "no links" in str(parsed.notes[0])


BAD = [
    (
        "saga",
        SAGA.replace('"speed": 2.0', '"speed": "fast"'),
        "is no such number",
        "nodes[1].speed",
    ),
    ("saga", SAGA.replace('"cost": 2.0', '"cost": -1'), "tasks[0].cost", "at least 0"),
    ("saga", SAGA.replace('"cost": 2.0', '"cost": NaN'), "tasks[0].cost", "a number"),
    ("saga", SAGA.replace('"cost": 2.0', '"cost": 1e400'), "tasks[0].cost", "a number"),
    ("saga", SAGA.replace('"target": "y"', '"target": "yy"'), "unknown task", "did you mean y"),
    ("saga", SAGA.replace('"name": "y"', '"name": "x"'), "second task", "distinct"),
    ("saga", SAGA.replace('"b", "speed": 5.0', '"c", "speed": 5.0'), "is no node", "'c'"),
    ("saga", SAGA[:200], "no JSON", "correct the text"),
    ("saga", "[]", "no JSON object", "braces"),
    ("saga", "{}", "has no network", "add it"),
    ("saga", "[" * 100_000, "", ""),
    ("saga", b"\xff\xfe", "not UTF-8", "UTF-8"),
    ("problem", '{"nodes": [{"name": "n"}], "tasks": []}', "no tasks", "add one"),
    (
        "problem",
        '{"nodes":[{"name":"n"}],"tasks":[{"name":"a"},{"name":"b"}],'
        '"edges":[{"source":"a","target":"b"},{"source":"b","target":"a"}]}',
        "cycle",
        "a -> b -> a",
    ),
    ("problem", '{"nodes":[{"name":"n"}],"tasks":[{"name":"a","pinned":"m"}]}', "is no node", "m"),
    ("problem", '{"nodes":[{"name":"n","cores":0}],"tasks":[{"name":"a"}]}', "cores", "at least 1"),
    ("wfformat", '{"workflow": {"specification": {"tasks": 3}}}', "no list", "[ … ]"),
    ("ncsim", "scenario: {network: {nodes: 1}}", "no list", "write a list"),
    ("ncsim", "a: &x [1]\nb: *x\n", "aliases", "write out"),
    ("ncsim", "scenario: [", "no YAML", "correct it"),
    ("dot", "graph { a -- b }", "no directed graph", "digraph"),
    ("dot", "digraph { a -> }", "has no end", "name a task"),
    ("dot", "digraph { a [work=-1] }", "work", "0 or more"),
    ("dot", "digraph { a -> b", "does not close", "brace"),
    ("dot", "digraph { a -> b -> a }", "cycle", "remove one"),
    ("graphml", "<graphml>", "no XML", "correct it"),
    ("graphml", '<!DOCTYPE x [<!ENTITY a "b">]><graphml/>', "entities", "remove"),
    ("graphml", "<graphml/>", "no graph", "add one"),
]


@pytest.mark.parametrize(("kind", "content", "problem", "hint"), BAD)
def test_bad_input_is_named(kind: str, content: str | bytes, problem: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        PARSERS[kind](content)
    text = str(caught.value)
    assert problem in text
    assert hint in text


def test_every_fault_of_a_file_is_placed() -> None:
    text = SAGA.replace('"speed": 2.0', '"speed": -2').replace('"size": 3.0', '"size": "x"')
    with pytest.raises(InputError) as caught:
        saga_json.parse(text, "in.json")
    lines = [(fault.file, fault.line) for fault in caught.value.faults]
    assert lines == [("in.json", 1), ("in.json", 5)]


@pytest.mark.parametrize("kind", PARSERS)
@given(data=st.data())
def test_no_text_is_answered_by_another_error(kind: str, data: st.DataObject) -> None:
    sample = SAMPLES[kind]
    start = data.draw(st.integers(0, len(sample)))
    length = data.draw(st.integers(0, 40))
    junk = data.draw(st.one_of(st.text(max_size=20), st.sampled_from(list('{}[]":,0-x'))))
    content = sample[:start] + junk + sample[start + length :]
    try:
        PARSERS[kind](content)
    except InputError as error:
        assert error.faults
