"""What is written is read again, and any text gives a value or our error."""

from __future__ import annotations

import string
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupiter.errors import InputError
from jupiter.formats import (
    app_config,
    app_toml,
    cluster,
    config_json,
    configuration,
    dag,
    generated,
    input_node,
    link_list,
    mapping,
    name_convert,
    nodes,
    tgff,
)
from jupiter.formats.application import load_application
from jupiter.formats.text import Parsed
from jupiter.model.app import Application, CommandRun, FunctionRun, NameRule, Run, ScriptRun, Task
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.network import Link, Network, Node

names = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: (
        name not in ("home", "scheduler", "con", "prn", "aux", "nul", "input", "task")
        and not name.startswith(("com", "lpt"))
    )
)
name_lists = st.lists(names, min_size=1, max_size=6, unique=True)
numbers = st.floats(min_value=0, max_value=1e9).map(lambda value: round(value, 2))


@st.composite
def dags(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    """Return the children of tasks, each only later ones; those without any go home."""
    tasks = draw(name_lists)
    return {
        task: tuple(draw(st.lists(st.sampled_from(later), unique=True)))
        if (later := tasks[k + 1 :])
        else ()
        for k, task in enumerate(tasks)
    }


def parse_app(text: str) -> Parsed[Application]:
    """Read an app.toml in a folder with the scripts that it may name."""
    files = {"app.toml": text, "scripts/a b.py": None, "pack/module.py": None}
    return load_application(files, ".", "app")


@given(dags())
def test_dag_comes_back(graph: dict[str, tuple[str, ...]]) -> None:
    assert dag.parse(dag.dumps(graph)).value == graph
    assert dag.parse(dag.dumps(graph, with_count=False)).value == graph


@given(dags(), st.booleans())
def test_configuration_comes_back(graph: dict[str, tuple[str, ...]], flag: bool) -> None:
    lines = [
        " ".join(
            (
                task,
                str(max(1, sum(task in c for c in graph.values()))),
                str(flag).lower(),
                *(children or ("home",)),
            )
        )
        for task, children in graph.items()
    ]
    schedule = [f"{task} node{k}" for k, task in enumerate(graph)]
    text = "\n".join([str(len(lines)), *lines, *schedule]) + "\n"
    value = configuration.parse(text).value
    assert configuration.dumps(value) == text
    assert configuration.parse(configuration.dumps(value)).value == value


@given(st.dictionaries(names, st.tuples(names, names), max_size=5))
def test_name_rules_come_back(rules: dict[str, tuple[str, str]]) -> None:
    value = {task: NameRule(*pair) for task, pair in {**rules, "input": ("a", "b")}.items()}
    assert name_convert.parse(name_convert.dumps(value)).value == value


@given(st.dictionaries(names, st.lists(names, min_size=1, max_size=3).map(tuple), max_size=4))
def test_entry_nodes_come_back(value: dict[str, tuple[str, ...]]) -> None:
    assert input_node.parse(input_node.dumps(value)).value == value


@given(st.dictionaries(names, st.dictionaries(names, numbers, max_size=4), max_size=4))
def test_communication_comes_back(value: dict[str, dict[str, float]]) -> None:
    assert generated.parse_communication(generated.dumps_communication(value)).value == value


@given(st.dictionaries(names, numbers, max_size=6))
def test_task_config_comes_back(value: dict[str, float]) -> None:
    assert generated.parse_task_config(generated.dumps_task_config(value)).value == value


@given(dags(), st.data())
def test_tgff_comes_back(graph: dict[str, tuple[str, ...]], data: st.DataObject) -> None:
    tasks = tuple(graph)
    nodes_ = tuple(data.draw(name_lists))
    value = tgff.Tgff(
        tasks,
        {(a, b): data.draw(st.integers(0, 99_999)) for a, found in graph.items() for b in found},
        nodes_,
        {task: tuple(data.draw(numbers) for _ in nodes_) for task in tasks},
        {(nodes_[0], node): (0.0, data.draw(numbers), 1.0) for node in nodes_[1:]},
    )
    assert tgff.parse(tgff.dumps(value)).value == value


@given(dags(), st.data())
def test_app_toml_comes_back(graph: dict[str, tuple[str, ...]], data: st.DataObject) -> None:
    runs: st.SearchStrategy[Run] = st.sampled_from(
        [
            ScriptRun("scripts/a b.py", ("x", "1")),
            FunctionRun("pack.module", "function"),
            CommandRun(("sh", "-c", 'echo "ä\\n\t"')),
        ]
    )
    tasks = tuple(
        Task(
            name=TaskId(name),
            run=data.draw(runs),
            children=tuple(map(TaskId, children)),
            is_sink=not children or data.draw(st.booleans()),
            route=data.draw(st.sampled_from(["broadcast", "scatter"])),
            is_profiled=data.draw(st.booleans()),
            cores=data.draw(st.integers(1, 4)),
            memory_bytes=data.draw(st.none() | st.integers(1, 10**12)),
            retries=data.draw(st.integers(0, 9)),
            timeout_s=data.draw(st.none() | st.floats(0.001, 1e4)),
        )
        for name, children in graph.items()
    )
    app = Application("some.name", ".", tasks, ports={"A": (80, 8080)})
    found = parse_app(app_toml.dumps(app)).value
    assert (found.name, found.tasks, found.ports) == (app.name, app.tasks, app.ports)


@given(name_lists, st.data())
def test_cluster_comes_back(found: list[str], data: st.DataObject) -> None:
    members = tuple(
        Node(
            NodeId(name),
            data.draw(st.sampled_from(["worker", "home", "source"])),
            data.draw(st.integers(1, 64)),
            data.draw(st.floats(0.001, 1000)),
            data.draw(st.none() | st.integers(1, 10**13)),
        )
        for name in found
    )
    links = tuple(
        Link(
            a.name,
            b.name,
            data.draw(st.floats(1, 1e12) | st.just(float("inf"))),
            data.draw(st.floats(0, 100)),
        )
        for a in members
        for b in members
        if a.name != b.name and data.draw(st.booleans())
    )
    network = Network("n", members, links)
    assert cluster.parse(cluster.dumps(network)).value == network


Parse = Callable[[str], object]
PARSERS: dict[str, Parse] = {
    "app_config": app_config.parse,
    "app_toml": parse_app,
    "cluster": cluster.parse,
    "config_json": config_json.parse,
    "configuration": configuration.parse,
    "communication": generated.parse_communication,
    "dag": dag.parse,
    "input_node": input_node.parse,
    "link_list": link_list.parse,
    "mapping": mapping.parse,
    "name_convert": name_convert.parse,
    "nodes": nodes.parse,
    "task_config": generated.parse_task_config,
    "tgff": tgff.parse,
}
likely = st.text(alphabet=string.printable + "äé\u202e\0\ufeff", max_size=300) | st.lists(
    st.sampled_from(
        [
            "3",
            "true",
            "home",
            "a",
            "b",
            "[[task]]",
            "name",
            "=",
            '"x"',
            "{",
            "}",
            "@TASK_GRAPH",
            "[",
            "]",
            ",",
            ":",
            "TASK",
            "ARC",
            "FROM",
            "t0_0",
            "TO",
            "TYPE",
            "-1",
            "1e999",
            "\n",
            " ",
            "\t",
            "node1",
            "10.0.0.1",
            "Tag,Node,Region",
            "[SVC_PORT]",
            "run",
            "NaN",
        ]
    ),
    max_size=60,
).map("".join)


@pytest.mark.parametrize("name", PARSERS)
@given(text=likely)
def test_any_text_gives_a_value_or_our_error(name: str, text: str) -> None:
    try:
        PARSERS[name](text)
    except InputError as error:
        assert error.faults
        assert all(fault.problem and fault.level == "error" for fault in error.faults)
