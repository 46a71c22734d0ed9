"""Finds a plug-in by its name: shipped ones first, then entry points; imported on first use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

from jupiter.errors import Fault, InputError
from jupiter.kit.names import nearest


@dataclass(frozen=True, slots=True)
class Registry:
    """The plug-ins of one kind.

    Attributes:
        kind: What one of them is called in messages, such as ``scheduler``.
        group: Entry points under which installed packages offer further ones.
        built_in: Place of every shipped one as ``module:name``; these names cannot be replaced.
    """

    kind: str
    group: str
    built_in: Mapping[str, str]

    def names(self) -> tuple[str, ...]:
        """Return all names: the shipped ones in their order, then installed ones by alphabet."""
        return (*self.built_in, *sorted(self._installed()))

    def find(self, name: str) -> object:
        """Return the plug-in with a name; its module is imported now.

        Raises:
            InputError: There is none, or it cannot be imported.
        """
        place = self.built_in.get(name) or self._installed().get(name)
        if place is None:
            names = self.names()
            near = nearest(name, names)
            raise InputError(
                Fault(
                    f"unknown {self.kind}",
                    got=name,
                    expected=", ".join(names),
                    remedy=f"did you mean {near}?" if near else "one of these names",
                )
            )
        module, _, attribute = place.partition(":")
        try:
            return getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise InputError(
                Fault(
                    f"{self.kind} {name} cannot be loaded: {error}",
                    got=place,
                    expected="an installed module and a name in it",
                    remedy=f"install or repair the package that offers it ({self.group})",
                )
            ) from error

    def _installed(self) -> dict[str, str]:
        from importlib.metadata import entry_points  # noqa: PLC0415  (slow; needed by few)

        points = sorted(entry_points(group=self.group), key=lambda each: (each.name, each.value))
        return {each.name: each.value for each in points if each.name not in self.built_in}
