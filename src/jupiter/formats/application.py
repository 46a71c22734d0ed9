"""An application folder, in the seeds' form or as ``app.toml``, from the texts of its files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from jupiter.errors import Fault, InputError
from jupiter.formats import app_toml, config_json, configuration, small
from jupiter.formats.config_json import ConfigJson, ScriptEntry
from jupiter.formats.configuration import HOME_WORDS, ConfigLine, Configuration
from jupiter.formats.text import Faults, Parsed, did_you_mean
from jupiter.kit.names import fold, printable
from jupiter.model.app import Application, FunctionRun, NameRule, ScriptRun, Service, Task
from jupiter.model.ids import TaskId

T = TypeVar("T")

CONFIGURATION = "configuration.txt"
APP_TOML = "app.toml"


def load_application(
    files: Mapping[str, bytes], names: frozenset[str], root: str, name: str
) -> Parsed[Application]:
    """Return the application in a folder.

    Args:
        files: Content of the files that describe it, by path relative to the folder.
        names: Relative paths of all its files, to check that the code is there.
        root: The folder, as the user gave it.
        name: What the application is called where its files do not say.

    Raises:
        InputError: With the faults of all files.
    """
    if APP_TOML in files:
        path = _in(root, APP_TOML)
        parsed = app_toml.parse(files[APP_TOML], path, root)
        faults = Faults(path)
        faults.found += parsed.notes
        _check_scripts(parsed.value, names, faults)
        _check_samples(parsed.value.sample_input, names, root, faults)
        return faults.done(parsed.value)
    if CONFIGURATION not in files:
        raise InputError(
            Fault(
                "is no application folder",
                file=root,
                expected=f"a folder with {CONFIGURATION} or {APP_TOML}",
                remedy=f"write {APP_TOML}, or name the folder that holds it",
            )
        )
    return _Folder(files, names, root, name).load()


class _Folder:
    """The seeds' form, file by file."""

    def __init__(
        self, files: Mapping[str, bytes], names: frozenset[str], root: str, name: str
    ) -> None:
        self._files = files
        self._names = names
        self._root = root
        self._name = name
        self._found: list[Fault] = []

    def load(self) -> Parsed[Application]:
        graph = self._read(CONFIGURATION, configuration.parse)
        where = "scripts/config.json" if "scripts/config.json" in self._files else "config.json"
        config = self._read(where, config_json.parse)
        ports = self._read("app_config.ini", small.parse_ports) or {}
        rules = self._read("name_convert.txt", small.parse_name_rules) or {}
        entry_nodes = self._read("input_node.txt", small.parse_entry_nodes) or {}
        samples = _samples(self._names)
        sample_faults = Faults(self._root)
        _check_frames(samples, rules, sample_faults)
        self._found += sample_faults.found
        if graph is not None:
            self._check_graph(graph, config)
            self._check_config(graph, config, where)
            self._check_rules(graph, rules)
            self._check_entry_nodes(graph, entry_nodes)
        errors = [fault for fault in self._found if fault.level == "error"]
        if errors or graph is None:
            raise InputError(errors)
        app = Application(
            name=self._name,
            root=self._root,
            tasks=tuple(self._tasks(graph, config)),
            services=tuple(self._services(graph, config)),
            ports=ports,
            name_rules=rules,
            entry_nodes=entry_nodes,
            sample_input=samples,
            private=config.private if config else {},
        )
        faults = Faults(_in(self._root, where), self._found)
        if config is not None:
            self._check_code(app, faults)
        return faults.done(app)

    def _read(self, path: str, parse: Callable[[bytes, str], Parsed[T]]) -> T | None:
        """Return the value of a file, None where it is not there or cannot be used."""
        if path not in self._files:
            return None
        try:
            parsed = parse(self._files[path], _in(self._root, path))
        except InputError as error:
            self._found += error.faults
            return None
        self._found += parsed.notes
        return parsed.value

    def _faults(self, path: str) -> Faults:
        return Faults(_in(self._root, path), self._found)

    # -- checks over several files -------------------------------------------------------------

    def _check_graph(self, graph: Configuration, config: ConfigJson | None) -> None:
        faults = self._faults(CONFIGURATION)
        lines = {line.task: line for line in graph.lines}
        inside = [line for line in graph.lines if _is_dag(line, config)]
        parents: dict[str, list[str]] = {task: [] for task in lines}
        for line in graph.lines:
            for child in line.children:
                if child in parents and child != line.task:
                    parents[child].append(line.task)
        number_of = {line.task: k for k, line in enumerate(graph.lines, start=2)}
        for line in inside:
            count = max(1, len(parents[line.task]))
            if line.inputs != count:
                named = ", ".join(parents[line.task]) or "none, as for an entry task"
                faults.add(
                    f"NUM_INPUTS of task {line.task} is not the number of its parents",
                    number_of[line.task],
                    got=str(line.inputs),
                    expected=f"{count} ({named})",
                    remedy=f"write {count}, or correct the children of the other tasks",
                )
        entries = [line.task for line in inside if not parents[line.task]]
        self._check_reach(inside, entries, number_of, faults)
        if len(entries) > 1:
            faults.note(f"has {len(entries)} entry tasks, each gets every item: {_join(entries)}")
        for line in inside:
            if not line.children:
                faults.note(
                    f"task {line.task} has no child, so its outputs are results",
                    number_of[line.task],
                )

    def _check_reach(
        self,
        inside: list[ConfigLine],
        entries: list[str],
        number_of: dict[str, int],
        faults: Faults,
    ) -> None:
        children = {line.task: line.children for line in inside}
        reached: dict[str, None] = {}
        front = list(entries)
        while front:
            task = front.pop()
            if task not in reached:
                reached[task] = None
                front += [child for child in children[task] if child in children]
        for line in inside:
            if line.task not in reached:
                faults.add(
                    f"task {line.task} cannot be reached from an entry task",
                    number_of[line.task],
                    expected="a way from a task without parents",
                    remedy="make it the child of a task that is reached, or remove it",
                )
        if not any(set(line.children) & {*HOME_WORDS} or not line.children for line in inside):
            faults.add(
                "no task has home as a child, so no result ever comes out",
                expected="home as the child of the last task",
                remedy="write home behind the task whose outputs are results",
            )

    def _check_config(self, graph: Configuration, config: ConfigJson | None, where: str) -> None:
        if config is None:
            if where not in self._files:
                self._faults(CONFIGURATION).note(
                    "there is no config.json, so scripts are taken by the names of the tasks"
                )
            return
        faults = self._faults(where)
        known = [line.task for line in graph.lines]
        for task in known:
            if task not in config.tasks:
                faults.add(
                    f"taskname_map has no entry for task {task}",
                    expected="an entry for every task of configuration.txt",
                    remedy=f'add "{task}": ["{task}", true]',
                )
        for task in config.tasks:
            if task not in known:
                faults.warn(
                    f"taskname_map names {printable(task)}, which is no task",
                    remedy=did_you_mean(task, known),
                )

    def _check_rules(self, graph: Configuration, rules: Mapping[str, NameRule]) -> None:
        if not rules:
            return
        faults = self._faults("name_convert.txt")
        for line in graph.lines:
            if line.task not in rules and not line.is_leaf:
                faults.add(
                    f"has no row for task {line.task}",
                    expected="a row for every task, and one for input",
                    remedy=f"add a row: {line.task} output_marker input_marker",
                )
        known = {line.task for line in graph.lines}
        for task in rules:
            if task not in known and task != "input":
                faults.warn(
                    f"has a row for {printable(task)}, which is no task",
                    remedy=did_you_mean(task, sorted(known)),
                )

    def _check_entry_nodes(
        self, graph: Configuration, entry_nodes: Mapping[str, tuple[str, ...]]
    ) -> None:
        faults = self._faults("input_node.txt")
        known = [line.task for line in graph.lines]
        for task in entry_nodes:
            if task not in known:
                faults.warn(
                    f"names {printable(task)}, which is no task",
                    remedy=did_you_mean(task, known),
                )

    def _check_code(self, app: Application, faults: Faults) -> None:
        if not any(name.startswith("scripts/") and name.endswith(".py") for name in self._names):
            faults.note("there are no scripts here, so the code was not checked")
            return
        _check_scripts(app, self._names, faults)

    # -- building ------------------------------------------------------------------------------

    def _tasks(self, graph: Configuration, config: ConfigJson | None) -> list[Task]:
        inside = {line.task for line in graph.lines if _is_dag(line, config)}
        return [
            Task(
                name=TaskId(line.task),
                run=_script(line.task, config),
                children=tuple(TaskId(child) for child in line.children if child in inside),
                is_sink=not line.children or any(word in line.children for word in HOME_WORDS),
                route="broadcast" if line.is_broadcast else "scatter",
                is_profiled=config is None or config.exec_profiler.get(line.task, True),
            )
            for line in graph.lines
            if line.task in inside
        ]

    def _services(self, graph: Configuration, config: ConfigJson | None) -> list[Service]:
        return [
            Service(
                TaskId(line.task),
                _script(line.task, config),
                tuple(TaskId(c) for c in line.children if c not in (*HOME_WORDS, line.task)),
            )
            for line in graph.lines
            if not _is_dag(line, config)
        ]


def _is_dag(line: ConfigLine, config: ConfigJson | None) -> bool:
    if line.is_leaf:
        return False
    return config is None or line.task not in config.tasks or config.tasks[line.task].is_dag


def _script(task: str, config: ConfigJson | None) -> ScriptRun:
    entry = (config.tasks.get(task) if config else None) or ScriptEntry(task, True)
    return ScriptRun(f"scripts/{entry.script}.py", tuple(str(arg) for arg in entry.args))


def _check_scripts(app: Application, names: frozenset[str], faults: Faults) -> None:
    """Note every script that is not there; a service may also be a shell script."""
    runnables: list[Task | Service] = [*app.tasks, *app.services]
    for each in runnables:
        path = ""
        if isinstance(each.run, ScriptRun):
            path = each.run.path
        elif isinstance(each.run, FunctionRun):
            path = each.run.module.replace(".", "/") + ".py"
            if path.removesuffix(".py") + "/__init__.py" in names or "/" not in path:
                path = path if path in names else ""  # an installed module is fine, too
        shell = path.removesuffix(".py") + ".sh"
        if path and path not in names and not (isinstance(each, Service) and shell in names):
            faults.add(
                f"the code of task {each.name} is not there",
                got=path,
                expected="a file in the application folder",
                remedy=did_you_mean(path, sorted(n for n in names if n.endswith(".py"))),
            )


def _check_samples(
    samples: tuple[str, ...], names: frozenset[str], root: str, faults: Faults
) -> None:
    for sample in samples:
        if sample not in names:
            faults.add(
                "a sample input is not there",
                got=sample,
                expected=f"a file in {root}",
                remedy=did_you_mean(sample, sorted(names)),
            )


def _samples(names: frozenset[str]) -> tuple[str, ...]:
    found = [name for name in names if re.fullmatch(r"sample_input/[^/.][^/]*", name)]
    return tuple(sorted(found, key=_natural))


def _natural(name: str) -> list[tuple[int, int | str]]:
    return [(0, int(word)) if word.isdecimal() else (1, word) for word in re.split(r"(\d+)", name)]


def _check_frames(samples: tuple[str, ...], rules: Mapping[str, NameRule], faults: Faults) -> None:
    """Refuse sample inputs that the seeds' name rules would take for one item."""
    marker = rules["input"].input_marker if "input" in rules else ""
    seen: dict[str, str] = {}
    for sample in samples:
        name = sample.rpartition("/")[2]
        first = re.split(r"[_.]", name, maxsplit=1)[0]
        frame = first.partition(marker)[0] if marker else first
        if marker and marker not in first:
            faults.warn(
                f"sample input {printable(name)} does not hold the marker {printable(marker)}",
                remedy="the seeds could not tell its item; here items have ids of their own",
            )
            continue
        earlier = seen.setdefault(fold(frame), name)
        if earlier != name:
            faults.add(
                "two sample inputs would be one item to the name rules",
                got=f"{earlier} and {name}, both item {printable(frame)}",
                expected="names that differ before the first _ or .",
                remedy="rename one of them",
            )


def _in(root: str, path: str) -> str:
    return f"{root.rstrip('/')}/{path}" if root not in ("", ".") else path


def _join(names: list[str]) -> str:
    return ", ".join(names)
