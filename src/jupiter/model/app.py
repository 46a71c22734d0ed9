"""What the user submits: the tasks of an application and how each of them is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from jupiter.model.graph import TaskGraph
from jupiter.model.ids import TaskId

Route = Literal["broadcast", "scatter"]
"""``broadcast`` (FLAG true) gives every output to every child. ``scatter`` (FLAG false) gives the
k-th output to the k-th child, and collects outputs over consecutive items where one item gives
fewer outputs than there are children."""


@dataclass(frozen=True, slots=True)
class ScriptRun:
    """A file with ``task(files, pathin, pathout)``, the seeds' contract.

    Attributes:
        path: Relative to the application folder, with ``/`` and the ending ``.py``.
        args: Further words of ``taskname_map``; the code finds them in ``sys.argv[1:]``.
    """

    path: str
    args: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FunctionRun:
    """A Python function ``function(inputs: list[Path], output_dir: Path)``.

    It returns the outputs in order (a path or a list of paths), or None: then all files in
    ``output_dir`` count, in the order of their names.

    Attributes:
        module: Dotted name, searched in the application folder first.
        function: Name of the function in that module.
    """

    module: str
    function: str


@dataclass(frozen=True, slots=True)
class CommandRun:
    """A program and its arguments; no shell reads them.

    Attributes:
        argv: ``{inputs}`` alone stands for all input paths, ``{output_dir}`` for the folder in
            which every file that is left counts as an output, ``{app}`` for the application
            folder, ``{item}`` for the item's id.
    """

    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContainerRun:
    """A command in a container image.

    Attributes:
        image: Name of the image, best with a digest.
        argv: As in `CommandRun`; empty for the image's own command.
    """

    image: str
    argv: tuple[str, ...] = ()


Run = ScriptRun | FunctionRun | CommandRun | ContainerRun


@dataclass(frozen=True, slots=True)
class Needs:
    """What tasks use of a node beside their inputs, outputs and the application folder.

    Attributes:
        requirements: Packages, as pip reads them; ``-r PATH`` is a file of the application folder.
        environment: Names of variables of the agent.
        reads: Absolute paths of files and folders that are only read.
        writes: Absolute paths that are changed, too.
    """

    requirements: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()

    def __or__(self, other: Needs) -> Needs:
        """Return both together."""
        return Needs(
            tuple(dict.fromkeys(self.requirements + other.requirements)),
            tuple(dict.fromkeys(self.environment + other.environment)),
            tuple(dict.fromkeys(self.reads + other.reads)),
            tuple(dict.fromkeys(self.writes + other.writes)),
        )


@dataclass(frozen=True, slots=True)
class Task:
    """One step of an application.

    Attributes:
        name: Unique, also when case is ignored.
        run: What is executed.
        children: Tasks of the same application, in the order in which `route` serves them.
        is_sink: Its outputs are results and go home.
        route: How outputs reach the children.
        is_profiled: It can be executed alone on a sample (not so the seeds' super tasks).
        cores: Cores that one execution occupies.
        memory_bytes: What one execution may use; None is no limit.
        output_bytes: What one attempt may write; None leaves it to the agent.
        retries: Further attempts after the first one failed.
        timeout_s: Limit of one attempt on the slowest node; None is no limit.
        needs: What it uses beside its inputs and outputs, besides what all tasks use.
    """

    name: TaskId
    run: Run
    children: tuple[TaskId, ...] = ()
    is_sink: bool = False
    route: Route = "broadcast"
    is_profiled: bool = True
    cores: int = 1
    memory_bytes: int | None = None
    retries: int = 2
    timeout_s: float | None = None
    output_bytes: int | None = None
    needs: Needs = Needs()


@dataclass(frozen=True, slots=True)
class Service:
    """A helper process outside the graph (the seeds' non-DAG task): it runs beside the stream.

    Attributes:
        name: Unique among tasks and services.
        run: What is executed, once.
        peers: Tasks or services that it was written with as children; told to it, not routed.
    """

    name: TaskId
    run: Run
    peers: tuple[TaskId, ...] = ()


@dataclass(frozen=True, slots=True)
class NameRule:
    """One row of ``name_convert.txt``: the words that frame names are cut at."""

    output_marker: str
    input_marker: str


@dataclass(frozen=True)
class Application:
    """A task graph with its code.

    Attributes:
        name: For people, and for the names of result folders.
        root: Folder that `ScriptRun` paths and modules are relative to; as the user gave it.
        tasks: In written order; their children form a directed acyclic graph.
        services: Helpers outside the graph.
        ports: Service port to container port, by name (``app_config.ini``).
        name_rules: ``name_convert.txt``; empty where the application has none.
        entry_nodes: Nodes that WAVE starts from, by entry task (``input_node.txt``).
        sample_input: Files that one item of profiling consists of, relative to `root`.
        private: Everything else of ``config.json``; the application reads it, we only carry it.
        needs: Of all tasks.
    """

    name: str
    root: str
    tasks: tuple[Task, ...]
    services: tuple[Service, ...] = ()
    ports: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    name_rules: Mapping[str, NameRule] = field(default_factory=dict)
    entry_nodes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sample_input: tuple[str, ...] = ()
    private: Mapping[str, object] = field(default_factory=dict)
    needs: Needs = Needs()

    def __post_init__(self) -> None:
        names = [task.name for task in self.tasks] + [service.name for service in self.services]
        if len(set(names)) != len(names):
            raise ValueError("two tasks or services have the same name")
        _ = self.graph

    @cached_property
    def graph(self) -> TaskGraph:
        """The tasks and their edges; services left out."""
        known = {task.name for task in self.tasks}
        return TaskGraph(
            {
                task.name: tuple(child for child in task.children if child in known)
                for task in self.tasks
            }
        )

    @cached_property
    def by_name(self) -> Mapping[TaskId, Task]:
        """The tasks by name."""
        return {task.name: task for task in self.tasks}

    @cached_property
    def sinks(self) -> tuple[TaskId, ...]:
        """The tasks whose outputs are results, in written order."""
        return tuple(task.name for task in self.tasks if task.is_sink)
