"""Another try for items that failed: the same application, network and mapping, a folder beside."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jupiter.errors import Fault, InputError
from jupiter.formats import trace_jsonl
from jupiter.interfaces.engine import Engine
from jupiter.model.app import Application
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.network import Network
from jupiter.model.run import RunRecord
from jupiter.model.schedule import Assignment, Schedule
from jupiter.orchestrator import output as folders
from jupiter.orchestrator.dead_letters import (
    INPUT,
    DeadLetter,
    Origin,
    folder_of,
    mark_retried,
    read_origin,
)
from jupiter.orchestrator.loading import load_app, load_network
from jupiter.orchestrator.planning import task_mapping
from jupiter.orchestrator.session import Session, Watch
from jupiter.orchestrator.state import StateFolder
from jupiter.settings import RunSettings

MAPPING = "mapping.json"
PREFIX = "retry-"


@dataclass(frozen=True)
class Retry:
    """What is to be tried again.

    Attributes:
        output: Output folder of the run that failed.
        letters: Its items.
        inputs: The files of each.
        schedule: As it was in that run.
    """

    output: Path
    letters: tuple[DeadLetter, ...]
    origin: Origin
    app: Application
    network: Network
    settings: RunSettings
    schedule: Schedule
    inputs: tuple[tuple[Path, ...], ...]
    notes: tuple[Fault, ...]


def plan(output: Path, letters: Sequence[DeadLetter]) -> Retry:
    """Find everything that another try needs.

    Raises:
        InputError: Something of it is not there any more.
    """
    origin = read_origin(output)
    app, app_notes = load_app(origin.app)
    network, network_notes = load_network(origin.cluster)
    mapping = _mapping_of(output)
    faults = []
    inputs = []
    for letter in letters:
        kept = [folder_of(output, letter) / INPUT / name for name in letter.files]
        given = [Path(source) for source in letter.sources]
        files = kept if len(kept) == len(given) else given
        missing = [path for path in files if not path.is_file()]
        faults += [
            Fault(
                f"the input of item {letter.item} is not there any more",
                file=str(path),
                remedy="put it back, or retry the others by name",
            )
            for path in missing
        ]
        inputs.append(tuple(files))
    names = {node.name for node in network.workers}
    for task in app.graph.tasks:
        if mapping.get(task) not in names:
            faults.append(
                Fault(
                    f"task {task} has no node of this network in the mapping of the run",
                    file=str(output / MAPPING),
                    got=str(mapping.get(task, "")),
                    expected=", ".join(sorted(names)),
                    remedy="stream the inputs with: jupiter run",
                )
            )
    if faults:
        raise InputError(faults)
    placed = [Assignment(task, mapping[task], 0.0, 0.0) for task in app.graph.tasks]
    return Retry(
        output=output,
        letters=tuple(letters),
        origin=origin,
        app=app,
        network=network,
        settings=RunSettings.model_validate_json(origin.settings),
        schedule=Schedule("retry", tuple(placed)),
        inputs=tuple(inputs),
        notes=(*app_notes, *network_notes),
    )


def _mapping_of(output: Path) -> Mapping[TaskId, NodeId]:
    """Return where the tasks of the run were, or are."""
    state = StateFolder(output)
    if state.exists:
        return task_mapping(state.load().schedule)
    path = output / MAPPING
    try:
        found: dict[TaskId, NodeId] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            Fault(
                f"cannot be read: {error}",
                file=str(path),
                expected="the mapping that jupiter run wrote",
                remedy="stream the inputs with: jupiter run",
            )
        ) from error
    return found


async def run(retry: Retry, engine: Engine, on_item: Callable[[], None]) -> tuple[Path, RunRecord]:
    """Stream the inputs again; mark the items that do well.

    Args:
        retry: What is to be tried again.
        engine: Puts agents on the nodes; nothing of it is left afterwards.
        on_item: Called for every item that ends.

    Returns:
        The output folder, and what happened.

    Raises:
        RunError: It did not reach its end.
    """
    folder = _new_folder(retry.output)
    results = folders.prepare(folder, overwrite=False)
    async with Session(retry.app, retry.network, engine, retry.settings) as session:
        record = await session.stream(
            retry.schedule, retry.inputs, results, watch=Watch(item=on_item)
        )
    (folder / folders.TRACE).write_text(trace_jsonl.dumps(record), encoding="utf-8")
    status = {item.item: item.status for item in record.items}
    for number, letter in enumerate(retry.letters):
        if status.get(record.items[number].item) in ("done", "filtered"):
            mark_retried(retry.output, letter, folder.name)
    return folder, record


def _new_folder(output: Path) -> Path:
    number = 1
    while (output / f"{PREFIX}{number}").exists():
        number += 1
    return output / f"{PREFIX}{number}"
