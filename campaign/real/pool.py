"""Runs trials in several labs at once, each in namespaces of its own."""

from __future__ import annotations

import fcntl
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jupiter
from campaign.real.plan import LIMIT_S

ROOT = Path(__file__).parent.parent.parent
PREFIX = "jupiter-real-"
SPARE_S = 60.0
"""A lab that says nothing for this much longer than a trial may last is ended."""
UNSHARE = ("unshare", "--net", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc")

Answer = dict[str, Any]
Ask = tuple[str, int]
"""A fault and a seed."""


def reason_to_skip() -> str:
    """Return why labs cannot be built here; empty where they can."""
    if sys.platform != "linux":
        return "network namespaces need Linux"
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [name for name in ("ip", "tc", "nft", "unshare", "nsenter") if not shutil.which(name)]
    return f"missing: {', '.join(missing)} (packages iproute2, nftables)" if missing else ""


def install_missing() -> None:
    """Install what labs need, where the machine lets us; safe to call from several processes."""
    if not reason_to_skip().startswith("missing") or not shutil.which("apt-get"):
        return
    with Path(tempfile.gettempdir(), f"{PREFIX}install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if reason_to_skip():
            words = ("install", "--yes", "--no-install-recommends", "iproute2", "nftables")
            for argv in (("apt-get", "update"), ("apt-get", *words)):
                subprocess.run(argv, check=False, capture_output=True)


def remove_stale() -> None:
    """Remove the folders of labs whose process was killed; the kernel has removed all else."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}[0-9]*-*"):
        owner = folder.name.removeprefix(PREFIX).partition("-")[0]
        if not Path("/proc", owner).exists():
            shutil.rmtree(folder, ignore_errors=True)


@dataclass
class _Lab:
    process: subprocess.Popen[str]
    folder: Path

    def ask(self, what: Ask) -> Answer:
        """Play one trial."""
        assert self.process.stdin is not None  # noqa: S101 - for the type checker
        assert self.process.stdout is not None  # noqa: S101 - for the type checker
        timer = threading.Timer(LIMIT_S + SPARE_S, self.process.kill)
        timer.start()
        try:
            self.process.stdin.write(f"{what[0]} {what[1]}\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            timer.cancel()
        if line:
            answer: Answer = json.loads(line)
            return answer
        return {
            "fault": what[0],
            "seed": what[1],
            "is_void": False,
            "kinds": ["broken"],
            "why": f"broken: the lab ended: {(self.folder / 'lab.log').read_text()[-3000:]}",
            "injected": {},
            "took_s": 0.0,
            "redone_s": [],
            "rates": [],
            "logs": {},
        }

    def close(self) -> None:
        """End the lab and all that is in it."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _build(bug: str) -> _Lab:
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    source = Path(jupiter.__file__).parent.parent
    paths = [str(source), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    with (folder / "lab.log").open("w") as errors:
        process = subprocess.Popen(
            [
                *UNSHARE,
                sys.executable,
                "-m",
                "campaign.real.child",
                str(folder),
                *([bug] * bool(bug)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        )
    return _Lab(process, folder)


def play_all(
    asked: Sequence[Ask],
    jobs: int,
    on_answer: Callable[[Answer], None] = lambda answer: None,
    *,
    bug: str = "",
    until: Callable[[Answer], bool] = lambda answer: False,
) -> list[Answer]:
    """Play trials and return what came of each, in the order in which they ended.

    Args:
        asked: Faults and seeds.
        jobs: How many at once.
        on_answer: Called for each, never twice at once.
        bug: Planted into the agents; see `campaign.real.naive`.
        until: No more are begun once this is true of an answer.
    """
    waiting: queue.SimpleQueue[Ask] = queue.SimpleQueue()
    for each in asked:
        waiting.put(each)
    answers: list[Answer] = []
    lock = threading.Lock()
    is_over = threading.Event()

    def work() -> None:
        lab = _build(bug)
        try:
            while not is_over.is_set():
                try:
                    ask = waiting.get_nowait()
                except queue.Empty:
                    return
                answer = lab.ask(ask)
                if lab.process.poll() is not None:
                    lab.close()
                    lab = _build(bug)
                with lock:
                    answers.append(answer)
                    on_answer(answer)
                    if until(answer):
                        is_over.set()
        finally:
            lab.close()

    remove_stale()
    threads = [threading.Thread(target=work) for _ in range(min(jobs, len(asked)))]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    finally:
        is_over.set()
    return answers


def deal(kinds: dict[str, int], trials: int, first: int = 0) -> Iterable[Ask]:
    """Yield so many trials; each fault gets its share of them, and seeds that count up.

    Args:
        kinds: By fault, its weight.
        trials: How many.
        first: The first seed.
    """
    total = sum(kinds.values())
    used = dict.fromkeys(kinds, 0)
    for k in range(trials):
        # The fault that is furthest behind its share comes next.
        fault = min(kinds, key=lambda each: (used[each] + 1) / kinds[each] - (k + 1) / total)
        yield fault, first + used[fault]
        used[fault] += 1
