"""Writes docs/reference/cli.md from the commands themselves; --check only compares."""

from __future__ import annotations

import sys
from pathlib import Path

import typer.main

from jupiter.cli.main import cli

TARGET = Path(__file__).parents[1] / "docs" / "reference" / "cli.md"


def describe(command: object, name: str) -> list[str]:
    """Return the section of a command and of the commands below it."""
    rows = [f"## `{name}`", "", str(getattr(command, "help", "") or "").strip(), ""]
    for parameter in getattr(command, "params", []):
        words = (
            parameter.opts if parameter.param_type_name == "option" else [parameter.name.upper()]
        )
        if "--help" in words or "completion" in words[0]:
            continue
        default = parameter.default
        shown = "" if default in (None, False, [], ()) or callable(default) else f" ({default})"
        need = " **required**" if parameter.required else ""
        rows.append(f"* `{', '.join(words)}`{need}: {parameter.help or ''}{shown}")
    rows.append("")
    for below, found in sorted(getattr(command, "commands", {}).items()):
        rows += describe(found, f"{name} {below}")
    return rows


def main() -> int:
    """Write the page, or say whether it is as it should be."""
    top = "# The command line\n\nMade from the commands by `make docs`.\n\n"
    text = top + "\n".join(describe(typer.main.get_command(cli), "jupiter")).rstrip() + "\n"
    if "--check" in sys.argv:
        if not TARGET.is_file() or TARGET.read_text() != text:
            sys.stderr.write(f"{TARGET} is not up to date; run: make docs\n")
            return 1
        return 0
    TARGET.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
