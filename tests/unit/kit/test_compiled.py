from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import jupiter
from jupiter.kit import compiled
from jupiter.schedulers import workbench
from jupiter.schedulers.families import FamilyShape, family_problem
from jupiter.schedulers.heft import heft

SOURCE = Path(jupiter.__file__).parent


def test_every_module_with_kernels_counts_for_what_is_kept_on_disk() -> None:
    found = {
        f"jupiter.{path.relative_to(SOURCE).with_suffix('').as_posix().replace('/', '.')}"
        for path in SOURCE.rglob("*.py")
        if "\n@kernel\n" in path.read_text()
    }
    assert found == set(compiled.MODULES)


def test_importing_and_small_problems_do_not_pay_for_numba() -> None:
    code = (
        "import sys, jupiter\n"
        "assert not {'numba', 'numpy', 'pydantic'} & set(sys.modules)\n"
        "from jupiter.schedulers.families import FamilyShape, family_problem\n"
        "problem = family_problem(FamilyShape('layered', 300, 16))\n"
        "jupiter.schedule(problem, 'heft')\n"
        "jupiter.schedule(problem, budget_s=0.02)\n"
        "assert not {'numba', 'numpy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_cold_cache_delays_no_problem_of_usual_size(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(compiled, "_folder", lambda: tmp_path)
    monkeypatch.setattr(compiled, "is_loaded", lambda kernel: False)
    problem = family_problem(FamilyShape("layered", 400, 8))
    monkeypatch.setattr(workbench, "STEPS_CACHED", 10)
    assert not workbench.Workbench(problem).is_compiled
    compiled.mark_cached()
    assert workbench.Workbench(problem).is_compiled


def test_where_numba_is_missing_everything_still_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "is_available", lambda: False)
    monkeypatch.setattr(compiled, "is_loaded", lambda kernel: False)
    monkeypatch.setattr(workbench, "STEPS_CACHED", 10)
    problem = family_problem(FamilyShape("layered", 50, 4))
    assert not workbench.Workbench(problem).is_compiled
    assert heft(problem).makespan_s > 0
