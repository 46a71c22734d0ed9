"""Keeps what both detectors found."""

from dnad import steps


def task(files: list[str], pathin: str, pathout: str) -> list[str]:
    """See ``steps.fuse``."""
    return steps.fuse(files, pathin, pathout, 2)


def main() -> list[str]:
    """Run on the shipped sample."""
    return steps.run_on_sample("fusion_center2")
