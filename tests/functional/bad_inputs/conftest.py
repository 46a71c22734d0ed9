"""Runs the command line in an empty folder."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.functional.bad_inputs.cases import Ended, Jupiter

from jupiter.cli.main import main


@pytest.fixture
def jupiter(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Jupiter:
    """Return a function that runs the command line in an empty folder."""
    monkeypatch.setenv("JUPITER_SECRETS", str(tmp_path / "no-secrets"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["jupiter", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return Ended(int(ended.value.code or 0), capsys.readouterr().err)

    return run
