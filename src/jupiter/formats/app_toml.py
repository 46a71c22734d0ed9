"""``app.toml``: a whole application in one file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from jupiter.formats.cluster_toml import Bytes, Closed, Name, Seconds, quoted
from jupiter.formats.text import Faults, Names, Parsed, Word, decode, did_you_mean
from jupiter.formats.toml_text import Places, load
from jupiter.kit.names import printable
from jupiter.model.app import (
    Application,
    CommandRun,
    ContainerRun,
    FunctionRun,
    NameRule,
    Run,
    ScriptRun,
    Service,
    Task,
)
from jupiter.model.graph import find_cycle
from jupiter.model.ids import TaskId

_RUN_FORMS = '"scripts/task.py", "module:function", ["program", "argument"], or image = "name"'


class _Runnable(Closed):
    name: Name
    run: str | list[str] | None = None
    args: list[str] = []
    image: str | None = None
    command: list[str] = []


class _Task(_Runnable):
    children: list[str] = []
    sink: bool = False
    route: Literal["broadcast", "scatter"] = "broadcast"
    inputs: int | None = Field(default=None, ge=1)
    cores: int = Field(default=1, ge=1, le=4096)
    memory: Bytes | None = None
    retries: int = Field(default=2, ge=0, le=100)
    timeout: Seconds | None = None
    profile: bool = True


class _Service(_Runnable):
    peers: list[str] = []


class _Port(Closed):
    name: str
    service: int = Field(ge=1, le=65535)
    container: int = Field(ge=1, le=65535)


class _NameRule(Closed):
    task: str
    output: str
    input: str


class _App(Closed):
    name: Name
    entry: str | list[str] | None = None
    sample_input: list[str] = []
    task: list[_Task] = []
    service: list[_Service] = []
    port: list[_Port] = []
    name_rule: list[_NameRule] = []
    entry_nodes: dict[str, list[str]] = {}
    private: dict[str, object] = {}


def parse(content: bytes | str, file: str = "app.toml", root: str = ".") -> Parsed[Application]:
    """Read a file.

    Args:
        content: The text.
        file: Its path, for faults.
        root: Folder that paths in it are relative to.

    Raises:
        InputError: With every fault.
    """
    faults = Faults(file)
    text = decode(content, faults)
    app = load(text, _App, faults)
    places = Places(text)
    _check_names(app, places, faults)
    tasks = tuple(_task(task, k, places, faults) for k, task in enumerate(app.task))
    services = tuple(_service(each, k, places, faults) for k, each in enumerate(app.service))
    faults.check()
    _check_graph(app, places, faults)
    faults.check()
    return faults.done(
        Application(
            name=app.name,
            root=root,
            tasks=tasks,
            services=services,
            ports={port.name: (port.service, port.container) for port in app.port},
            name_rules={rule.task: NameRule(rule.output, rule.input) for rule in app.name_rule},
            entry_nodes={task: tuple(nodes) for task, nodes in app.entry_nodes.items()},
            sample_input=tuple(app.sample_input),
            private=app.private,
        )
    )


def _check_names(app: _App, places: Places, faults: Faults) -> None:
    names = Names("task", faults)
    for kind, runnables in (("task", app.task), ("service", app.service)):
        for k, each in enumerate(runnables):
            names.add(_word(each.name, places.find((kind, k, "name"))))
    if not app.task:
        faults.add("names no task", expected="at least one table [[task]]", remedy="add one")


def _word(text: str, at: Word | int) -> Word:
    return Word(text, at.line, at.column) if isinstance(at, Word) else Word(text, at, 0)


def _task(task: _Task, k: int, places: Places, faults: Faults) -> Task:
    return Task(
        name=TaskId(task.name),
        run=_run(task, ("task", k), places, faults),
        children=tuple(TaskId(child) for child in task.children if child != "home"),
        is_sink=task.sink or "home" in task.children,
        route=task.route,
        is_profiled=task.profile,
        cores=task.cores,
        memory_bytes=task.memory,
        retries=task.retries,
        timeout_s=task.timeout,
    )


def _service(service: _Service, k: int, places: Places, faults: Faults) -> Service:
    run = _run(service, ("service", k), places, faults)
    return Service(TaskId(service.name), run, tuple(TaskId(peer) for peer in service.peers))


def _run(each: _Runnable, loc: tuple[str, int], places: Places, faults: Faults) -> Run:
    if (each.run is None) == (each.image is None):
        faults.add(
            f"task {each.name} says not clearly what it runs",
            places.find(loc),
            got="both run and image" if each.image else "neither run nor image",
            expected=_RUN_FORMS,
            remedy="keep one of them",
        )
        return CommandRun(("false",))
    if each.image is not None:
        return ContainerRun(each.image, tuple(each.command))
    if isinstance(each.run, list):
        return CommandRun(tuple(each.run))
    run = each.run or ""
    if run.endswith(".py") and not run.startswith("/") and ".." not in run.split("/"):
        return ScriptRun(run, tuple(each.args))
    module, colon, function = run.partition(":")
    if colon and function.isidentifier() and all(p.isidentifier() for p in module.split(".")):
        return FunctionRun(module, function)
    faults.add(
        f"task {each.name} cannot be run so",
        places.find((*loc, "run")),
        got=printable(run),
        expected=_RUN_FORMS,
        remedy="a program and its arguments are a list of texts",
    )
    return CommandRun(("false",))


def _check_graph(app: _App, places: Places, faults: Faults) -> None:
    known = [task.name for task in app.task]
    parents: dict[str, list[str]] = {name: [] for name in known}
    for k, task in enumerate(app.task):
        at = places.find(("task", k, "children"))
        for child in task.children:
            if child in parents:
                parents[child].append(task.name)
            elif child != "home":
                faults.add(
                    f"child of task {task.name} is no task",
                    at,
                    got=printable(child),
                    expected="a task of this file, or home",
                    remedy=did_you_mean(child, [*known, "home"]),
                )
        if len(set(task.children)) != len(task.children):
            faults.add(f"task {task.name} names a child twice", at, got="", remedy="remove one")
    cycle = find_cycle(
        {TaskId(task.name): tuple(TaskId(c) for c in task.children) for task in app.task}
    )
    if cycle:
        k = known.index(cycle[0])
        faults.add(
            "the tasks form a cycle",
            places.find(("task", k, "children")),
            got=" -> ".join(cycle),
            expected="a graph without cycles",
            remedy="remove one of these edges",
        )
    _check_inputs(app, parents, places, faults)
    _check_entry(app, [name for name in known if not parents[name]], places, faults)


def _check_inputs(app: _App, parents: dict[str, list[str]], places: Places, faults: Faults) -> None:
    for k, task in enumerate(app.task):
        count = max(1, len(parents[task.name]))
        if task.inputs is not None and task.inputs != count:
            faults.add(
                f"inputs of task {task.name} is not the number of its parents",
                places.find(("task", k, "inputs")),
                got=str(task.inputs),
                expected=f"{count} ({', '.join(parents[task.name]) or 'an entry task has 1'})",
                remedy=f"write {count}, or leave it out",
            )


def _check_entry(app: _App, entries: list[str], places: Places, faults: Faults) -> None:
    if app.entry is None:
        return
    named = [app.entry] if isinstance(app.entry, str) else app.entry
    if sorted(named) != sorted(entries) and entries:
        many = len(entries) > len(named)
        faults.add(
            f"there are {len(entries)} entry tasks where {len(named)} is named"
            if many
            else "entry names a task that is none",
            places.find(("entry",)),
            got=", ".join(named),
            expected=f"the tasks without a parent: {', '.join(entries)}",
            remedy="give the others a parent, or name them all: entry = [...]",
        )


def dumps(app: Application) -> str:
    """Return the text of a file that gives the same application."""
    rows = [f"name = {quoted(app.name)}"]
    if app.sample_input:
        rows.append(f"sample_input = {_list(app.sample_input)}")
    for task in app.tasks:
        rows += ["", "[[task]]", f"name = {quoted(task.name)}", *_run_rows(task.run)]
        if task.children:
            rows.append(f"children = {_list(task.children)}")
        rows += _options(task)
    for service in app.services:
        rows += ["", "[[service]]", f"name = {quoted(service.name)}", *_run_rows(service.run)]
        if service.peers:
            rows.append(f"peers = {_list(service.peers)}")
    for name, (outer, inner) in app.ports.items():
        rows += ["", "[[port]]", f"name = {quoted(name)}"]
        rows += [f"service = {outer}", f"container = {inner}"]
    for name, rule in app.name_rules.items():
        rows += ["", "[[name_rule]]", f"task = {quoted(name)}"]
        rows += [f"output = {quoted(rule.output_marker)}", f"input = {quoted(rule.input_marker)}"]
    if app.entry_nodes:
        rows += ["", "[entry_nodes]"]
        rows += [f"{quoted(task)} = {_list(nodes)}" for task, nodes in app.entry_nodes.items()]
    if app.private:
        rows += ["", "[private]"]
        rows += [f"{quoted(key)} = {_value(value)}" for key, value in app.private.items()]
    return "\n".join(rows) + "\n"


def _options(task: Task) -> list[str]:
    rows = []
    if task.is_sink:
        rows.append("sink = true")
    if task.route != "broadcast":
        rows.append(f"route = {quoted(task.route)}")
    if not task.is_profiled:
        rows.append("profile = false")
    if task.cores != 1:
        rows.append(f"cores = {task.cores}")
    if task.memory_bytes is not None:
        rows.append(f'memory = "{task.memory_bytes} B"')
    if task.retries != 2:
        rows.append(f"retries = {task.retries}")
    if task.timeout_s is not None:
        rows.append(f'timeout = "{task.timeout_s!r} s"')
    return rows


def _run_rows(run: Run) -> list[str]:
    match run:
        case ScriptRun(path, args):
            rows = [f"run = {quoted(path)}"]
            return [*rows, f"args = {_list(args)}"] if args else rows
        case FunctionRun(module, function):
            return [f"run = {quoted(f'{module}:{function}')}"]
        case CommandRun(argv):
            return [f"run = {_list(argv)}"]
        case _:
            rows = [f"image = {quoted(run.image)}"]
            return [*rows, f"command = {_list(run.argv)}"] if run.argv else rows


def _list(texts: tuple[str, ...]) -> str:
    return f"[{', '.join(quoted(text) for text in texts)}]"


def _value(value: object) -> str:
    """Return a JSON value as TOML; a null, which TOML lacks, becomes an empty text."""
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case list():
            return f"[{', '.join(map(_value, value))}]"
        case dict():
            pairs = (f"{quoted(str(key))} = {_value(each)}" for key, each in value.items())
            return f"{{ {', '.join(pairs)} }}" if value else "{}"
        case _:
            return quoted("" if value is None else str(value))
