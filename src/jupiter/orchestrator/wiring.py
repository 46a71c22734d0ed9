"""The only module that names concrete engines and stores."""

from __future__ import annotations

from pathlib import Path

from jupiter.aio.log import Level
from jupiter.errors import Fault, InputError
from jupiter.interfaces.engine import Engine
from jupiter.interfaces.store import Store
from jupiter.kit.names import nearest

ENGINES = ("local",)


def make_engine(
    name: str, root: Path | None = None, orphan_s: float = 0.0, log_level: Level = "info"
) -> Engine:
    """Return a new engine.

    Args:
        name: Of it.
        root: Where it keeps what agents write down; nowhere for long where none is given.
        orphan_s: How long agents go on without home.
        log_level: Least level of what agents say.

    Raises:
        InputError: None has this name.
    """
    if name == "local":
        from jupiter.engines.local import LocalEngine

        return LocalEngine(root, orphan_s, log_level)
    near = nearest(name, ENGINES)
    raise InputError(
        Fault(
            "unknown engine",
            got=name,
            expected=", ".join(ENGINES),
            remedy=f"did you mean {near}?" if near else "one of these names",
        )
    )


def open_store(path: Path) -> Store:
    """Return the store of measurements in a file, made where it does not exist.

    Raises:
        InputError: The file is something else.
    """
    from jupiter.stores.sqlite import SqliteStore

    return SqliteStore(path)
