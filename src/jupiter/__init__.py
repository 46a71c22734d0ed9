"""Jupiter places streaming task graphs where measured nodes and links make them fastest."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from jupiter.kit import version as _version

if TYPE_CHECKING:
    from jupiter import formats as formats
    from jupiter.model.problem import Problem as Problem
    from jupiter.model.schedule import Schedule as Schedule
    from jupiter.orchestrator.scheduling import schedule as schedule
    from jupiter.schedulers.check import check_schedule as check_schedule

__version__ = _version.VERSION

_PLACES = {
    "Problem": "jupiter.model.problem",
    "Schedule": "jupiter.model.schedule",
    "check_schedule": "jupiter.schedulers.check",
    "schedule": "jupiter.orchestrator.scheduling",
}

__all__ = ["Problem", "Schedule", "__version__", "check_schedule", "formats", "schedule"]


def __getattr__(name: str) -> Any:
    """Import what is asked for; `import jupiter` alone costs nothing."""
    if name == "formats":
        return import_module("jupiter.formats")
    if name not in _PLACES:
        raise AttributeError(f"module 'jupiter' has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
