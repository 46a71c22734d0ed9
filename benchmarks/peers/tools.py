"""Finds or fetches what the measured systems need: Python packages and Debian's programs.

Programs are unpacked into the virtual environment, not installed: nothing is started by the
packages' own scripts, no other user of this machine sees them, and `make clean` removes them.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(sys.prefix, "bench-programs")
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/sbin"])
_PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def missing_packages(names: tuple[str, ...]) -> list[str]:
    """Install the bench group if one of these is not there; return what is missing even then."""
    if not _absent(names):
        return []
    words = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*words, "--group", f"{_PYPROJECT}:bench"], check=False)
    importlib.invalidate_caches()
    return _absent(names)


def _absent(names: tuple[str, ...]) -> list[str]:
    return [name for name in names if importlib.util.find_spec(name) is None]


def program(name: str) -> str | None:
    """Return the path of a program of this machine or one that was unpacked; None without one."""
    unpacked = [ROOT / folder / name for folder in ("usr/bin", "usr/sbin")]
    found = next((str(path) for path in unpacked if path.exists()), None)
    return shutil.which(name, path=_PATH) or found


def fetch(package: str) -> str:
    """Unpack a Debian package and what it needs; return why that failed, or nothing.

    Needs apt, no root.
    """
    if not shutil.which("apt-get"):
        return f"apt-get is missing; install {package} by hand"
    words = ["apt-get", "--simulate", "--no-install-recommends", "install", package]
    plan = subprocess.run(words, capture_output=True, text=True, check=False)
    if plan.returncode:
        return f"apt-get finds no {package}: {plan.stderr.strip()[-200:]} (apt-get update?)"
    names = [line.split()[1] for line in plan.stdout.splitlines() if line.startswith("Inst ")]
    ROOT.mkdir(exist_ok=True)
    words = ["apt-get", "--quiet", "download", *names]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        return f"apt-get download {package} failed: {done.stderr.strip()[-300:]} (apt-get update?)"
    for archive in ROOT.glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", archive, ROOT], check=True)
        archive.unlink()
    return ""


def environment() -> dict[str, str]:
    """Return an environment in which unpacked programs find their libraries."""
    folders = [str(path) for path in (ROOT / "usr/lib").glob("*-linux-gnu*")]
    folders += [str(path) for path in (ROOT / "lib").glob("*-linux-gnu*")]
    return {**os.environ, "LD_LIBRARY_PATH": os.pathsep.join(folders)}


def missing(packages: tuple[str, ...], programs: tuple[tuple[str, str], ...]) -> list[str]:
    """Fetch what is needed; return what could not be had, in words."""
    problems = [f"Python package {name} is missing" for name in missing_packages(packages)]
    for name, package in programs:
        if program(name) is None:
            reason = fetch(package)
            if program(name) is None:
                problems.append(f"program {name} is missing: {reason or 'not in its package'}")
    return problems
