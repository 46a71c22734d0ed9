"""What takes the long bodies that a channel receives."""

from __future__ import annotations

from collections.abc import Callable


class BodySink:
    """Takes a long body in, piece by piece; this one throws it away."""

    is_full = False
    """Whether nothing more should come before `resume` is called."""
    resume: Callable[[], None] | None = None

    def begin(self, *, can_skip: bool) -> int:
        """Return how many of the first bytes are here already; 0 unless they can be skipped."""
        return 0

    def room(self) -> memoryview | None:
        """Return where the next bytes may be put; None where `write` shall be called instead."""
        return None

    def filled(self, size: int) -> None:
        """Note that so many bytes were put into `room`."""

    def write(self, data: memoryview) -> None:
        """Take the next bytes; they are good until this returns."""

    def finish(self, digest: bytes) -> None:
        """Note that all bytes were given.

        Args:
            digest: SHA-256 of the body as it was sent; empty where its parts have their own.
        """

    def abort(self) -> None:
        """Note that no more bytes will come this way."""
