from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupiter.errors import InputError
from jupiter.formats.text import FILE_BYTES_MAX
from jupiter.orchestrator.inputs import find_inputs
from jupiter.orchestrator.loading import load_app, load_network


def folder(root: Path, **files: str) -> Path:
    (root / "configuration.txt").write_text("1\na 1 true home\n")
    for name, text in files.items():
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize("name", ["", "configuration.txt"])
def test_application_is_named_by_its_folder_or_its_file(tmp_path: Path, name: str) -> None:
    root = tmp_path / "my app"
    root.mkdir()
    app = load_app(folder(root) / name)[0]
    assert app.name == "my-app"
    assert app.root == str(root)


def test_links_are_left_out_with_a_warning(tmp_path: Path) -> None:
    outside = tmp_path / "outside.json"
    outside.write_text("{")
    root = tmp_path / "app"
    root.mkdir()
    folder(root)
    (root / "config.json").symlink_to(outside)
    (root / "loop").symlink_to(root)
    _, notes = load_app(root)
    warnings = [note for note in notes if note.level == "warning"]
    assert sorted(note.problem.split()[0] for note in warnings) == ["config.json", "loop"]


def test_pipe_does_not_hold_up_the_reader(tmp_path: Path) -> None:
    root = folder(tmp_path)
    os.mkfifo(root / "config.json")
    assert load_app(root)[0].tasks[0].name == "a"


def test_oversized_file_is_refused_without_reading_all_of_it(tmp_path: Path) -> None:
    root = folder(tmp_path)
    with (root / "name_convert.txt").open("wb") as stream:
        stream.truncate(FILE_BYTES_MAX * 1000)
    with pytest.raises(InputError, match="the file is too large"):
        load_app(root)


def test_samples_count_but_are_not_read(tmp_path: Path) -> None:
    root = folder(tmp_path)
    (root / "sample_input").mkdir()
    (root / "sample_input" / "1a.bin").write_bytes(b"\xff\0")
    assert load_app(root)[0].sample_input == ("sample_input/1a.bin",)


def test_nodes_get_the_links_of_the_list_beside_them(tmp_path: Path) -> None:
    file = tmp_path / "nodes.txt"
    file.write_text("home h0\nnode1 h1\n")
    assert "no link_list.txt" in str(load_network(file)[1][-1])
    (tmp_path / "link_list.txt").write_text("Source,Destination\nhome,node1\n")
    assert [(link.source, link.target) for link in load_network(file)[0].links] == [
        ("home", "node1")
    ]
    (tmp_path / "link_list.txt").write_text("Source,Destination\nhome,node9\n")
    with pytest.raises(InputError, match="a link names an unknown node"):
        load_network(file)


def test_references_to_secrets_that_are_kept_well_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPITER_SECRETS", str(tmp_path))
    monkeypatch.setenv("JUPITER_TEST_SECRET", "x")
    for name in ("node1", "key"):
        (tmp_path / name).write_text("k")
        (tmp_path / name).chmod(0o600)
    file = tmp_path / "nodes.txt"
    file.write_text(
        "home h0 me agent\nnode1 h1 me secret:node1\nnode2 h2 me key:key\n"
        f"node3 h3 me file:{tmp_path}/key\nnode4 h4 me env:JUPITER_TEST_SECRET\n"
    )
    assert [node.secret.partition(":")[0] for node in load_network(file)[0].nodes] == [
        "agent",
        "secret",
        "key",
        "file",
        "env",
    ]


def test_secret_cannot_be_named_out_of_its_folder(tmp_path: Path) -> None:
    file = tmp_path / "nodes.txt"
    file.write_text("home h0 me secret:../../etc/passwd\n")
    with pytest.raises(InputError, match="the name of the secret"):
        load_network(file)


def test_folder_in_place_of_a_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the file is of another kind"):
        load_network(tmp_path)


def test_inputs_of_a_folder_come_in_natural_order(tmp_path: Path) -> None:
    for name in ("10a", "9a", ".hidden"):
        (tmp_path / name).write_text("")
    assert [path[0].name for path in find_inputs([tmp_path])] == ["9a", "10a"]
