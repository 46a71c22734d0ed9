"""Values that formats can hold, drawn at random."""

from __future__ import annotations

import string
from typing import get_args

from hypothesis import strategies as st

from jupiter.formats import (
    config_json,
    dag,
    link_parameters,
    nodes,
    static_assignment,
    tgff,
)
from jupiter.formats.configuration import Configuration, TaskLine
from jupiter.formats.link_parameters import Curve
from jupiter.formats.node_rules import HIDDEN
from jupiter.formats.text import Word
from jupiter.kit.names import fold, name_fault
from jupiter.model.app import (
    Application,
    CommandRun,
    ContainerRun,
    FunctionRun,
    NameRule,
    Needs,
    ScriptRun,
    Service,
    Task,
)
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.network import Link, Network, Node

NAME = st.from_regex(r"[a-z][a-z0-9_.+-]{0,8}", fullmatch=True).filter(
    lambda name: name_fault(name) is None and fold(name) not in ("home", "scheduler", "input")
)
WORD = st.text(string.ascii_letters + string.digits + "_./:@", min_size=1, max_size=8)
LINE = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=12)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NUMBER = st.floats(-1e12, 1e12, allow_nan=False)
POSITIVE = st.floats(0, 1e12, allow_nan=False)
HUNDREDTHS = st.integers(0, 10**9).map(lambda count: count / 100)
COUNT = st.integers(1, 9_999)
JSON = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
CURVE = st.builds(Curve, NUMBER, NUMBER, NUMBER).filter(
    lambda curve: any(curve.milliseconds(size) >= 0 for size in link_parameters.PROBES_KBIT)
)


def names(most: int = 6) -> st.SearchStrategy[list[str]]:
    return st.lists(NAME, min_size=1, max_size=most, unique=True)


@st.composite
def children_of(draw: st.DrawFn) -> dict[str, list[str]]:
    """Draw a graph: every task leads to some of those after it."""
    tasks = draw(names())
    return {
        task: draw(st.lists(st.sampled_from(after), max_size=3, unique=True)) if after else []
        for k, task in enumerate(tasks)
        for after in [tasks[k + 1 :]]
    }


@st.composite
def configurations(draw: st.DrawFn) -> Configuration:
    graph = draw(children_of())
    lines = []
    for task, children in graph.items():
        end = draw(st.sampled_from([[], ["home"]])) if children else ["home"]
        ends = draw(st.sampled_from([end, [], [task], ["scheduler"]])) if not children else end
        every = tuple(map(Word, [*children, *ends]))
        lines.append(TaskLine(Word(task), draw(COUNT), draw(st.booleans()), every))
    placed = {task: draw(NAME) for task in graph} if draw(st.booleans()) else {}
    return Configuration(tuple(lines), placed)


@st.composite
def dags(draw: st.DrawFn) -> dag.Dag:
    graph = draw(children_of())
    lines = [
        dag.DagLine(Word(task), tuple(map(Word, children or ["home"])))
        for task, children in graph.items()
    ]
    flavour: dag.Flavour = draw(st.sampled_from(get_args(dag.Flavour)))
    return dag.Dag(flavour, tuple(lines))


@st.composite
def config_jsons(draw: st.DrawFn) -> config_json.ConfigJson:
    tasks = draw(names())
    script = st.lists(NAME, min_size=1, max_size=3).map("/".join)
    argument = st.booleans() | st.integers(-9, 9) | TEXT
    scripts = {
        Word(task): config_json.ScriptEntry(
            Word(draw(script)), draw(st.booleans()), tuple(draw(st.lists(argument, max_size=3)))
        )
        for task in tasks
    }
    flags = {Word(task): draw(st.booleans()) for task in tasks}
    private = draw(st.dictionaries(TEXT, JSON | st.none(), max_size=3))
    reserved = (config_json.TASKS_KEY, config_json.PROFILER_KEY)
    kept = {key: value for key, value in private.items() if key not in reserved}
    return config_json.ConfigJson(scripts, draw(st.sampled_from([None, flags])), kept)


@st.composite
def nodes_files(draw: st.DrawFn) -> nodes.NodesFile:
    variant: nodes.Variant = draw(st.sampled_from(get_args(nodes.Variant)))
    tags = draw(names())
    if variant == "login":
        tags[0] = "scheduler"
    elif variant == "cluster":
        tags[0] = f"x{tags[0]}"
    host = NAME
    user = NAME if variant == "bare" else st.just("")
    region = LINE.filter(lambda text: "," not in text)
    secret = st.sampled_from(["", "agent", "secret:x", "key:/k", HIDDEN, "password"])
    if variant in ("login", "cluster"):
        user = NAME | st.just("")
    with_commas = variant in ("bare", "service")
    return nodes.NodesFile(
        variant,
        tuple(
            nodes.NodeLine(
                Word(tag),
                Word(draw(host)),
                Word(draw(user)),
                Word("" if variant == "hosts" else draw(secret)),
                draw(region) if with_commas else "",
            )
            for tag in dict.fromkeys(tags)
        ),
    )


@st.composite
def tgffs(draw: st.DrawFn) -> tgff.Tgff:
    graph = draw(children_of())
    processors = tuple(draw(names(3)))
    costs = st.lists(POSITIVE, min_size=len(processors), max_size=len(processors)).map(tuple)
    pairs = st.tuples(NAME, NAME).filter(lambda pair: pair[0] != pair[1])
    return tgff.Tgff(
        tuple(graph),
        {(task, child): draw(POSITIVE) for task, found in graph.items() for child in found},
        processors,
        {task: draw(costs) for task in graph},
        draw(st.dictionaries(pairs, CURVE, max_size=4)),
    )


@st.composite
def placed_lists(draw: st.DrawFn) -> static_assignment.Placed:
    graph = draw(children_of())
    tasks = {
        task: static_assignment.StaticTask(
            draw(COUNT), draw(st.booleans()), tuple(children or ["home"])
        )
        for task, children in graph.items()
    }
    return static_assignment.Placed(next(iter(graph)), tasks, {t: draw(LINE) for t in graph})


@st.composite
def networks(draw: st.DrawFn) -> Network:
    tags = draw(names())
    found = tuple(
        Node(
            NodeId(tag),
            role=draw(st.sampled_from(["worker", "home", "source"])),
            cores=draw(st.integers(1, 64)),
            speed=draw(st.floats(1e-3, 1e3)),
            memory_bytes=draw(st.none() | st.integers(0, 2**40)),
            host=draw(st.from_regex("[a-z]{0,8}", fullmatch=True)),
            user=draw(TEXT),
            secret=draw(st.sampled_from(["", "agent", "env:X"])),
            region=draw(TEXT),
        )
        for tag in tags
    )
    pairs = [(a, b) for a in tags for b in tags if a != b]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=4)) if pairs else []
    bandwidth = st.floats(1, 1e12) | st.just(float("inf"))
    links = tuple(
        Link(NodeId(a), NodeId(b), draw(bandwidth), draw(st.floats(0, 10))) for a, b in chosen
    )
    return Network(draw(TEXT), found, links)


RUNS = st.one_of(
    st.builds(ScriptRun, NAME.map("scripts/{}.py".format), st.lists(TEXT, max_size=2).map(tuple)),
    st.builds(
        FunctionRun,
        st.from_regex("[a-z]{1,5}(\\.[a-z]{1,5})?", fullmatch=True),
        st.from_regex("[a-z]{1,5}", fullmatch=True),
    ),
    st.builds(CommandRun, st.lists(TEXT.filter(bool), min_size=1, max_size=3).map(tuple)),
    st.builds(ContainerRun, TEXT, st.lists(TEXT, max_size=2).map(tuple)),
)

PATHS = st.lists(st.from_regex("/[a-zé ]{1,5}(/[a-z]{1,5})?", fullmatch=True), max_size=2)
NEEDS = st.builds(
    Needs,
    st.lists(st.from_regex("[a-z]{1,5}( ?>=[0-9])?", fullmatch=True), max_size=2).map(tuple),
    st.lists(st.from_regex("[A-Z_][A-Z0-9_]{0,5}", fullmatch=True), max_size=2).map(tuple),
    PATHS.map(tuple),
    PATHS.map(tuple),
)


@st.composite
def applications(draw: st.DrawFn) -> Application:
    graph = draw(children_of())
    tasks = tuple(
        Task(
            TaskId(task),
            draw(RUNS),
            tuple(map(TaskId, children)),
            is_sink=not children or draw(st.booleans()),
            route=draw(st.sampled_from(["broadcast", "scatter"])),
            is_profiled=draw(st.booleans()),
            cores=draw(st.integers(1, 64)),
            memory_bytes=draw(st.none() | st.integers(0, 2**40)),
            retries=draw(st.integers(0, 9)),
            timeout_s=draw(st.none() | st.floats(0, 1e6)),
            output_bytes=draw(st.none() | st.integers(0, 2**40)),
            needs=draw(NEEDS),
        )
        for task, children in graph.items()
    )
    helpers = [name for name in draw(names(2)) if name not in graph]
    peers = st.lists(st.sampled_from([*graph]), max_size=2, unique=True)
    services = tuple(
        Service(TaskId(name), draw(RUNS), tuple(map(TaskId, draw(peers)))) for name in helpers
    )
    port = st.tuples(st.integers(1, 65_535), st.integers(1, 65_535))
    rule = st.builds(NameRule, TEXT.filter(bool), TEXT.filter(bool))
    return Application(
        name=draw(NAME),
        root="folder",
        tasks=tasks,
        services=services,
        ports=draw(st.dictionaries(TEXT, port, max_size=2)),
        name_rules=draw(st.dictionaries(TEXT, rule, max_size=2)),
        entry_nodes=draw(st.dictionaries(TEXT, st.lists(TEXT, max_size=2).map(tuple), max_size=2)),
        private=draw(st.dictionaries(TEXT, JSON, max_size=3)),
        needs=draw(NEEDS),
    )
