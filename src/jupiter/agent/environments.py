"""The Python that a task runs in: the agent's own, or one with the packages that it requires."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import site
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from jupiter.errors import TaskError
from jupiter.model.messages import TaskCode

KEPT_MAX = 8
"""Environments on disk; the least recently used beyond that are dropped when one is built, but none
in which a worker runs."""
BUILD_S_MAX = 1800.0
SHOWN_BYTES = 2000
_DONE = ".complete"
_KEPT = ("PATH", "LANG", "LANGUAGE", "TZ", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class Environments:
    """Virtual environments, one for each set of requirements, built when it is first needed.

    Args:
        root: Folder for them; one agent's alone.
        kept_max: How many of them stay on disk.
    """

    def __init__(self, root: Path, kept_max: int = KEPT_MAX) -> None:
        self._root = root.absolute()
        self._kept_max = kept_max
        self._building: dict[str, asyncio.Task[None]] = {}
        self._users: Counter[str] = Counter()

    async def python_for(self, requirements: Sequence[str]) -> str:
        """Return the interpreter with these packages; it stays until `leave`.

        Raises:
            TaskError: They cannot be installed.
        """
        if not requirements:
            return sys.executable
        wanted = sorted(set(requirements))
        words = "\n".join((sys.version, sys.base_prefix, *wanted))
        digest = hashlib.sha256(words.encode()).hexdigest()[:24]
        folder = self._root / digest
        python = str(folder / "bin" / "python")
        if not (folder / _DONE).exists():
            building = self._building.get(digest)
            if building is None:
                building = asyncio.ensure_future(self._build(folder, wanted))
                self._building[digest] = building
                building.add_done_callback(lambda _: self._building.pop(digest))
            await asyncio.shield(building)
        os.utime(folder / _DONE)
        self._users[python] += 1
        return python

    @property
    def is_building(self) -> bool:
        """Whether processes run that build one."""
        return bool(self._building)

    def leave(self, python: str) -> None:
        """Note that one who asked for an interpreter needs it no more."""
        self._users[python] -= 1

    async def _build(self, folder: Path, requirements: Sequence[str]) -> None:
        """Build one; scripts in it name its path, so it is built where it stays.

        It counts only when the last file is in it.
        """
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.rmtree(folder, ignore_errors=True)  # an agent was killed while it built it
        self._drop_old()
        try:
            await _run(sys.executable, "-m", "venv", str(folder))
            listed = folder / "requirements.txt"
            listed.write_text("\n".join(requirements) + "\n")
            pip = (str(folder / "bin" / "python"), "-m", "pip", "install", "--no-input")
            await _run(*pip, "--disable-pip-version-check", "-r", str(listed))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        (folder / _DONE).touch()

    def _drop_old(self) -> None:
        kept = sorted(self._root.glob(f"*/{_DONE}"), key=lambda p: p.stat().st_mtime, reverse=True)
        for done in kept[self._kept_max - 1 :]:
            if self._users[str(done.parent / "bin" / "python")] <= 0:
                shutil.rmtree(done.parent, ignore_errors=True)


async def _run(*argv: str) -> None:
    env = _some(lambda name: name in (*_KEPT, *_PROXIES, "HOME", "TMPDIR") or name[:4] == "PIP_")
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=env,
    )
    try:
        printed, _ = await asyncio.wait_for(process.communicate(), BUILD_S_MAX)
    except TimeoutError:
        raise TaskError(f"required packages were not there after {BUILD_S_MAX:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        end = printed[-SHOWN_BYTES:].decode(errors="replace").strip()
        lines = [line for line in end.splitlines() if line.startswith("ERROR")]
        problem = lines[-1] if lines else f"exit code {process.returncode}"
        raise TaskError(f"required packages cannot be installed: {problem}", end)


def _some(is_wanted: Callable[[str], bool]) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if is_wanted(name)}


def variables(
    code: TaskCode, python: str, temporary: Path, *, is_clean: bool = True
) -> Mapping[str, str]:
    """Return the environment of a worker: what programs need, and what the task declares.

    Args:
        code: Of the task.
        python: That runs it.
        temporary: Its folder for temporary files, which also stands for its home.
        is_clean: Else all variables of the agent are in it, too.
    """
    names = {*_KEPT, *code.environment}
    found = _some(lambda name: not is_clean or name in names or name[:3] == "LC_")
    if python != sys.executable:
        found["PATH"] = f"{Path(python).parent}:{found.get('PATH', os.defpath)}"
    elif site.ENABLE_USER_SITE:
        found["PYTHONUSERBASE"] = site.getuserbase()
    if is_clean:
        found["HOME"] = str(temporary)
    for name in _THREADS:
        found.setdefault(name, str(code.cores))
    return {**found, "TMPDIR": str(temporary)}
