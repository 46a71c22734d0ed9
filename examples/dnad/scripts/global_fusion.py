"""Puts the anomalies of all shares together."""

from dnad import steps


def task(files: list[str], pathin: str, pathout: str) -> list[str]:
    """Write ``Nglobal_anomalies.log``."""
    return steps.fuse_globally(files, pathin, pathout)


def main() -> list[str]:
    """Run on the shipped sample."""
    return steps.run_on_sample("global_fusion")
