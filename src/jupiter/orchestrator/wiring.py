"""The only module that names concrete engines and stores."""

from __future__ import annotations

from pathlib import Path

from jupiter.errors import Fault, InputError
from jupiter.interfaces.engine import Engine
from jupiter.interfaces.store import Store
from jupiter.kit.names import nearest
from jupiter.settings import RunSettings

ENGINES = ("local",)


def make_engine(name: str, settings: RunSettings, root: Path | None = None) -> Engine:
    """Return a new engine.

    Args:
        name: Of it.
        settings: What they say of agents.
        root: Where it keeps what agents write down; nowhere for long where none is given.

    Raises:
        InputError: None has this name.
    """
    if name == "local":
        from jupiter.engines.local import LocalEngine

        return LocalEngine(root, settings)
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
