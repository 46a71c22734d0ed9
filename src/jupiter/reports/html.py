"""One page that shows a whole run; nothing in it is fetched from anywhere."""

from __future__ import annotations

from jupiter.model.run import Report


def render(report: Report, version: str) -> str:
    """Return the page."""
    return "<html></html>"
