from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from jupiter.errors import InputError
from jupiter.kit.registry import Registry

SHIPPED = {"square-root": "math:sqrt", "broken": "math:no_such_name"}


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    offered = [
        EntryPoint("zeta", "math:sin", "kind"),
        EntryPoint("alpha", "math:cos", "kind"),
        EntryPoint("square-root", "math:sin", "kind"),
        EntryPoint("missing", "no_such_module:thing", "kind"),
    ]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda *, group: offered)
    return Registry("function", "kind", SHIPPED)


def test_shipped_names_come_first_and_installed_ones_by_alphabet(registry: Registry) -> None:
    assert registry.names() == ("square-root", "broken", "alpha", "missing", "zeta")


def test_an_installed_package_adds_a_name(registry: Registry) -> None:
    import math

    assert registry.find("alpha") is math.cos


def test_a_shipped_name_cannot_be_replaced(registry: Registry) -> None:
    import math

    assert registry.find("square-root") is math.sqrt


def test_a_mistyped_name_is_corrected(registry: Registry) -> None:
    with pytest.raises(InputError, match="did you mean square-root"):
        registry.find("squareroot")


@pytest.mark.parametrize("name", ["broken", "missing"])
def test_what_cannot_be_imported_is_told_as_such(registry: Registry, name: str) -> None:
    with pytest.raises(InputError, match="cannot be loaded"):
        registry.find(name)
