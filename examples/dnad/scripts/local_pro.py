"""Splits a capture into three by the addresses in it."""

from dnad import steps


def task(files: str, pathin: str, pathout: str) -> list[str]:
    """Write ``Nsplit_0`` to ``Nsplit_2``, one for each aggregate."""
    return steps.split(files, pathin, pathout)


def main() -> list[str]:
    """Run on the shipped sample."""
    return steps.run_on_sample("local_pro")
