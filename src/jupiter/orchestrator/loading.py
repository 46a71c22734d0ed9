"""Reads applications, networks and settings from disk; `formats` decides what files mean."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from jupiter.errors import Fault, InputError
from jupiter.formats import cluster, link_list, nodes, task_config
from jupiter.formats.app_toml import FILE_NAME
from jupiter.formats.application import FILES_READ, load_application
from jupiter.formats.node_rules import HIDDEN
from jupiter.formats.seed_folder import CONFIGURATION, Files
from jupiter.formats.task_config import TaskConfig
from jupiter.formats.text import FILE_BYTES_MAX, Faults, Word
from jupiter.home.bundle import LEFT_OUT
from jupiter.kit.names import name_fault, nearest, printable
from jupiter.model.app import Application
from jupiter.model.ids import NodeId
from jupiter.model.network import Link, Network
from jupiter.transports.base import NATIVE, TRANSPORTS

FILES_MAX = 100_000
"""An application folder is code and a few samples; more files are data, or the wrong folder."""
LINK_FILE = "link_list.txt"
SAMPLES = "sample_input"
DEFAULT_NAME = "app"
SECRETS_VARIABLE = "JUPITER_SECRETS"
SECRETS_FOLDER = "~/.config/jupiter/secrets"
"""Where ``secret:NAME`` is the file NAME, unless `SECRETS_VARIABLE` names another folder."""
_UNFIT = re.compile(r"[^A-Za-z0-9_.+-]+")


def load_app(path: str | Path) -> tuple[Application, list[Fault]]:
    """Return the application of a folder, and what its author should know.

    Args:
        path: The folder, or its ``app.toml`` or ``configuration.txt``.

    Raises:
        InputError: There is no such folder, or its files have faults; all of them.
    """
    root = Path(path)
    if root.name in (FILE_NAME, CONFIGURATION) and root.is_file():
        root = root.parent
    if not root.is_dir():
        raise InputError(missing(root, "folder"))
    faults = Faults(str(root))
    files = _read_folder(root, faults)
    faults.raise_errors()
    parsed = load_application(files, str(root), _name_of(root))
    return parsed.value, [*faults.notes, *parsed.notes]


def load_network(path: str | Path) -> tuple[Network, list[Fault]]:
    """Return the network of a ``cluster.toml`` or a ``nodes.txt``, and what is odd about it.

    A ``nodes.txt`` gives nodes without links, unless a ``link_list.txt`` beside it names some.

    Args:
        path: The file; the ending ``.toml`` tells which of the two it is.

    Raises:
        InputError: There is no such file, it has faults, it holds passwords and others may read
            it, or a secret that it refers to cannot be had.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(missing(file, "file"))
    faults = Faults(str(file))
    content = _read_file(file)
    network = (
        _read_cluster(content, file, faults)
        if file.suffix == ".toml"
        else _read_nodes(content, file, faults)
    )
    faults.raise_errors()
    return network, list(faults.notes)


def load_task_config(path: str | Path) -> tuple[TaskConfig, list[Fault]]:
    """Return the parameters of a ``task_config.yml``, and what is odd about it.

    Raises:
        InputError: There is no such file, or it has faults.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(missing(file, "file"))
    parsed = task_config.parse(_read_file(file), str(file))
    return parsed.value, list(parsed.notes)


def _read_cluster(content: bytes, file: Path, faults: Faults) -> Network:
    network = cluster.read(content, faults)
    for node in network.nodes:
        _check_secret(Word(node.secret), node.name, file, faults)
    name, known = network.transport.name, (NATIVE, *TRANSPORTS.names())
    if not name.startswith("/") and name not in known:
        faults.error(
            "unknown transport",
            got=name,
            expected=f"{', '.join(known)}, or the path of a Python file",
            remedy=faults.suggestion(name, known, "install the package that offers it"),
        )
    return network


def _read_nodes(content: bytes, file: Path, faults: Faults) -> Network:
    found = nodes.read(content, faults)
    nodes.check(found, faults)
    if any(node.secret == HIDDEN for node in found.nodes) and _is_open(file):
        faults.error(
            "others may read this file, and it holds passwords",
            got=_mode(file),
            expected="mode 600",
            remedy=f"chmod 600 {file}, and change the passwords",
        )
    for node in found.nodes:
        _check_secret(node.secret, node.name, file, faults)
    link_file = file.with_name(LINK_FILE)
    pairs: tuple[link_list.Pair, ...] = ()
    if link_file != file and link_file.is_file():
        of_links = faults.of_file(str(link_file))
        pairs = link_list.read(_read_file(link_file), of_links)
        link_list.check(pairs, {node.name for node in found.nodes}, of_links)
    elif not faults.has_errors:
        faults.note(f"the nodes have no links: no {LINK_FILE} is beside the file")
    if faults.has_errors:
        return Network(file.stem, ())
    network = nodes.to_network(found, file.stem)
    links = tuple(Link(NodeId(str(source)), NodeId(str(target))) for source, target in pairs)
    return Network(network.name, network.nodes, links)


def missing(path: Path, what: str) -> Fault:
    """Return the fault of a path that is not there, with the sibling that may be meant."""
    try:
        siblings = [each.name for each in path.parent.iterdir()][:FILES_MAX]
    except OSError:
        siblings = []
    match = nearest(path.name, [name for name in siblings if name != path.name])
    problem = "is of another kind" if path.exists() else "does not exist"
    return Fault(
        f"the {what} {problem}",
        file=str(path),
        expected=f"a {what}",
        remedy=f"{path.with_name(match)} (did you mean that?)" if match else "check the path",
    )


def _name_of(root: Path) -> str:
    """Return a name for the application of a folder."""
    name = _UNFIT.sub("-", root.resolve().name).lstrip("_.+-")
    return DEFAULT_NAME if name_fault(name) else name


def _read_folder(root: Path, faults: Faults) -> Files:
    """Return the regular files that nodes will get, samples included; links are left out."""
    files: dict[str, bytes | None] = {}
    for folder, names, leaves in os.walk(root):
        for name in (*names, *leaves):
            if Path(folder, name).is_symlink():
                relative = Path(folder, name).relative_to(root).as_posix()
                faults.of_file(str(Path(folder, name))).warn(
                    f"{relative} is a link and is left out: links are not followed",
                    remedy="put the file itself there",
                )
        names[:] = sorted(
            name
            for name in names
            if not name.startswith(".") and (name not in LEFT_OUT or name == SAMPLES)
        )
        for leaf in sorted(leaves):
            path = Path(folder, leaf)
            if leaf.startswith(".") or path.is_symlink() or not path.is_file():
                continue
            relative = path.relative_to(root).as_posix()
            files[relative] = _read_file(path) if relative in FILES_READ else None
            if len(files) > FILES_MAX:
                faults.error(
                    "the folder holds too many files",
                    expected=f"at most {FILES_MAX}",
                    remedy="check that it is the application's folder",
                )
                return {}
    return files


def _read_file(path: Path) -> bytes:
    """Return the content, one byte more than the limit at most, so that the reader can object."""
    try:
        with path.open("rb") as stream:
            return stream.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise InputError(
            Fault(
                f"the file cannot be read: {error.strerror}",
                file=str(path),
                remedy="check who may read it",
            )
        ) from None


def _check_secret(secret: Word, node: str, file: Path, faults: Faults) -> None:
    """Report a reference that leads to no secret, or to one that others can read."""
    kind, _, where = secret.partition(":")
    if kind == "env" and where not in os.environ:
        faults.error(
            f"the variable with the secret of node {printable(node)} is not set",
            secret,
            expected=f"{where} in the environment",
            remedy=f"export {where}",
        )
    if kind not in ("file", "key", "secret") or not where:
        return
    if kind == "secret" and name_fault(where):
        faults.error(
            f"the name of the secret of node {printable(node)} {name_fault(where)}",
            secret,
            expected="secret:NAME",
            remedy="rename the secret",
        )
        return
    folder = os.environ.get(SECRETS_VARIABLE, SECRETS_FOLDER) if kind == "secret" else file.parent
    path = Path(folder, Path(where).expanduser()).expanduser()
    if not path.is_file():
        faults.error(
            f"the secret of node {printable(node)} does not exist",
            secret,
            expected=f"the file {path}",
            remedy=f"create it with mode 600, or correct {secret}",
        )
    elif _is_open(path):
        faults.error(
            f"others may read the secret of node {printable(node)}",
            secret,
            got=f"{path} with {_mode(path)}",
            expected="mode 600",
            remedy=f"chmod 600 {path}",
        )


def _is_open(path: Path) -> bool:
    return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def _mode(path: Path) -> str:
    return f"mode {stat.S_IMODE(path.stat().st_mode):o}"
