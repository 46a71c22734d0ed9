"""The seeds' application folder: configuration.txt, config.json and the small files around them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from jupiter.formats import app_config, config_json, configuration, input_node, name_convert
from jupiter.formats.config_json import ConfigJson, ScriptEntry, argument_text
from jupiter.formats.configuration import TaskLine
from jupiter.formats.graph_rules import Declared, check_graph
from jupiter.formats.text import Content, Faults, Word
from jupiter.kit.names import fold, printable
from jupiter.kit.order import natural_key
from jupiter.model.app import Application, CommandRun, NameRule, Run, ScriptRun, Service, Task
from jupiter.model.ids import TaskId

CONFIGURATION = "configuration.txt"
CONFIG_JSON = ("scripts/config.json", "config.json")
PORTS = "app_config.ini"
NAMES = "name_convert.txt"
ENTRY_NODES = "input_node.txt"
SAMPLES = "sample_input/"
SCRIPTS = "scripts/"

Files = Mapping[str, Content | None]
"""Contents by relative path with ``/``; None for a file that is there but was not read."""


def read(files: Files, root: str, name: str, faults: Faults) -> Application | None:
    """Return the application, or None after reporting why there is none.

    Args:
        files: All files of the folder; those named above with their contents.
        root: Of the application, as the user gave it.
        name: Of the application.
        faults: Taken in.
    """
    return _Folder(files, root, faults).application(name)


def place(root: str, path: str) -> str:
    """Return how a file of a folder is named to the user."""
    return path if root in ("", ".") else f"{root}/{path}"


class _Folder:
    """The files of one application, read together so that their faults come together."""

    def __init__(self, files: Files, root: str, faults: Faults) -> None:
        self._files = files
        self._root = root
        self._faults = faults
        self._has_code = any(
            path.endswith(".py") and not path.startswith(SAMPLES) for path in files
        )
        self._config_path = next((path for path in CONFIG_JSON if path in files), CONFIG_JSON[0])

    def _of(self, path: str) -> Faults:
        return self._faults.of_file(place(self._root, path))

    def application(self, name: str) -> Application | None:
        """Return the whole."""
        lines = configuration.read(self._content(CONFIGURATION), self._of(CONFIGURATION))
        if lines.mapping:
            self._of(CONFIGURATION).note(
                "the schedule after the tasks is not used; a new one is made from measurements"
            )
        config = self._read_config(lines.tasks)
        tasks, services = self._split(lines.tasks, config)
        self._check_graph(lines.tasks, tasks)
        rules = self._read_rules(tasks)
        entries = self._read_entries(tasks)
        ports = app_config.read(self._content(PORTS), self._of(PORTS)) if self._has(PORTS) else {}
        samples = self._samples()
        self._check_samples(samples, rules, tasks)
        if self._faults.has_errors:
            return None
        return Application(
            name=name,
            root=self._root,
            tasks=tuple(tasks),
            services=tuple(services),
            ports=ports,
            name_rules={str(task): rule for task, rule in rules.items()},
            entry_nodes={str(task): nodes for task, nodes in entries.items()},
            sample_input=samples,
            private=config.private,
        )

    def _has(self, path: str) -> bool:
        return self._files.get(path) is not None

    def _content(self, path: str) -> Content:
        return self._files.get(path) or ""

    def _read_config(self, lines: Sequence[TaskLine]) -> ConfigJson:
        """Return ``config.json``, or without one what the seeds' first system took for granted."""
        if not self._has(self._config_path):
            self._of(CONFIGURATION).note(
                "there is no config.json, so every task is the script of its own name"
            )
            return ConfigJson({line.name: ScriptEntry(line.name, True) for line in lines})
        faults = self._of(self._config_path)
        if all(map(self._has, CONFIG_JSON)):
            self._of(CONFIG_JSON[1]).warn(f"the file is ignored: {CONFIG_JSON[0]} is there too")
        config = config_json.read(self._content(self._config_path), faults)
        names = {line.name for line in lines}
        for task, entry in config.scripts.items():
            if entry.is_dag and task not in names:
                faults.warn(
                    f"{config_json.TASKS_KEY} names a task that is not in {CONFIGURATION}",
                    task,
                    got=printable(task),
                    remedy=faults.suggestion(task, names, "delete the entry"),
                )
        for task in config.profiled or {}:
            if task not in config.scripts:
                faults.warn(
                    f"{config_json.PROFILER_KEY} names an unknown task",
                    task,
                    got=printable(task),
                    remedy=faults.suggestion(task, config.scripts, "delete the entry"),
                )
        return config

    def _split(
        self, lines: Sequence[TaskLine], config: ConfigJson
    ) -> tuple[list[Task], list[Service]]:
        """Return the tasks of the graph and the helpers beside it."""
        if not self._has_code:
            self._of(CONFIGURATION).note(
                "the folder holds no Python files, so the code of the tasks was not checked"
            )
        helpers = {task for task, entry in config.scripts.items() if not entry.is_dag}
        faults = self._of(self._config_path)
        tasks, services, cut = [], [], 0
        for line in lines:
            entry = config.scripts.get(line.name)
            if entry is None:
                if config.scripts or not faults.has_errors:
                    faults.error(
                        f"{config_json.TASKS_KEY} has no entry for task {printable(line.name)}",
                        expected=f"one for every task of {CONFIGURATION}",
                        remedy=faults.suggestion(line.name, config.scripts, "add one"),
                    )
                entry = ScriptEntry(line.name, True)
            elif not entry.is_dag:
                peers = tuple(TaskId(str(child)) for child in line.others)
                services.append(
                    Service(TaskId(str(line.name)), self._service_run(line.name, entry), peers)
                )
                continue
            children = tuple(c for c in line.others if c not in helpers)
            cut += len(line.others) - len(children)
            tasks.append(self._task(line, children, entry, config))
        known = {line.name for line in lines}
        services += [
            Service(TaskId(str(task)), self._service_run(task, config.scripts[task]))
            for task in config.scripts
            if task in helpers and task not in known
        ]
        if cut:
            self._of(CONFIGURATION).note(f"{cut} edges lead to helper services and carry no items")
        return tasks, services

    def _task(
        self,
        line: TaskLine,
        children: Sequence[Word],
        entry: ScriptEntry,
        config: ConfigJson,
    ) -> Task:
        profiled = config.profiled
        return Task(
            name=TaskId(str(line.name)),
            run=ScriptRun(
                self._script_path(line.name, entry, (".py",)),
                tuple(map(argument_text, entry.args)),
            ),
            children=tuple(TaskId(str(child)) for child in children),
            is_sink=line.is_sink or not children,
            route="broadcast" if line.is_broadcast else "scatter",
            is_profiled=True if profiled is None else profiled.get(line.name, True),
        )

    def _service_run(self, task: Word, entry: ScriptEntry) -> Run:
        """Return how a helper is started: by its Python file, else by its shell script."""
        path = self._script_path(task, entry, (".py", ".sh"))
        args = tuple(map(argument_text, entry.args))
        if path.endswith(".sh"):
            return CommandRun(("sh", f"{{app}}/{path}", *args))
        return ScriptRun(path, args)

    def _script_path(self, task: Word, entry: ScriptEntry, endings: Sequence[str]) -> str:
        """Return the file of a task; report where there is code, but not this file."""
        folders = (SCRIPTS, "") if self._config_path.startswith(SCRIPTS) else ("", SCRIPTS)
        candidates = [f"{folder}{entry.script}{ending}" for folder in folders for ending in endings]
        found = next((path for path in candidates if path in self._files), None)
        if found is None and self._has_code:
            faults = self._of(self._config_path)
            known = [path for path in self._files if path.endswith(tuple(endings))]
            faults.error(
                f"the script of task {printable(task)} is missing",
                entry.script,
                expected=f"the file {candidates[0]}",
                remedy=faults.suggestion(candidates[0], known, "add the file"),
            )
        return found or candidates[0]

    def _check_graph(self, lines: Sequence[TaskLine], tasks: Sequence[Task]) -> None:
        by_name = {line.name: line for line in lines}
        declared = []
        for task in tasks:
            line = by_name[Word(task.name)]
            children = tuple(c for c in line.others if TaskId(c) in task.children)
            inputs = line.inputs or None
            declared.append(Declared(line.name, children, inputs, line.inputs_at, line.is_sink))
        if lines:
            check_graph(declared, self._of(CONFIGURATION))

    def _read_rules(self, tasks: Sequence[Task]) -> dict[Word, NameRule]:
        if not self._has(NAMES):
            return {}
        faults = self._of(NAMES)
        rules = name_convert.read(self._content(NAMES), faults)
        names = {str(task.name): task for task in tasks}
        for row in (*names, name_convert.INPUT_ROW):
            if row not in rules:
                faults.error(
                    f"there is no row for {printable(row)}",
                    expected=f"one for every task, and one named {name_convert.INPUT_ROW}",
                    remedy=faults.suggestion(
                        row, (rule for rule in rules if rule not in names), "add the row"
                    ),
                )
        for row in rules:
            if row not in names and row != name_convert.INPUT_ROW:
                self._warn_unknown(row, names, faults)
        return rules

    def _read_entries(self, tasks: Sequence[Task]) -> dict[Word, tuple[str, ...]]:
        if not self._has(ENTRY_NODES):
            return {}
        faults = self._of(ENTRY_NODES)
        entries = input_node.read(self._content(ENTRY_NODES), faults)
        names = {str(task.name): task for task in tasks}
        for task in entries:
            if task not in names:
                self._warn_unknown(task, names, faults)
        return entries

    def _warn_unknown(self, row: Word, names: Collection[str], faults: Faults) -> None:
        faults.warn(
            f"the row names a task that is not in {CONFIGURATION}",
            row,
            got=printable(row),
            remedy=faults.suggestion(row, names, "delete the row"),
        )

    def _samples(self) -> tuple[str, ...]:
        return tuple(
            sorted(
                (
                    path
                    for path in self._files
                    if path.startswith(SAMPLES) and not path.rpartition("/")[2].startswith(".")
                ),
                key=natural_key,
            )
        )

    def _check_samples(
        self, samples: Sequence[str], rules: Mapping[Word, NameRule], tasks: Sequence[Task]
    ) -> None:
        """Report sample files that the seeds' rules for names cannot tell apart."""
        targets = {child for task in tasks for child in task.children}
        entries = [str(task.name) for task in tasks if task.name not in targets]
        first: dict[str, str] = {}
        by_task = {str(task): rule for task, rule in rules.items()}
        for path in samples:
            file_name = path.rpartition("/")[2]
            frames = [name_convert.frame_id(file_name, by_task, entry) for entry in entries]
            frame = next((each for each in frames if each is not None), None)
            if frame is None:
                if entries and rules:
                    self._report_marker(file_name, entries[0], rules)
                continue
            other = first.setdefault(fold(frame), path)
            if other != path:
                self._of(path).error(
                    f"the file belongs to the same frame as {other}",
                    got=printable(file_name),
                    expected="names that differ before the first _ (or . where there is no _)",
                    remedy="number the files at the start of their names: 1a.txt, 2a.txt",
                )

    def _report_marker(self, file_name: str, entry: str, rules: Mapping[Word, NameRule]) -> None:
        row = next(each for each in rules if each == entry)
        self._of(NAMES).error(
            f"the input marker of task {printable(entry)} is not in the name of a sample input",
            row,
            got=f"marker {printable(rules[row].input_marker)}, file {printable(file_name)}",
            expected="a word that stands before the first _ (or .) of every input's name",
            remedy="correct the marker, or rename the file",
        )
