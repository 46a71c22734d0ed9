"""What every transport must do, as checks that a test of a transport calls."""

from __future__ import annotations

from collections.abc import Callable

from jupiter.errors import TransferError
from jupiter.interfaces.transport import Place, Transport

CONTENTS = {
    "plain.bin": bytes(range(256)) * 300,
    "no bytes": b"",
    "one": b"1",
    "a b'c$(d)\"e;f.bin": b"a name that a shell would take apart",
    "-rf": b"a name that looks like an option",
    "übergröße.txt": b"a name beyond ASCII",
    "large.bin": bytes(range(251)) * 15_000,
}


async def check_transport(
    transport: Transport,
    place: Place,
    write: Callable[[str, bytes], str],
    read: Callable[[str], bytes | None],
) -> None:
    """Check that a transport brings what it is given, and tells when it cannot.

    Args:
        transport: A new one; it is closed at the end.
        place: A folder without files.
        write: Makes a file of a name and content on this side; returns its path.
        read: Returns the content of a file of a name in the folder; None where there is none.

    Raises:
        AssertionError: What it does wrong.
    """
    files = {name: write(name, content) for name, content in CONTENTS.items()}
    names = {name: str(k) for k, name in enumerate(files)}
    await transport.bring([(files[name], names[name]) for name in files], place)
    for name, content in CONTENTS.items():
        _same(read(names[name]), content, f"{name!r} did not come as it was")

    again = write("again", b"another content")
    await transport.bring([(again, names["plain.bin"])], place)
    _same(read(names["plain.bin"]), b"another content", "a file was not replaced")

    await transport.bring([], place)

    try:
        await transport.bring([(f"{again}-that-is-not-there", "missing")], place)
    except TransferError:
        pass
    else:
        # A plug-in may not notice; but nothing may be there then.
        _same(read("missing"), None, "a file came that there is not")

    await transport.bring([(files["large.bin"], "after")], place)
    _same(read("after"), CONTENTS["large.bin"], "nothing came after a failure")
    await transport.close()
    await transport.close()


def _same(found: bytes | None, expected: bytes | None, problem: str) -> None:
    if found != expected:
        raise AssertionError(problem)
