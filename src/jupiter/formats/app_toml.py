"""``app.toml``: an application in one file."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from pydantic import Field

from jupiter.errors import Fault, InputError
from jupiter.formats.app_config import PORT_MAX
from jupiter.formats.app_pairs import run_pairs, section, task_pairs
from jupiter.formats.config_json import path_fault
from jupiter.formats.graph_rules import (
    HOMES,
    Declared,
    check_children,
    check_graph,
    check_task_names,
)
from jupiter.formats.needs_toml import Needing, needs_pairs, read_needs
from jupiter.formats.text import Content, Faults, Places, Word, check_name
from jupiter.formats.toml_source import (
    Bytes,
    Closed,
    Seconds,
    read_toml,
    shown,
    toml_key,
    toml_pairs,
    validate,
)
from jupiter.kit.names import printable
from jupiter.model.app import (
    Application,
    CommandRun,
    ContainerRun,
    FunctionRun,
    NameRule,
    Route,
    Run,
    ScriptRun,
    Service,
    Task,
)
from jupiter.model.ids import TaskId

FILE_NAME = "app.toml"

_FUNCTION = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)", re.ASCII)


class _File(Needing):
    name: str | None = None
    entry: object = None
    sample_input: list[str] = []
    task: list[dict[str, object]] = []
    service: list[dict[str, object]] = []
    ports: dict[str, list[int]] = {}
    names: dict[str, dict[str, str]] = {}
    entry_nodes: dict[str, list[str]] = {}
    private: dict[str, object] = {}


class _Runs(Closed):
    name: str
    run: object = None
    args: list[str] = []
    image: str | None = None
    command: list[str] = []


class _Task(_Runs, Needing):
    output: Bytes | None = None
    route: Route = "broadcast"
    children: list[str] = []
    inputs: int | None = Field(default=None, ge=1)
    sink: bool = False
    profile: bool = True
    cores: int = Field(default=1, ge=1, le=100_000)
    memory: Bytes | None = None
    retries: int = Field(default=2, ge=0, le=1_000)
    timeout: Seconds | None = None


class _Service(_Runs):
    peers: list[str] = []


def read(
    content: Content, paths: Collection[str], root: str, name: str, faults: Faults
) -> Application | None:
    """Return the application, or None after reporting why there is none.

    Args:
        content: Of the file.
        paths: All files of the application folder, relative to it.
        root: Of the application.
        name: Where the file gives none.
        faults: Taken in.
    """
    found = read_toml(content, faults)
    if found is None:
        return None
    values, places = found
    top = validate(_File, values, (), places, faults)
    if top is None:
        return None
    reader = _Reader(top, places, paths, faults)
    tasks = reader.tasks()
    services = reader.services()
    needs = read_needs(top, (), places, paths, faults)
    reader.check()
    if top.name is not None:
        check_name(places.word(top.name, "name"), "application", faults)
    if faults.has_errors:
        return None
    return Application(
        name=top.name or name,
        root=root,
        tasks=tasks,
        services=services,
        ports={key: (pair[0], pair[1]) for key, pair in top.ports.items()},
        name_rules={
            key: NameRule(rule["output"], rule["input"]) for key, rule in top.names.items()
        },
        entry_nodes={key: tuple(nodes) for key, nodes in top.entry_nodes.items()},
        sample_input=tuple(top.sample_input),
        private=top.private,
        needs=needs,
    )


class _Reader:
    """Turns the tables of one file into tasks and services."""

    def __init__(self, top: _File, places: Places, paths: Collection[str], faults: Faults) -> None:
        self._top = top
        self._places = places
        self._paths = paths
        self._faults = faults
        self._has_code = any(path.endswith(".py") for path in paths)
        self._task_names = self._names("task", top.task)
        self._service_names = self._names("service", top.service)
        self._known = frozenset(self._task_names)
        self._helpers = frozenset(self._service_names)

    def _names(self, kind: str, tables: Sequence[Mapping[str, object]]) -> list[Word]:
        return [
            self._places.word(name, kind, k, "name")
            for k, table in enumerate(tables)
            if isinstance(name := table.get("name"), str)
        ]

    def _words(self, value: object, *path: str | int) -> list[Word]:
        """Return the texts of a list with their places."""
        values = value if isinstance(value, list) else []
        return [
            self._places.word(each, *path, j)
            for j, each in enumerate(values)
            if isinstance(each, str)
        ]

    def tasks(self) -> tuple[Task, ...]:
        """Return the tasks that could be read."""
        tasks = []
        for k, values in enumerate(self._top.task):
            table = validate(_Task, values, ("task", k), self._places, self._faults)
            run = None if table is None else self._run(table, "task", k)
            if table is None or run is None:
                continue
            children = tuple(TaskId(c) for c in table.children if c not in HOMES)
            tasks.append(
                Task(
                    name=TaskId(table.name),
                    run=run,
                    children=children,
                    is_sink=table.sink or len(children) < len(table.children) or not children,
                    route=table.route,
                    is_profiled=table.profile,
                    cores=table.cores,
                    memory_bytes=table.memory,
                    retries=table.retries,
                    timeout_s=table.timeout,
                    output_bytes=table.output,
                    needs=read_needs(table, ("task", k), self._places, self._paths, self._faults),
                )
            )
        return tuple(tasks)

    def services(self) -> tuple[Service, ...]:
        """Return the services that could be read."""
        services = []
        known = {*self._task_names, *self._service_names}
        for k, values in enumerate(self._top.service):
            table = validate(_Service, values, ("service", k), self._places, self._faults)
            run = None if table is None else self._run(table, "service", k)
            if table is None or run is None:
                continue
            check_children(
                self._places.word(table.name, "service", k, "name"),
                self._words(table.peers, "service", k, "peers"),
                known,
                self._faults,
            )
            services.append(Service(TaskId(table.name), run, tuple(map(TaskId, table.peers))))
        return tuple(services)

    def check(self) -> None:
        """Report what concerns several tables, malformed ones included as far as they go."""
        check_task_names([*self._task_names, *self._service_names], self._faults)
        declared = [
            self._declare(name, k, values)
            for k, values in enumerate(self._top.task)
            if isinstance(name := values.get("name"), str)
        ]
        check_graph(declared, self._faults)
        self._check_entry(declared)
        self._check_samples()
        if not self._has_code and any(_is_script(values) for values in self._top.task):
            self._faults.note(
                "the folder holds no Python files, so the code of the tasks was not checked"
            )
        for key, pair in self._top.ports.items():
            if len(pair) != 2 or not all(1 <= port <= PORT_MAX for port in pair):
                self._faults.error(
                    f"port {printable(key)} is no pair of ports",
                    self._places.at("ports", key),
                    got=shown(pair),
                    expected=f"[service port, container port], each from 1 to {PORT_MAX}",
                    remedy="write two numbers",
                )
        for key, rule in self._top.names.items():
            if set(rule) != {"input", "output"}:
                self._faults.error(
                    f"the name rule of {printable(key)} is incomplete",
                    self._places.at("names", key),
                    got=", ".join(rule) or "nothing",
                    expected='output = "…" and input = "…"',
                    remedy="write both markers",
                )

    def _declare(self, name: str, k: int, values: Mapping[str, object]) -> Declared:
        """Return the place of a task in the graph, however malformed the rest of it is."""
        word = self._places.word(name, "task", k, "name")
        children = self._words(values.get("children"), "task", k, "children")
        services = [child for child in children if child in self._helpers]
        for child in services:
            self._faults.error(
                f"child {printable(child)} of task {printable(name)} is a service",
                child,
                expected="a task; items do not go to services",
                remedy="delete the child, or make it a task",
            )
        if "home" in children[:-1] and values.get("route") == "scatter":
            self._faults.error(
                f"task {printable(name)} scatters, and home is not its last child",
                children[children.index(Word("home"))],
                expected="home last, so that the last output is the result",
                remedy="move home to the end, and the output that is the result too",
            )
        check_children(word, [c for c in children if c not in services], self._known, self._faults)
        inputs = values.get("inputs")
        others = [c for c in children if c not in HOMES and c in self._known and c != name]
        return Declared(
            word,
            tuple(others),
            inputs if type(inputs) is int and inputs > 0 else None,
            self._places.at("task", k, "inputs"),
            is_sink=values.get("sink") is True or any(child in HOMES for child in children),
        )

    def _check_entry(self, declared: Sequence[Declared]) -> None:
        """Compare the entries that are named, if any are, with the tasks without parents."""
        entry = self._top.entry
        if entry is None:
            return
        named = entry if isinstance(entry, list) else [entry]
        targets = {child for task in declared for child in task.children}
        entries = [str(task.name) for task in declared if task.name not in targets]
        if all(isinstance(name, str) for name in named) and sorted(named) == sorted(entries):
            return
        self._faults.error(
            f"the graph has {len(entries)} entry tasks where {len(named)} is named"
            if len(entries) != len(named)
            else "what is named as entry is not the task without parents",
            self._places.at("entry"),
            got=shown(entry),
            expected=f"the tasks without parents: {', '.join(entries) or 'there are none'}",
            remedy="make the others children of it, or name them all: entry = […]",
        )

    def _check_samples(self) -> None:
        for j, path in enumerate(self._top.sample_input):
            if path not in self._paths:
                self._faults.error(
                    "a sample input is missing",
                    self._places.word(path, "sample_input", j),
                    expected="a file of the application folder, relative to it",
                    remedy=self._faults.suggestion(path, self._paths, "add the file"),
                )

    def _run(self, table: _Runs, kind: str, k: int) -> Run | None:
        """Return what a table wants to be executed, or None after reporting that it is unclear."""
        at = self._places.at(kind, k, "run")
        if table.image is not None and table.run is None and not table.args:
            return ContainerRun(table.image, tuple(table.command))
        run = table.run
        if table.image is None and not table.command:
            if isinstance(run, list) and run and all(isinstance(w, str) and w for w in run):
                if not table.args:
                    return CommandRun(tuple(run))
            elif isinstance(run, str) and run.endswith(".py"):
                return self._script(run, tuple(table.args), kind, k)
            elif isinstance(run, str) and (match := _FUNCTION.fullmatch(run)) and not table.args:
                return self._function(match[1], match[2], kind, k)
        self._faults.error(
            f"it is unclear what {kind} {printable(table.name)} runs",
            at,
            got=shown(run) if run is not None else "no run" if table.image is None else "image",
            expected='run = "file.py" (and args), "module:function" or ["program", "argument"]; '
            "or image (and command)",
            remedy="write exactly one of these",
        )
        return None

    def _script(self, path: str, args: tuple[str, ...], kind: str, k: int) -> Run | None:
        at = self._places.word(path, kind, k, "run")
        problem = path_fault(path)
        if problem is None and (path in self._paths or not self._has_code):
            return ScriptRun(path, args)
        scripts = [each for each in self._paths if each.endswith(".py")]
        self._faults.error(
            f"the script {problem or 'is missing'}",
            at,
            expected="a file of the application folder, relative to it",
            remedy=self._faults.suggestion(path, scripts, "add the file"),
        )
        return None

    def _function(self, module: str, function: str, kind: str, k: int) -> Run:
        path = module.replace(".", "/")
        if self._has_code and not {f"{path}.py", f"{path}/__init__.py"} & set(self._paths):
            self._faults.warn(
                f"module {module} is not in the application folder",
                self._places.at(kind, k, "run"),
                remedy="make sure that it is installed on every node",
            )
        return FunctionRun(module, function)


def _is_script(values: Mapping[str, object]) -> bool:
    return str(values.get("run")).endswith(".py")


def dumps(app: Application) -> str:
    """Return the text of an ``app.toml`` that says the same.

    Raises:
        InputError: The application's private keys hold null, which TOML cannot write.
    """
    lines = toml_pairs(
        {"name": app.name, "sample_input": app.sample_input or None, **needs_pairs(app.needs)}
    )
    for task in app.tasks:
        lines += ["", "[[task]]", *toml_pairs(task_pairs(task))]
    for service in app.services:
        peers = tuple(map(str, service.peers)) or None
        pairs = {"name": str(service.name), **run_pairs(service.run), "peers": peers}
        lines += ["", "[[service]]", *toml_pairs(pairs)]
    lines += section("ports", app.ports)
    for key, rule in app.name_rules.items():
        markers = {"output": rule.output_marker, "input": rule.input_marker}
        lines += section(f"names.{toml_key(key)}", markers)
    lines += section("entry_nodes", app.entry_nodes)
    try:
        lines += section("private", app.private)
    except ValueError as error:
        raise InputError(
            Fault(
                f"a private key of the application cannot be written: {error}",
                file=app.root,
                expected="values that TOML has",
                remedy="put another value for null into config.json",
            )
        ) from None
    return "\n".join(lines) + "\n"
