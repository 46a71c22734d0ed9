"""What can happen to the folder of an agent while nobody works in it."""

from __future__ import annotations

import json
import os
import select
import shutil
from pathlib import Path

from campaign.scenario import pick
from jupiter.agent.identity import IDENTITY
from jupiter.kit.rng import Stream

TAIL_BYTES = 1 << 16


def send(pid: int, number: int) -> None:
    """Send a signal to a process, if it is there."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def wait_readable(fd: int) -> None:
    """Wait until something can be read: of a process, that it has ended."""
    select.select([fd], [], [], 10.0)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def copy_still(image: Path, copy: Path) -> None:
    """Copy the file of a disk whose users stand still, until two copies are the same."""
    before = b""
    while True:
        found = image.read_bytes()
        if found == before:
            break
        before = found
    with copy.open("wb") as file:
        file.truncate(len(found))
        empty = bytes(1 << 16)
        for start in range(0, len(found), len(empty)):
            piece = found[start : start + len(empty)]
            if piece != empty:
                file.seek(start)
                file.write(piece)


def reboot(folder: Path) -> None:
    """Make an agent see that its machine has started again since."""
    path = folder / IDENTITY
    try:
        identity = json.loads(path.read_bytes())
    except (OSError, ValueError):  # it was not safe at that moment
        return
    path.write_text(json.dumps(identity | {"boot": "another"}))


def empty(folder: Path, draw: Stream) -> bool:
    """Lose a disk: all that was on it."""
    remove(folder)
    return True


def _journals(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("runs/*/journal*")) if path.stat().st_size]


def _files(folder: Path) -> list[Path]:
    """Return the files that runs keep, the journal excepted."""
    found = [path for path in sorted(folder.glob("runs/*/**/*")) if path.is_file()]
    return [path for path in found if not path.name.startswith(("journal", "order"))]


def cut_journal(folder: Path, draw: Stream) -> bool:
    """Cut a journal off somewhere in its last 64 KiB."""
    for path in _journals(folder):
        size = path.stat().st_size
        os.truncate(path, size - int(draw.random() * min(size, TAIL_BYTES)))
        return True
    return False


def flip_journal(folder: Path, draw: Stream) -> bool:
    """Flip some bits of a journal."""
    return sum(_flip(path, draw) for path in _journals(folder)[:1]) > 0


def flip_spool(folder: Path, draw: Stream) -> bool:
    """Flip some bits of files that runs keep."""
    files = [path for path in _files(folder) if path.stat().st_size]
    return sum(_flip(pick(draw, files), draw) for _ in range(4) if files) > 0


def _flip(path: Path, draw: Stream) -> bool:
    data = bytearray(path.read_bytes())
    for _ in range(1 + int(draw.random() * 8)):
        place = int(draw.random() * len(data))
        data[place] ^= 1 << int(draw.random() * 8)
    with path.open("r+b") as file:
        file.write(data)
    return True


def mess_up(folder: Path, draw: Stream) -> bool:
    """Delete, swap or replace files that runs keep, or put strange ones among them."""
    files = _files(folder)
    if not files:
        return False
    path, other = pick(draw, files), pick(draw, files)
    kinds = (
        "gone",
        "folder gone",
        "swapped",
        "link",
        "pipe",
        "folder",
        "stranger",
        "renamed",
        "empty",
    )
    match pick(draw, (*kinds, "empty")):
        case "folder gone":
            shutil.rmtree(path.parent)
        case "swapped":
            one, two = path.read_bytes(), other.read_bytes()
            path.write_bytes(two)
            other.write_bytes(one)
        case "stranger":
            path.with_name("stranger").write_bytes(b"not of this run")
        case "renamed":
            path.rename(path.with_name("renamed"))
        case "empty":
            os.truncate(path, 0)
        case kind:
            path.unlink()
            if kind == "link":
                path.symlink_to("/etc/hostname")
            elif kind == "pipe":
                os.mkfifo(path)
            elif kind == "folder":
                path.mkdir()
    return True
