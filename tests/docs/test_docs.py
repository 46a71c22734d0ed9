"""Every command and file of the documentation is run, and gives what is shown."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")


def with_commands() -> list[Path]:
    return [page for page in PAGES if "```console" in page.read_text()]


@pytest.mark.parametrize("page", with_commands(), ids=lambda page: page.name)
def test_commands_give_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    for name in ("examples",):
        (tmp_path / name).symlink_to(ROOT / name)
    for kind, text in BLOCK.findall(page.read_text()):
        first, _, rest = text.partition("\n")
        if first.startswith("# file: "):
            path = tmp_path / first.removeprefix("# file: ")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(rest)
        elif kind == "console":
            run_block(text, tmp_path)


def run_block(text: str, folder: Path) -> None:
    """Run the commands of a block; each shown line must be in what its command prints."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "COLUMNS": "200"}
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *shown = part.strip().splitlines()
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        for line in shown:
            if line.strip() and not line.rstrip().endswith("…"):
                assert line.strip() in done.stdout + done.stderr, f"{command}: {line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), target


def test_reference_of_the_command_line_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "reference.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
