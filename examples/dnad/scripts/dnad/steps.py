"""The work of every task, on files: names in, paths out."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from dnad import astute, simple
from dnad.packets import Packet, data_lines, read_packets

BUCKETS = 3
HASH_START = 14635
"""Initial value of the CRC that spreads addresses over the buckets."""


def frame_of(name: str, marker: str) -> str:
    """Return the part of a file name before the word that its task has put there.

    Raises:
        ValueError: The name does not hold the word.
    """
    frame, found, _ = name.rpartition(marker)
    if not found:
        raise ValueError(f"file name {name!r} does not hold {marker!r}")
    return frame


def bucket(address: str) -> int:
    """Return the share of the traffic that an address belongs to."""
    return zlib.crc32(address.encode(), HASH_START) % BUCKETS


def split(name: str, pathin: str, pathout: str) -> list[str]:
    """Write every packet to the bucket of its source and to that of its destination."""
    shares: list[list[str]] = [[] for _ in range(BUCKETS)]
    known: dict[str, int] = {}
    with Path(pathin, name).open() as file:
        for number, text in data_lines(file):
            fields = text.split(None, 4)
            if len(fields) < 5:
                raise ValueError(f"{name}:{number}: no packet: {text!r}")
            line = f"{fields[0]}\t{text[len(fields[0]) :].lstrip()}\n"
            for address in (fields[1], fields[3]):
                share = known.get(address)
                if share is None:
                    share = known[address] = bucket(address)
                shares[share].append(line)
    frame = frame_of(name, "botnet")
    return [_write(pathout, f"{frame}split_{k}", share) for k, share in enumerate(shares)]


def merge(names: Sequence[str] | str, pathin: str, pathout: str, k: int) -> list[str]:
    """Put the shares of several monitors together; for one it is a copy."""
    names = [names] if isinstance(names, str) else names
    text = "".join(Path(pathin, name).read_text() for name in sorted(names))
    return [_write(pathout, f"{frame_of(names[0], 'split')}merged_file{k}.ipsum", [text])]


def detect_simple(name: str, pathin: str, pathout: str, k: int) -> list[str]:
    """Write the busy hosts of a share; see `simple.anomalies`."""
    return _detect(simple.anomalies, name, pathin, pathout, f"anomalies_simple{k}.log")


def detect_astute(name: str, pathin: str, pathout: str, k: int) -> list[str]:
    """Write the correlated flows of a share; see `astute.anomalies`."""
    return _detect(astute.anomalies, name, pathin, pathout, f"anomalies_astute{k}.log")


def _detect(
    detector: Callable[[Iterable[Packet]], Iterable[str]],
    name: str,
    pathin: str,
    pathout: str,
    output: str,
) -> list[str]:
    with Path(pathin, name).open() as file:
        lines = [f"{text}\n" for text in detector(read_packets(file, name))]
    return [_write(pathout, frame_of(name, "merged") + output, lines)]


def fuse(names: Sequence[str], pathin: str, pathout: str, k: int) -> list[str]:
    """Keep the lines that all detectors wrote."""
    logs = [set(Path(pathin, name).read_text().splitlines()) for name in names]
    common = sorted(set.intersection(*logs))
    frame = frame_of(names[0], "anomalies")
    return [_write(pathout, f"{frame}fusion_center{k}.log", [f"{line}\n" for line in common])]


def fuse_globally(names: Sequence[str], pathin: str, pathout: str) -> list[str]:
    """Put the anomalies of all shares together, with whole seconds."""
    lines = []
    for name in sorted(names):
        for text in Path(pathin, name).read_text().splitlines():
            flow, start, end = text.split(";")
            lines.append(f"{flow};{int(float(start))};{int(float(end))}\n")
    frame = frame_of(min(names), "fusion")
    return [_write(pathout, f"{frame}global_anomalies.log", lines)]


def _write(folder: str, name: str, lines: Iterable[str]) -> str:
    path = Path(folder, name)
    path.write_text("".join(lines))
    return str(path)


def run_serial(source: Path, work: Path) -> dict[str, list[Path]]:
    """Run all 14 tasks one after the other in this process.

    Args:
        source: A capture, ``Nbotnet.ipsum``.
        work: Existing folder for everything that is written.

    Returns:
        The outputs of every task, by its name. The last one is the result.
    """
    done: dict[str, list[str]] = {}
    into = str(work)
    done["local_pro"] = split(source.name, str(source.parent), into)

    def names(*tasks: str) -> list[str]:
        return [Path(path).name for task in tasks for path in done[task]]

    for k in range(BUCKETS):
        done[f"aggregate{k}"] = merge(Path(done["local_pro"][k]).name, into, into, k)
        (merged,) = names(f"aggregate{k}")
        done[f"simple_detector{k}"] = detect_simple(merged, into, into, k)
        done[f"astute_detector{k}"] = detect_astute(merged, into, into, k)
        found = names(f"simple_detector{k}", f"astute_detector{k}")
        done[f"fusion_center{k}"] = fuse(found, into, into, k)
    fused = names(*(f"fusion_center{k}" for k in range(BUCKETS)))
    done["global_fusion"] = fuse_globally(fused, into, into)
    return {task: [Path(path) for path in paths] for task, paths in done.items()}


def run_on_sample(task: str) -> list[str]:
    """Run a task, and what comes before it, on the shipped sample; return its outputs."""
    sample = Path(__file__).parents[2] / "sample_input" / "1botnet.ipsum"
    work = Path(tempfile.mkdtemp(prefix="dnad-"))
    return [str(path) for path in run_serial(sample, work)[task]]
