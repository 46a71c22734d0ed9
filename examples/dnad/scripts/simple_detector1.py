"""Finds hosts with far more packets than the others."""

from dnad import steps


def task(files: str, pathin: str, pathout: str) -> list[str]:
    """See ``steps.detect_simple``."""
    return steps.detect_simple(files, pathin, pathout, 1)


def main() -> list[str]:
    """Run on the shipped sample."""
    return steps.run_on_sample("simple_detector1")
