"""Files of a run: where they are, whose they are, and what a restart makes of them."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest

from jupiter.agent.spool import Memory, Spool
from jupiter.errors import TaskError, TransferError
from jupiter.model.ids import SINK, ItemId, TaskId
from jupiter.model.items import Delivery, Part, PartRef

T, U = TaskId("t"), TaskId("u")
ONE, TWO = ItemId("1"), ItemId("2")


def part(name: str, body: bytes) -> Part:
    return Part(name, len(body), sha256(body).hexdigest())


def delivery(
    source: str, bodies: dict[str, bytes], *, seq: int = 1, epoch: int = 1, number: int = 1
) -> Delivery:
    parts = tuple([part(name, body) for name, body in bodies.items()])
    return Delivery("", seq, (seq,), TaskId(source), T, parts, epoch=epoch, attempt=(1, number))


def put(spool: Spool, given: Delivery, bodies: dict[str, bytes]) -> list[str]:
    paths = spool.open_inputs(given)
    for path, body in zip(paths, bodies.values(), strict=True):
        Path(path).write_bytes(body)
    return paths


def place(spool: Spool, path: str) -> str:
    return spool.place_of(os.path.dirname(path))


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "spool"


# -- names -----------------------------------------------------------------------------------------


def test_files_of_one_name_are_kept_apart_whichever_comes_first(root: Path) -> None:
    spool = Spool(root)
    a, b = {"x": b"of a"}, {"x": b"of b", "y": b"only b"}
    put(spool, delivery("a", a), a)
    put(spool, delivery("b", b), b)
    names = spool.input_names(T, [delivery("b", b), delivery("a", a)])
    folder = Path(spool.input_folder(T, ONE, 1))
    assert names == ["b~x", "b~y", "a~x"]
    assert [(folder / name).read_bytes() for name in names] == [b"of b", b"only b", b"of a"]


@pytest.mark.parametrize("renamed", [True, False])
@pytest.mark.parametrize("order", ["ab", "ba"])
def test_names_are_kept_apart_after_a_restart(root: Path, renamed: bool, order: str) -> None:
    """The journal knows the parents in another order than they came, or only one of them."""
    spool = Spool(root)
    bodies = {"a": {"x": b"of a"}, "b": {"x": b"of b"}}
    first, second = (delivery(each, bodies[each]) for each in order)
    where = place(spool, put(spool, first, bodies[order[0]])[0])
    if renamed:
        put(spool, second, bodies[order[1]])
    again = Spool(root)
    again.look()
    again.adopt_inputs(first, where)
    if renamed:
        again.adopt_inputs(second, where)
    else:
        put(again, second, bodies[order[1]])
    again.sweep(lambda task, item: True, lambda task, item: True)
    names = again.input_names(T, [first, second])
    folder = Path(again.input_folder(T, ONE, 1))
    assert [(folder / name).read_bytes() for name in names] == [bodies[each]["x"] for each in order]


def test_second_parent_that_the_journal_does_not_know_comes_again(root: Path) -> None:
    spool = Spool(root)
    a, b = {"x": b"of a"}, {"x": b"of b"}
    where = place(spool, put(spool, delivery("a", a), a)[0])
    put(spool, delivery("b", b), b)  # renames the file of the first
    again = Spool(root)
    again.look()
    again.adopt_inputs(delivery("a", a), where)
    put(again, delivery("b", b), b)
    names = again.input_names(T, [delivery("a", a), delivery("b", b)])
    folder = Path(again.input_folder(T, ONE, 1))
    assert [(folder / name).read_bytes() for name in names] == [b"of a", b"of b"]


@pytest.mark.parametrize("name", ["../x", "a/b", "", "..", "a\0b"])
def test_names_that_lead_out_are_refused(root: Path, name: str) -> None:
    spool = Spool(root)
    with pytest.raises(TransferError):
        spool.open_inputs(Delivery("", 1, (1,), T, U, (Part(name, 1),)))
    folder = spool.new_folder()
    with pytest.raises(TaskError):
        spool.keep_outputs(T, ONE, folder, (Part(name, 0),))


def test_output_that_is_no_file_or_was_changed_is_refused(root: Path) -> None:
    spool = Spool(root)
    folder = Path(spool.new_folder())
    (folder / "link").symlink_to("/etc/hostname")
    (folder / "folder").mkdir()
    (folder / "short").write_bytes(b"1")
    for name, what in [
        ("link", "no regular file"),
        ("folder", "no regular file"),
        ("short", "changed after its end"),
        ("none", "wrote no such file"),
    ]:
        with pytest.raises(TaskError, match=what):
            spool.keep_outputs(T, ONE, str(folder), (Part(name, 7),))


# -- links -----------------------------------------------------------------------------------------


def test_link_takes_the_place_of_what_is_there(root: Path) -> None:
    spool = Spool(root)
    out = Path(spool.new_folder())
    (out / "x").write_bytes(b"new")
    spool.own(U, ONE, str(out))
    given = delivery("u", {"x": b"new"})
    refs = (PartRef(ONE, U, given.parts[0]),)
    (path,) = spool.open_inputs(given)
    Path(path).write_bytes(b"half")  # of what a restart cut short
    spool.link_inputs(given, refs)
    spool.link_inputs(given, refs)
    assert Path(path).read_bytes() == b"new"
    assert Path(path).samefile(out / "x")


def test_parts_that_were_dropped_are_told(root: Path) -> None:
    spool = Spool(root)
    given = delivery("u", {"x": b""})
    refs = (PartRef(ONE, U, given.parts[0]),)
    assert spool.paths_of(refs) is None
    with pytest.raises(TransferError, match="are gone"):
        spool.link_inputs(given, refs)


def test_parts_of_the_same_attempt_are_taken_over_into_a_new_epoch(root: Path) -> None:
    spool = Spool(root)
    bodies = {"x": b"same"}
    (old,) = put(spool, delivery("a", bodies), bodies)
    assert not spool.carry(delivery("a", bodies, epoch=2, number=2))
    later = delivery("a", bodies, epoch=2)
    assert spool.carry(later)
    (new,) = spool.input_paths(later)
    assert new != old
    spool.drop_inputs(T, ONE, 1)
    assert Path(new).read_bytes() == b"same"
    assert spool.input_paths(delivery("a", bodies)) == []


@pytest.mark.parametrize("harm", ["gone", "damaged"])
def test_damaged_parts_are_not_taken_over(root: Path, harm: str) -> None:
    spool = Spool(root)
    bodies = {"x": b"same"}
    (old,) = put(spool, delivery("a", bodies), bodies)
    again = Spool(root)
    again.look()
    again.adopt_inputs(delivery("a", bodies), place(spool, old))
    if harm == "gone":
        Path(old).unlink()
    else:
        Path(old).write_bytes(b"SAME")
    assert not again.carry(delivery("a", bodies, epoch=2))


# -- after a restart -------------------------------------------------------------------------------


def test_sweep_leaves_what_is_needed_and_nothing_else(root: Path) -> None:
    spool = Spool(root)
    bodies = {"x": b"1"}
    kept = put(spool, delivery("a", bodies), bodies)[0]
    over = put(spool, delivery("a", bodies, seq=2), bodies)[0]
    unknown = Path(spool.new_folder())
    (unknown / "half").write_bytes(b"h")
    out = Path(spool.new_folder())
    (out / "o").write_bytes(b"2")
    (root / "given" / "stray").write_bytes(b"s")
    again = Spool(root)
    again.look()
    again.adopt_inputs(delivery("a", bodies), place(spool, kept))
    again.adopt_inputs(delivery("a", bodies, seq=2), place(spool, over))
    again.adopt_outputs(U, ONE, spool.place_of(str(out)))
    again.sweep(lambda task, item: item == ONE, lambda task, item: True)
    assert files(root) == sorted(os.path.relpath(each, root) for each in (kept, out / "o"))
    assert again.input_paths(delivery("a", bodies, seq=2)) == []
    assert again.has_unchecked
    for _ in range(5):  # no folder is given away that is somebody's
        new = Path(again.new_folder())
        assert new not in (out, Path(kept).parent)
        assert list(new.iterdir()) == []


def test_folder_that_was_used_again_belongs_to_the_last(root: Path) -> None:
    """The journal names it for both; what it said first was dropped meanwhile."""
    spool = Spool(root)
    first, second = {"x": b"first"}, {"y": b"second"}
    (path,) = put(spool, delivery("a", first), first)
    where = place(spool, path)
    spool.drop_inputs(T, ONE, 1)
    (other,) = put(spool, delivery("b", second, seq=2), second)
    assert place(spool, other) == where
    again = Spool(root)
    again.look()
    again.adopt_inputs(delivery("a", first), where)
    again.adopt_inputs(delivery("b", second, seq=2), where)
    again.sweep(lambda task, item: True, lambda task, item: True)
    assert again.input_paths(delivery("a", first)) == []
    assert Path(again.input_paths(delivery("b", second, seq=2))[0]).read_bytes() == b"second"
    again.drop_inputs(T, ONE, 1)  # changes nothing for the other
    assert files(root) == [os.path.relpath(other, root)]


def test_outputs_in_a_folder_that_was_used_again(root: Path) -> None:
    spool = Spool(root)
    folder = spool.new_folder()
    where = spool.place_of(folder)
    Path(folder, "b").write_bytes(b"b")
    again = Spool(root)
    again.look()
    again.adopt_outputs(T, ONE, where)
    again.adopt_outputs(U, TWO, where)
    again.sweep(lambda task, item: True, lambda task, item: True)
    assert again.output_folder(T, ONE) == ""
    assert again.output_folder(U, TWO) == folder
    again.drop_outputs(T, ONE)
    assert Path(folder, "b").exists()


def test_files_from_before_a_restart_are_looked_at_once(root: Path) -> None:
    spool = Spool(root)
    folder = Path(spool.new_folder())
    (folder / "x").write_bytes(b"good")
    again = Spool(root)
    again.look()
    again.adopt_outputs(T, ONE, spool.place_of(str(folder)))
    assert again.output_folder(T, ONE) == str(folder)
    good = [("x", part("x", b"good"))]
    assert again.unchecked_fault(str(folder), good) == ""
    for name, body, what in [
        ("x", b"GOOD", "is not what was written"),
        ("x", b"longer", "has 4 bytes, not 6"),
        ("y", b"good", "cannot be read: No such file or directory"),
    ]:
        assert what in again.unchecked_fault(str(folder), [(name, part(name, body))])
    (folder / "z").symlink_to(folder / "x")
    assert "cannot be read" in again.unchecked_fault(str(folder), [("z", part("z", b"good"))])
    os.mkfifo(folder / "pipe")
    assert "no regular file" in again.unchecked_fault(str(folder), [("pipe", part("p", b""))])
    again.is_checked(str(folder))
    assert not again.has_unchecked
    (folder / "x").write_bytes(b"GOOD")
    assert again.unchecked_fault(str(folder), good) == ""
    again.distrust(T, ONE)
    assert again.unchecked_fault(str(folder), good) != ""


def test_results_are_moved_once(root: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    bodies = {"x": b"1", "y": b"2"}
    parts = tuple([part(name, body) for name, body in bodies.items()])
    given = Delivery("", 1, (1,), T, SINK, parts)
    spool = Spool(root)
    where = place(spool, put(spool, given, bodies)[0])
    os.replace(spool.input_paths(given)[0], results / "x.1")  # then the process died
    again = Spool(root)
    again.look()
    again.adopt_inputs(given, where)
    both = (str(results / "x.1"), str(results / "y.1"))  # nobody knows what was synced
    assert again.move_results(given, results, ["x.1", "y.1"]) == both
    assert again.move_results(given, results, ["x.1", "y.1"]) == ()
    assert {path.name: path.read_bytes() for path in results.iterdir()} == {
        "x.1": b"1",
        "y.1": b"2",
    }


# -- memory ----------------------------------------------------------------------------------------


@pytest.fixture
def both(tmp_path: Path) -> tuple[Spool, Path, Path]:
    disk, memory = tmp_path / "disk", tmp_path / "memory"
    return Spool(disk, Memory(memory, bytes_max=100, file_bytes_max=60)), disk, memory


def test_small_files_are_in_memory_as_far_as_it_goes(both: tuple[Spool, Path, Path]) -> None:
    spool, disk, memory = both
    sizes = [50, 61, 40, 20, 10]  # the second is too large, the fourth finds no room
    for seq, size in enumerate(sizes):
        bodies = {"x": b"b" * size}
        put(spool, delivery("a", bodies, seq=seq), bodies)
    assert len(files(memory)) == 3
    assert len(files(disk)) == 2
    assert not spool.new_folder("in", 1).startswith(str(memory))
    spool.drop_inputs(T, ItemId("0"), 1)
    assert spool.new_folder("in", 50).startswith(str(memory))
    assert not spool.new_folder("in", 51).startswith(str(memory))


def test_room_in_memory_comes_back_in_full(both: tuple[Spool, Path, Path]) -> None:
    spool, _, memory = both
    for round_ in range(50):
        bodies = {"x": b"b" * 60}
        put(spool, delivery("a", bodies, seq=round_), bodies)
        folder = spool.new_folder("out", 40)
        assert folder.startswith(str(memory))
        Path(folder, "o").write_bytes(b"o" * 40)
        spool.keep_outputs(T, ItemId(str(round_)), folder, (Part("o", 40),))
        assert not spool.new_folder("in", 1).startswith(str(memory))
        spool.drop_inputs(T, ItemId(str(round_)), 1)
        spool.drop_outputs(T, ItemId(str(round_)))
    assert spool.memory_bytes == 0
    assert files(memory) == []


def test_parts_that_were_refused_leave_no_debt_in_memory(both: tuple[Spool, Path, Path]) -> None:
    spool, _, _ = both
    for seq in range(20):
        bodies = {"x": b"b" * 60}
        given = delivery("a", bodies, seq=seq)
        put(spool, given, bodies)
        spool.forget_inputs(given)
        assert spool.input_paths(given) == []
        spool.drop_inputs(T, ItemId(str(seq)), 1)
    assert spool.memory_bytes == 0


def test_files_in_memory_are_found_again(both: tuple[Spool, Path, Path]) -> None:
    spool, disk, memory = both
    bodies = {"x": b"small"}
    given = delivery("a", bodies)
    (path,) = put(spool, given, bodies)
    where = place(spool, path)
    assert where.startswith("*")
    again = Spool(disk, Memory(memory, 100, 60))
    again.look()
    again.adopt_inputs(given, where)
    again.sweep(lambda task, item: True, lambda task, item: True)
    assert again.input_paths(given) == [path]
    assert Path(path).read_bytes() == b"small"


def test_memory_counts_what_was_there_before_a_restart(both: tuple[Spool, Path, Path]) -> None:
    spool, disk, memory = both
    bodies = {"x": b"b" * 60}
    given = delivery("a", bodies)
    where = place(spool, put(spool, given, bodies)[0])
    again = Spool(disk, Memory(memory, 100, 60))
    again.look()
    again.adopt_inputs(given, where)
    again.sweep(lambda task, item: True, lambda task, item: True)
    assert not again.new_folder("in", 41).startswith(str(memory))
    assert again.new_folder("in", 40).startswith(str(memory))
    again.drop_inputs(T, ONE, 1)
    assert again.memory_bytes == 0


def test_all_of_a_run_is_removed(both: tuple[Spool, Path, Path]) -> None:
    spool, disk, memory = both
    spool.new_folder("in", 1)
    spool.remove()
    assert not disk.exists()
    assert not memory.exists()


def test_folder_in_a_folder_is_removed_too(root: Path) -> None:
    spool = Spool(root)
    folder = Path(spool.new_folder())
    (folder / "made" / "by").mkdir(parents=True)
    spool.discard(str(folder))
    assert list((root / "out").iterdir()) in ([], [folder])
    assert list(Path(spool.new_folder()).iterdir()) == []


def test_folder_that_a_restart_made_again_is_given_to_nobody_else(
    both: tuple[Spool, Path, Path],
) -> None:
    spool, _, memory = both
    spool.look()
    assert not spool.adopt_outputs(TaskId("@in"), ItemId("0"), "*given/3")
    folders = [spool.new_folder("given") for _ in range(5)]
    assert f"{memory}/given/3" not in folders
    assert len(set(folders)) == 5
