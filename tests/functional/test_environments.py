"""Environments with the packages that tasks require, built by the real pip without a network."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from jupiter.agent.cells import Cells, find_trees
from jupiter.agent.environments import Environments
from jupiter.agent.workers import Ended, House, Request, WorkerPool
from jupiter.errors import InputError, TaskError
from jupiter.home.bundle import code_of
from jupiter.model.app import Application, FunctionRun, Needs, Task
from jupiter.model.ids import ItemId, TaskId
from jupiter.model.messages import TaskCode


def make_wheel(folder: Path, name: str) -> str:
    """Write a package with one constant; return how it is required."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{name}.py", f"WORD = '{name} is here'\n")
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/RECORD", "")
    return f"{name} @ file://{path}"


async def test_task_runs_with_what_it_requires_and_that_is_installed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    wanted = make_wheel(tmp_path, "tinypackage")
    app = tmp_path / "app"
    app.mkdir()
    (app / "work.py").write_text(
        "import tinypackage\ndef only(inputs, output_dir):\n    return tinypackage.WORD\n"
    )
    store = Environments(tmp_path / "venvs")
    (pathin := tmp_path / "in").mkdir()
    (pathout := tmp_path / "out").mkdir()
    code = TaskCode(TaskId("only"), "function", ("work", "only"), requirements=(wanted,))
    pool = WorkerPool(
        [code, TaskCode(TaskId("plain"), "function", ("work", "only"))],
        app,
        tmp_path / "work",
        inputs=(pathin,),
        outputs=(pathout,),
        house=House(Cells(find_trees()), store),
    )
    ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
    request = Request(ItemId("0"), 1, [], str(pathin), str(pathout))
    try:
        _, first, second = await asyncio.gather(
            pool.start(TaskId("only")), store.python_for([wanted]), store.python_for([wanted])
        )
        pool.execute(TaskId("only"), request, ended.set_result)
        assert "'tinypackage is here' but wrote no such file" in (await ended).error
        with pytest.raises(TaskError, match="cannot be loaded: ModuleNotFoundError"):
            await pool.start(TaskId("plain"))
    finally:
        pool.close()
        await pool.closed()
    assert first == second
    assert len(list((tmp_path / "venvs").iterdir())) == 1
    word = subprocess.run(  # noqa: ASYNC221
        [first, "-c", "import tinypackage; print(tinypackage.WORD)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert word.stdout == "tinypackage is here\n"


async def test_what_cannot_be_installed_says_what_pip_said_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    root = tmp_path / "venvs"
    store = Environments(root)
    with pytest.raises(TaskError, match="No matching distribution found for no-such") as told:
        await store.python_for(["no-such-package-of-ours>=3"])
    assert "ERROR: Could not find a version" in told.value.detail
    assert list(root.iterdir()) == []


def test_those_that_were_not_used_for_longest_make_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    one, two, three = (make_wheel(tmp_path, name) for name in ("one", "two", "three"))
    root = tmp_path / "venvs"
    store = Environments(root, kept_max=1)

    def build(*requirements: str) -> Path:
        return Path(asyncio.run(store.python_for(requirements))).parent.parent

    first, second = build(one), build(two)
    assert set(root.iterdir()) == {first, second}, "both are in use"
    store.leave(str(first / "bin" / "python"))
    third = build(three)
    assert set(root.iterdir()) == {second, third}
    (third / ".complete").unlink()
    assert build(three) == third, "one that was not completed is built anew"
    assert (third / ".complete").exists()


def test_without_requirements_it_is_the_agents_own(tmp_path: Path) -> None:
    assert asyncio.run(Environments(tmp_path).python_for([])) == sys.executable
    assert list(tmp_path.iterdir()) == []


def required(folder: Path, text: str) -> tuple[str, ...]:
    (folder / "packages.txt").write_text(text)
    task = Task(TaskId("only"), FunctionRun("work", "only"), needs=Needs(("b",), ("A",)))
    app = Application("app", str(folder), (task,), needs=Needs(("-r packages.txt", "c")))
    code = code_of(app, TaskId("only"))
    assert code.environment == ("A",)
    return code.requirements


def test_file_of_requirements_is_read_line_by_line(tmp_path: Path) -> None:
    text = "# ours\na>=1  # because\n\n b\n"
    assert required(tmp_path, text) == ("a>=1", "b", "c")


@pytest.mark.parametrize("line", ["-r other.txt", "--index-url http://x", "a \\"])
def test_option_in_a_file_of_requirements_is_refused_with_its_line(
    tmp_path: Path, line: str
) -> None:
    with pytest.raises(InputError, match=r"packages.txt:2: the requirements have an option"):
        required(tmp_path, f"a\n{line}\n")
