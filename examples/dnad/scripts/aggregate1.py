"""Merges what the monitors sent for one share of the addresses."""

from dnad import steps


def task(files: list[str] | str, pathin: str, pathout: str) -> list[str]:
    """See ``steps.merge``."""
    return steps.merge(files, pathin, pathout, 1)


def main() -> list[str]:
    """Run on the shipped sample."""
    return steps.run_on_sample("aggregate1")
