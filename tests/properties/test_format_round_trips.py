"""Every format reads back what it wrote, and meets any text with a value or an InputError."""

from __future__ import annotations

import json
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupiter.errors import InputError
from jupiter.formats import (
    app_config,
    app_toml,
    cluster,
    communication,
    config_json,
    configuration,
    dag,
    input_node,
    jupiter_config,
    link_list,
    link_parameters,
    mapping,
    name_convert,
    network_log,
    nodes,
    profiler_txt,
    runtime_logs,
    static_assignment,
    task_config,
    tgff,
)
from jupiter.formats.application import FILES_READ, load_application
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


def load_toml(text: str | bytes, file: str = "") -> Any:
    return load_application({"app.toml": text}, "folder", "folder")


PORT = st.tuples(st.integers(1, 65_535), st.integers(1, 65_535))
PAIR = st.tuples(NAME, NAME).filter(lambda pair: pair[0] != pair[1])


@dataclass(frozen=True)
class Format:
    """Both directions of a format, and values that it can hold."""

    parse: Callable[..., Any]
    dumps: Callable[..., str]
    values: st.SearchStrategy[Any]


TIMES = st.floats(0, 4e9).map(lambda time_s: round(time_s, 4))
FORMATS: Mapping[str, Format] = {
    "configuration.txt": Format(configuration.parse, configuration.dumps, configurations()),
    "dag.txt": Format(dag.parse, dag.dumps, dags()),
    "schedule": Format(mapping.parse, mapping.dumps, st.dictionaries(NAME, NAME)),
    "mapping.json": Format(mapping.parse_json, mapping.dumps_json, st.dictionaries(NAME, NAME)),
    "config.json": Format(config_json.parse, config_json.dumps, config_jsons()),
    "app_config.ini": Format(app_config.parse, app_config.dumps, st.dictionaries(NAME, PORT)),
    "name_convert.txt": Format(
        name_convert.parse,
        name_convert.dumps,
        st.dictionaries(NAME, st.builds(NameRule, WORD, WORD)),
    ),
    "input_node.txt": Format(
        input_node.parse,
        input_node.dumps,
        st.dictionaries(NAME, st.lists(NAME, min_size=1, max_size=3).map(tuple)),
    ),
    "communication.txt": Format(
        communication.parse,
        communication.dumps,
        st.dictionaries(NAME, st.dictionaries(NAME, HUNDREDTHS, max_size=3)),
    ),
    "task_config.yml": Format(
        task_config.parse,
        task_config.dumps,
        st.builds(
            task_config.TaskConfig,
            depth=COUNT,
            width_min=st.integers(1, 5),
            width_max=st.integers(5, 9),
            total_num=COUNT,
            ccr=POSITIVE,
            comp_mu=POSITIVE,
            comp_sigma=POSITIVE,
            link_comm_sigma=POSITIVE,
            deg_mu=POSITIVE,
            deg_sigma=POSITIVE,
        ),
    ),
    "jupiter_config.ini": Format(
        jupiter_config.parse,
        jupiter_config.dumps,
        st.builds(
            jupiter_config.JupiterConfig,
            st.dictionaries(st.sampled_from(["SCHEDULER", "PRICING", "PROFILER"]), NAME),
            st.dictionaries(st.sampled_from(["STATIC_MAPPING", "RUNTIME"]), st.booleans()),
            st.fixed_dictionaries(
                {},
                optional={
                    "MAX_LOG": st.integers(0, 99),
                    "TASK_QUEUE_SIZE": st.none() | st.integers(0, 99),
                },
            ),
        ),
    ),
    "nodes.txt": Format(nodes.parse, nodes.dumps, nodes_files()),
    "link_list.txt": Format(
        link_list.parse, link_list.dumps, st.lists(PAIR, unique=True).map(tuple)
    ),
    "link parameters": Format(link_parameters.parse, link_parameters.dumps, CURVE),
    "profiler.txt": Format(
        profiler_txt.parse,
        profiler_txt.dumps,
        st.dictionaries(NAME, st.tuples(POSITIVE, st.integers(0, 2**50))).map(
            lambda rows: tuple(profiler_txt.ProfileRow(t, s, b) for t, (s, b) in rows.items())
        ),
    ),
    "network_log.txt": Format(
        network_log.parse,
        network_log.dumps,
        st.lists(st.builds(network_log.LogRow, LINE, LINE, LINE, LINE, CURVE)).map(tuple),
    ),
    "parameters.csv": Format(
        network_log.parse_parameters,
        network_log.dumps_parameters,
        st.lists(st.builds(network_log.ParametersRow, LINE, LINE, LINE, LINE, LINE, CURVE)).map(
            tuple
        ),
    ),
    "tgff": Format(tgff.parse, tgff.dumps, tgffs()),
    "static_assignment.py": Format(
        static_assignment.parse,
        static_assignment.dumps,
        st.builds(static_assignment.StaticAssignment, placed_lists(), placed_lists()),
    ),
    "runtime_tasks.txt": Format(
        runtime_logs.parse_tasks,
        runtime_logs.dumps_tasks,
        st.lists(
            st.builds(
                runtime_logs.TaskRow, TEXT.filter(bool), TEXT.filter(bool), TIMES, TIMES, TIMES
            )
        ).map(tuple),
    ),
    "runtime_transfer_sender.txt": Format(
        runtime_logs.parse_transfers,
        runtime_logs.dumps_transfers,
        st.lists(
            st.builds(
                runtime_logs.TransferRow,
                TEXT.filter(bool),
                WORD,
                TEXT.filter(bool),
                TIMES | st.just(runtime_logs.FAILED),
            )
        ).map(tuple),
    ),
    "cluster.toml": Format(cluster.parse, cluster.dumps, networks()),
    "app.toml": Format(load_toml, app_toml.dumps, applications()),
}
EVERY = pytest.mark.parametrize("name", FORMATS)


@EVERY
@given(data=st.data())
def test_what_is_written_reads_back_equal(name: str, data: st.DataObject) -> None:
    form = FORMATS[name]
    value = data.draw(form.values)
    assert form.parse(form.dumps(value), "file").value == value


@EVERY
@given(data=st.data())
def test_damaged_text_gives_a_value_or_faults(name: str, data: st.DataObject) -> None:
    form = FORMATS[name]
    text = form.dumps(data.draw(form.values))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        patch = data.draw(st.sampled_from(PATCHES) | st.text(max_size=3))
        text = text[:at] + patch + text[at + data.draw(st.integers(0, 4)) :]
    check_total(form.parse, text)


@EVERY
@given(content=st.binary(max_size=80) | st.text(max_size=80))
def test_any_content_gives_a_value_or_faults(name: str, content: str | bytes) -> None:
    check_total(FORMATS[name].parse, content)


PATCHES = (
    "\n",
    "\r",
    "\t",
    "  ",
    " ",
    "\0",
    "\ufeff",
    "\u202e",
    "-1",
    "0",
    "nan",
    "1e999",
    "9" * 5000,
    '"',
    "'",
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    "=",
    ":",
    ",",
    "#",
    "@",
    "%(x)s",
    "home",
    "true",
    "\\",
    "\\ud800",
    '"""',
    "'''",
    "null",
    "None",
    "..",
    "/",
    "=[",
    "[[",
    "]]",
)


def check_total(parse: Callable[..., Any], content: str | bytes) -> None:
    try:
        parse(content, "file")
    except InputError as error:
        assert error.faults
        assert all(fault.level == "error" and str(fault) for fault in error.faults)


@given(
    st.dictionaries(
        st.sampled_from([*sorted(FILES_READ), "scripts/a.py", "sample_input/1a.txt"]),
        st.text(max_size=40) | st.binary(max_size=40) | st.just("1\na 1 true home\n"),
    )
)
def test_any_folder_gives_an_application_or_faults(files: dict[str, str | bytes]) -> None:
    check_total(lambda content, file: load_application(content, "folder", "name"), files)  # type: ignore[arg-type]


@given(st.dictionaries(TEXT, JSON | st.none(), max_size=4))
def test_json_is_read_as_the_standard_reader_does(values: dict[str, object]) -> None:
    text = json.dumps({**values, "taskname_map": {}})
    private = config_json.parse(text).value.private
    assert private == {k: v for k, v in values.items() if k not in ("taskname_map",)}


SIZE = 60_000
TRAPS = {
    "blanks": " " * SIZE,
    "tabs": "a \t" * (SIZE // 3),
    "one word": "a" * SIZE,
    "words": "a " * (SIZE // 2),
    "tasks": "".join(f"n{k} 1 true n{k + 1}\n" for k in range(SIZE // 16)),
    "unknown children": f"{SIZE // 20}\n"
    + "".join(f"t{k} 1 true nothing{k}\n" for k in range(SIZE // 20)),
    "brackets": "a=" + "[" * SIZE,
    "objects": '{"a":' * (SIZE // 5),
    "quotes": '"' * SIZE,
    "apostrophes": "'" * SIZE,
    "dots": "a." * (SIZE // 2),
    "quoted dots": '"a".' * (SIZE // 4),
    "lists": "a=[" + "[]," * (SIZE // 3),
    "tables": "[[node]]\n" * (SIZE // 9),
    "backslashes": 'a="' + "\\\\" * (SIZE // 2),
    "keys": "".join(f"a{k}=1\n" for k in range(SIZE // 7)),
    "signs": "-" * SIZE,
    "digits": "1" * SIZE,
    "sections": "@TASK_GRAPH 0 {\n" * (SIZE // 16),
    "commas": "," * SIZE,
    "interpolation": "%(a)s\n" * (SIZE // 6),
    "line ends": "\n" * SIZE,
}


@EVERY
@pytest.mark.parametrize("trap", TRAPS)
def test_no_text_takes_more_than_100_ms_a_kib(name: str, trap: str) -> None:
    start_s = perf_counter()
    check_total(FORMATS[name].parse, TRAPS[trap])
    assert perf_counter() - start_s < 0.1 * SIZE / 1024
