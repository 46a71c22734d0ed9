"""``jupiter_config.ini``: what the seeds were configured by; read for what still counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jupiter.formats.ini import Sections, read_sections, require_section
from jupiter.formats.text import Content, Faults, Parsed, Word, parse_with, read_integer
from jupiter.kit.names import printable

COUNT_MAX = 1_000_000
_LISTS = {
    "SCHEDULER": "SCHEDULER_LIST",
    "PRICING": "PRICING_LIST",
    "PROFILER": "PROFILERS_LIST",
    "TRANSFER": "TRANSFER_LIST",
}
_SWITCHES = ("STATIC_MAPPING", "RUNTIME")
_COUNTS = ("MAX_LOG", "SSH_RETRY_NUM", "TASK_QUEUE_SIZE")
_UNLIMITED = "TASK_QUEUE_SIZE"
"""The one key whose -1 means that there is no limit."""


@dataclass(frozen=True)
class JupiterConfig:
    """The settings that a run of ours can take over.

    Attributes:
        choices: Name of the chosen scheduler, pricing, profiler and transfer, by key.
        switches: By key.
        counts: By key; None where there is no limit.
    """

    choices: Mapping[str, str]
    switches: Mapping[str, bool]
    counts: Mapping[str, int | None]


def parse(content: Content, file: str = "") -> Parsed[JupiterConfig]:
    """Return the settings of a ``jupiter_config.ini``; ports and accounts are not taken over.

    Raises:
        InputError: A section is missing, a key is written twice, or a value is none of its list.
    """
    return parse_with(read, content, file)


def read(content: Content, faults: Faults) -> JupiterConfig:
    """Return what can be understood; the rest is reported."""
    sections = read_sections(content, faults)
    config = require_section("CONFIG", sections, faults)
    other = require_section("OTHER", sections, faults)
    if any(key == "PASSWORD" for key in sections.get(Word("AUTH"), {})):
        faults.warn("the password in [AUTH] is not read", remedy="delete it from the file")
    choices = {}
    for key, list_name in _LISTS.items():
        value = config.get(Word(key))
        if value is not None:
            choice = _choose(key, value, list_name, sections, faults)
            if choice is not None:
                choices[key] = choice
    switches = {}
    for key in _SWITCHES:
        value = config.get(Word(key))
        if value is not None:
            switches[key] = bool(read_integer(value, faults, key, low=0, high=1))
    counts: dict[str, int | None] = {}
    for key in _COUNTS:
        value = other.get(Word(key))
        if value is not None:
            counts[key] = _count(key, value, faults)
    return JupiterConfig(choices, switches, counts)


def _choose(
    key: str, value: Word, list_name: str, sections: Sections, faults: Faults
) -> str | None:
    """Return the name that stands for an index in another section."""
    names = {
        str(index): str(name)
        for name, index in require_section(list_name, sections, faults).items()
    }
    if value in names:
        return names[value]
    if names:
        faults.error(
            f"{key} is not in [{list_name}]",
            value,
            expected=", ".join(f"{index} ({name})" for index, name in names.items()),
            remedy=f"write one of these numbers, or add a line to [{list_name}]",
        )
    return None


def _count(key: str, value: Word, faults: Faults) -> int | None:
    if value == "-1":
        if key == _UNLIMITED:
            return None
        faults.error(
            f"{printable(key)} cannot be unlimited",
            value,
            expected=f"0 to {COUNT_MAX}; -1 means unlimited in {_UNLIMITED} only",
            remedy="write how often or how many",
        )
        return None
    return read_integer(value, faults, key, low=0, high=COUNT_MAX)


def dumps(config: JupiterConfig) -> str:
    """Return the text of a ``jupiter_config.ini`` with these settings."""
    lines = ["[CONFIG]"]
    lines += [f"    {key} = {int(value)}" for key, value in config.switches.items()]
    lines += [f"    {key} = 0" for key in config.choices]
    lines += ["[OTHER]"]
    lines += [
        f"    {key} = {-1 if value is None else value}" for key, value in config.counts.items()
    ]
    for key, name in config.choices.items():
        lines += [f"[{_LISTS[key]}]", f"    {name} = 0"]
    return "\n".join(lines) + "\n"
