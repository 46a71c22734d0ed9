"""Text and bytes to model and back; one file a format; never opens a file."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    """Import a format when it is asked for, so that ``jupiter.formats.saga_json`` just works."""
    try:
        return import_module(f"jupiter.formats.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"jupiter.formats.{name}":
            raise
        raise AttributeError(f"there is no format {name!r}") from None
