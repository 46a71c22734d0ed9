"""TOML with closed schemas: every fault with the line and column of its key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from jupiter.formats.text import Faults, Word, did_you_mean
from jupiter.kit.names import printable

M = TypeVar("M", bound=BaseModel)
Loc = tuple[int | str, ...]

_SYNTAX_PLACE = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)


def load(text: str, model: type[M], faults: Faults) -> M:
    """Return the checked content of a TOML text.

    Raises:
        InputError: It is no TOML, or breaks the schema; with every fault.
    """
    faults.check()
    try:
        value = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = _SYNTAX_PLACE.fullmatch(str(error))
        message, line, column = match.groups() if match else (str(error), None, None)
        place = Word("", int(line), int(column)) if line and column else text.count("\n") + 1
        faults.add(f"is no TOML: {message}", place, got="", remedy="mend the text here")
        faults.check()
    except RecursionError:
        faults.add("nests too deeply", remedy="flatten it")
        faults.check()
    try:
        return model.model_validate(value)
    except ValidationError as error:
        places = Places(text)
        for problem in error.errors(include_url=False):
            _add(problem, places, model, faults)
    faults.check()
    raise AssertionError  # unreachable: there was at least one fault


class Places:
    """Finds where a key of a TOML text is written.

    Args:
        text: A text that `tomllib` accepts. Keys are found by their lines, which is exact for the
            one-key-a-line form in which people write; a key inside an inline table gets the place
            of the line that holds it.
    """

    _HEADER = re.compile(r"\s*\[(\[?)\s*([^\]\[]+?)\s*\]\]?\s*(?:#.*)?")
    _KEY = re.compile(r"""\s*("[^"]*"|'[^']*'|[A-Za-z0-9_.-]+)\s*=""")

    def __init__(self, text: str) -> None:
        self._found: dict[Loc, Word] = {}
        counts: dict[str, int] = {}
        prefix: Loc = ()
        for number, line in enumerate(text.split("\n"), start=1):
            header = self._HEADER.fullmatch(line)
            if header:
                name = header.group(2).strip("\"' ")
                prefix = (name,)
                if header.group(1):
                    index = counts.get(name, 0)
                    counts[name] = index + 1
                    prefix = (name, index)
                self._found[prefix] = Word(name, number, header.start(2) + 1)
                continue
            key = self._KEY.match(line)
            if key:
                name = key.group(1).strip("\"'")
                self._found.setdefault((*prefix, name), Word(name, number, key.start(1) + 1))

    def find(self, loc: Sequence[int | str]) -> Word | int:
        """Return the nearest place of a path of keys; 0 where nothing of it is written."""
        path = tuple(loc)
        while path:
            if path in self._found:
                return self._found[path]
            path = path[:-1]
        return 0


def _add(problem: Any, places: Places, model: type[BaseModel], faults: Faults) -> None:
    loc: Loc = tuple(part for part in problem["loc"] if not _is_tag(part))
    at = places.find(loc)
    name = ".".join(str(part) for part in loc if isinstance(part, str))
    if problem["type"] == "extra_forbidden":
        known = _keys_beside(model, loc)
        faults.add(
            f"unknown key {printable(str(loc[-1]))}",
            at,
            got="",
            expected=f"one of {', '.join(known)}",
            remedy=did_you_mean(str(loc[-1]), known),
        )
        return
    if problem["type"] == "missing":
        faults.add(f"the key {name} is missing", at, got="", remedy=f"add {loc[-1]} = …")
        return
    message = str(problem["msg"]).removeprefix("Value error, ")
    what, _, remedy = message.partition("; ")
    faults.add(
        f"{name}: {what[:1].lower()}{what[1:]}" if name else what,
        at,
        got=printable(str(problem["input"])),
        remedy=remedy,
    )


def _is_tag(part: int | str) -> bool:
    """Return whether a part of a location names a branch of a union and no key."""
    return isinstance(part, str) and (part in ("str", "bool", "int", "float") or "[" in part)


def _keys_beside(model: type[BaseModel], loc: Loc) -> list[str]:
    """Return the keys that are allowed where an unknown one was found."""
    here: type[BaseModel] = model
    for part in loc[:-1]:
        if isinstance(part, int):
            continue
        field = _field(here, part)
        models = [m for m in _models_in(field) if isinstance(m, type)] if field else []
        if not models:
            return []
        here = models[0]
    return [field.alias or name for name, field in here.model_fields.items()]


def _field(model: type[BaseModel], key: str) -> Any:
    for name, field in model.model_fields.items():
        if key in (name, field.alias):
            return field.annotation
    return None


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]
