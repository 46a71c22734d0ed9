"""What a transport must provide: it brings files to a folder on another host, by any means.

The framed stream between agents needs none of this. Others serve networks that have a way of their
own: the sender asks the receiver for a folder, has the transport bring the files there, and says
the word; the receiver believes sizes and digests only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Place:
    """Where files go.

    Attributes:
        host: Name or address, as agents know it.
        folder: Absolute, existing, with nothing in it that must stay.
    """

    host: str
    folder: str


class Transport(Protocol):
    """Brings files; may be asked for several things at once."""

    async def bring(self, files: Sequence[tuple[str, str]], place: Place) -> None:
        """Bring files; return when they are there.

        Args:
            files: Path here, and name there. A name has no folders; a file of this name is
                replaced.
            place: Where to.

        Raises:
            TransferError: They are not all there; the same call may succeed later.
            TransferRefusedError: They will never be, unless something is changed.
        """
        ...

    async def close(self) -> None:
        """Give up all connections; may be called twice."""
        ...


class TransportFactory(Protocol):
    """Makes a transport from its options, as they are written in the settings."""

    def __call__(self, options: Mapping[str, str]) -> Transport:
        """Return a transport.

        Raises:
            InputError: An option is missing or wrong.
        """
        ...
