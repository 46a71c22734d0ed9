"""A stream whose agents speak TLS with each other and with home."""

from __future__ import annotations

from pathlib import Path

import psutil

from jupiter.orchestrator.inputs import find_inputs
from jupiter.settings import RunSettings

from .conftest import MakeApp, our_processes
from .streams import DIAMOND, MERGE, SPREAD, WORK, mapped, stream


def test_stream_over_tls_gives_the_same_and_shows_no_key(
    tmp_path: Path, make_app: MakeApp, cluster: Path, inputs: Path, mark: str
) -> None:
    lines: set[str] = set()

    def look() -> None:
        for process in our_processes(mark):
            try:
                lines.update([*process.cmdline(), *process.environ().values()])
            except psutil.Error:
                continue

    record = stream(
        make_app(DIAMOND, work=WORK, merge=MERGE),
        cluster,
        find_inputs([inputs]),
        mapped(**SPREAD),
        tmp_path / "results",
        settings=RunSettings(tls="on"),
        on_item=look,
    )
    assert [item.status for item in record.items] == ["done"] * 30
    texts = {path.read_text() for path in (tmp_path / "results").iterdir()}
    assert len(texts) == 30
    assert lines
    assert not any("PRIVATE KEY" in line for line in lines)
    found = [path for path in (tmp_path / "scratch").rglob("*") if path.is_file()]
    assert not any(b"PRIVATE KEY" in path.read_bytes() for path in found)
