"""Finds flows that change together (ASTUTE)."""

from dnad import steps


def task(files: str, pathin: str, pathout: str) -> list[str]:
    """See ``steps.detect_astute``."""
    return steps.detect_astute(files, pathin, pathout, 2)


def main() -> list[str]:
    """Run on the shipped sample."""
    return steps.run_on_sample("astute_detector2")
