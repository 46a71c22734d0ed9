"""The code of an application as it is sent to the nodes."""

from __future__ import annotations

import asyncio
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from jupiter.errors import Fault, InputError
from jupiter.home.controller import Controller
from jupiter.model import messages as msg
from jupiter.model.app import Application, CommandRun, FunctionRun, ScriptRun
from jupiter.model.ids import NodeId, TaskId

BUNDLE_BYTES_MAX = 512 << 20
"""More than this is data, not code, and belongs into the stream."""
LEFT_OUT = frozenset({"__pycache__", "sample_input", ".git", ".venv", "node_modules"})


@dataclass(frozen=True, slots=True)
class Bundle:
    """The files of an application folder.

    Attributes:
        name: Digest of all paths and contents.
        files: By relative path: content, and whether it may be executed.
    """

    name: str
    files: tuple[tuple[str, bytes, bool], ...]


def read_bundle(root: Path) -> Bundle:
    """Read the regular files of a folder; links, hidden files, caches and samples stay behind.

    Raises:
        InputError: The folder holds more than `BUNDLE_BYTES_MAX`.
    """
    digest = hashlib.sha256()
    files = []
    total = 0
    for folder, names, leaves in os.walk(root):
        names[:] = sorted(n for n in names if n not in LEFT_OUT and not n.startswith("."))
        for leaf in sorted(leaves):
            path = Path(folder, leaf)
            if leaf.startswith(".") or path.is_symlink() or not path.is_file():
                continue
            total += path.stat().st_size
            if total > BUNDLE_BYTES_MAX:
                raise InputError(
                    Fault(
                        "the application folder is too large to be sent to every node",
                        file=str(root),
                        expected=f"at most {BUNDLE_BYTES_MAX >> 20} MiB",
                        remedy="give large data in through --input, or leave it on the nodes",
                    )
                )
            relative = path.relative_to(root).as_posix()
            content = path.read_bytes()
            is_executable = os.access(path, os.X_OK)
            digest.update(f"{relative}\0{len(content)}\0{is_executable}\0".encode() + content)
            files.append((relative, content, is_executable))
    return Bundle(digest.hexdigest()[:24], tuple(files))


async def deploy(controller: Controller, bundle: Bundle, nodes: tuple[NodeId, ...]) -> None:
    """Bring the files to nodes, to all at once.

    Raises:
        RunError: A node could not take them.
    """

    async def to(node: NodeId) -> None:
        for path, content, is_executable in bundle.files:
            await controller.order(
                node,
                lambda n, p=path, x=is_executable: msg.PutFile(n, bundle.name, p, x),  # type: ignore[misc]
                msg.Done,
                [content],
            )

    await asyncio.gather(*map(to, nodes))


def code_of(app: Application, task: TaskId) -> msg.TaskCode:
    """Return how a worker runs a task.

    Raises:
        InputError: The task needs a container, which agents do not start, or its requirements
            cannot be read.
    """
    spec = app.by_name[task]
    match spec.run:
        case ScriptRun(path, args):
            code = msg.TaskCode(task, "script", (path, *args))
        case FunctionRun(module, function):
            code = msg.TaskCode(task, "function", (module, function))
        case CommandRun(argv):
            code = msg.TaskCode(task, "command", argv)
        case _:
            raise InputError(
                Fault(
                    f"task {task} runs a container image, which this engine cannot start",
                    file=app.root,
                    got=spec.run.image,
                    expected="a script, a function or a command",
                    remedy="give the task a command, or use an engine that runs containers",
                )
            )
    needs = app.needs | spec.needs
    return msgspec.structs.replace(
        code,
        cores=spec.cores,
        memory_bytes=spec.memory_bytes or 0,
        output_bytes=spec.output_bytes or 0,
        requirements=tuple(
            dict.fromkeys(each for word in needs.requirements for each in _packages(app, word))
        ),
        environment=needs.environment,
        reads=needs.reads,
        writes=needs.writes,
    )


def _packages(app: Application, word: str) -> list[str]:
    """Return a requirement, or those of the file that it names.

    Raises:
        InputError: The file cannot be read, or has options, which would act on all tasks.
    """
    option, _, path = word.partition(" ")
    if option != "-r":
        return [word]
    file = Path(app.root, path)
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            Fault(
                f"the requirements cannot be read: {error}",
                file=str(file),
                expected="a text file of the application folder, one package a line",
                remedy="add the file",
            )
        ) from None
    packages = []
    for k, line in enumerate(lines, 1):
        text = line.partition(" #")[0].strip()
        if text.startswith("-") or text.endswith("\\"):
            raise InputError(
                Fault(
                    "the requirements have an option or a line that goes on",
                    file=str(file),
                    line=k,
                    got=text,
                    expected="a package with its versions on every line, or a comment",
                    remedy="set options of pip in the environment of the agents: PIP_INDEX_URL",
                )
            )
        if text and not text.startswith("#"):
            packages.append(text)
    return packages
