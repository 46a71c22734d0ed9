"""Measurements in one SQLite file; the embedded default."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupiter.errors import Fault, InputError
from jupiter.interfaces.store import Samples
from jupiter.model.graph import Edge
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.profile import ExecutionSample, ResourceSample, TransferSample

VERSION = 1
_SCHEMA = """
CREATE TABLE session (
    id INTEGER PRIMARY KEY, app TEXT NOT NULL, bundle TEXT NOT NULL, network TEXT NOT NULL,
    measured_at REAL NOT NULL
) STRICT;
CREATE TABLE execution (
    session INTEGER NOT NULL REFERENCES session, task TEXT NOT NULL, node TEXT NOT NULL,
    seconds REAL NOT NULL, input_bytes INTEGER NOT NULL, output_bytes INTEGER NOT NULL
) STRICT;
CREATE TABLE edge (
    session INTEGER NOT NULL REFERENCES session, source TEXT NOT NULL, target TEXT NOT NULL,
    size_bytes INTEGER NOT NULL
) STRICT;
CREATE TABLE transfer (
    session INTEGER NOT NULL REFERENCES session, source TEXT NOT NULL, target TEXT NOT NULL,
    size_bytes INTEGER NOT NULL, seconds REAL NOT NULL
) STRICT;
CREATE TABLE resource (
    session INTEGER NOT NULL REFERENCES session, node TEXT NOT NULL, time_s REAL NOT NULL,
    cpu_fraction REAL NOT NULL, memory_fraction REAL NOT NULL, memory_bytes INTEGER NOT NULL,
    cores INTEGER NOT NULL
) STRICT;
CREATE INDEX session_of ON session (app, bundle, network);
"""


class SqliteStore:
    """A file of measurements; every session of profiling is kept.

    Args:
        path: Made with its tables where it does not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with self._open() as db:
                version = db.execute("PRAGMA user_version").fetchone()[0]
                if version == 0:
                    db.executescript(f"{_SCHEMA} PRAGMA user_version = {VERSION};")
        except sqlite3.DatabaseError as error:
            raise InputError(
                Fault(
                    f"cannot be used as a store of measurements: {error}",
                    file=str(path),
                    remedy="name another file, or remove this one to measure anew",
                )
            ) from error
        if version not in (0, VERSION):
            raise InputError(
                Fault(
                    "was written by another version",
                    file=str(path),
                    got=f"format {version}",
                    expected=f"format {VERSION}",
                    remedy="name another file, or use the version that wrote it",
                )
            )

    def add(self, app: str, bundle: str, network: str, samples: Samples) -> None:
        """Keep the measurements of one session, all or none."""
        with self._open() as db:
            session = db.execute(
                "INSERT INTO session (app, bundle, network, measured_at) VALUES (?, ?, ?, ?)",
                (app, bundle, network, samples.measured_at),
            ).lastrowid
            db.executemany(
                "INSERT INTO execution VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (session, s.task, s.node, s.seconds, s.input_bytes, s.output_bytes)
                    for s in samples.executions
                ],
            )
            db.executemany(
                "INSERT INTO edge VALUES (?, ?, ?, ?)",
                [(session, e.source, e.target, size) for e, size in samples.edge_bytes],
            )
            db.executemany(
                "INSERT INTO transfer VALUES (?, ?, ?, ?, ?)",
                [(session, s.source, s.target, s.size_bytes, s.seconds) for s in samples.transfers],
            )
            db.executemany(
                "INSERT INTO resource VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        session,
                        s.node,
                        s.time_s,
                        s.cpu_fraction,
                        s.memory_fraction,
                        s.memory_bytes,
                        s.cores,
                    )
                    for s in samples.resources
                ],
            )

    def newest(self, app: str, bundle: str, network: str | None = None) -> Samples | None:
        """Return the latest measurements of an application's code on a network, or on any."""
        with self._open() as db:
            found = db.execute(
                "SELECT id, measured_at FROM session WHERE app = ? AND bundle = ?"
                " AND (? IS NULL OR network = ?) ORDER BY id DESC LIMIT 1",
                (app, bundle, network, network),
            ).fetchone()
            if found is None:
                return None
            session, measured_at = found
            return Samples(
                measured_at=measured_at,
                executions=tuple(
                    ExecutionSample(TaskId(task), NodeId(node), *rest)
                    for task, node, *rest in _rows(
                        db, "task, node, seconds, input_bytes, output_bytes", "execution", session
                    )
                ),
                edge_bytes=tuple(
                    (Edge(TaskId(source), TaskId(target)), size)
                    for source, target, size in _rows(
                        db, "source, target, size_bytes", "edge", session
                    )
                ),
                transfers=tuple(
                    TransferSample(NodeId(source), NodeId(target), *rest)
                    for source, target, *rest in _rows(
                        db, "source, target, size_bytes, seconds", "transfer", session
                    )
                ),
                resources=tuple(
                    ResourceSample(NodeId(node), *rest)
                    for node, *rest in _rows(
                        db,
                        "node, time_s, cpu_fraction, memory_fraction, memory_bytes, cores",
                        "resource",
                        session,
                    )
                ),
            )

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self._path)
        try:
            with db:
                yield db
        finally:
            db.close()


def _rows(
    db: sqlite3.Connection, columns: str, table: str, session: int
) -> Iterator[tuple[Any, ...]]:
    # Both names are literals of this module.
    query = f"SELECT {columns} FROM {table} WHERE session = ? ORDER BY rowid"  # noqa: S608
    return iter(db.execute(query, (session,)).fetchall())
