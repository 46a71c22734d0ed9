"""Bad task graphs and names in them; see `cases` for the numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.functional.bad_inputs.cases import Case, Jupiter, app, check

from jupiter.errors import FAULTS_SHOWN_MAX, InputError
from jupiter.formats import configuration

GRAPHS = [
    app("1-empty", "", "configuration.txt: the file is empty", "expected the number of tasks"),
    app(
        "2-no-count",
        "a 1 true home\n",
        "configuration.txt:1:1: the first line is not the number of tasks",
        "got 'a 1 true home'; expected one whole number",
        "Try: write the number of task lines",
    ),
    app(
        "3-count-too-large",
        "3\na 1 true home\n",
        "configuration.txt:1:1: the first line announces 3 task lines but 1 follow",
        "got 3; expected 1",
        "Try: write 1, or add task lines",
    ),
    app(
        "3-count-too-small",
        "1\na 1 true b\nb 1 true home\n",
        "configuration.txt:1:1: the first line announces 1 task lines but 2 follow",
        "Try: write 2, or delete task lines",
    ),
    app("4-negative", "-1\na 1 true home\n", "configuration.txt:1:1: the number", "got '-1'"),
    app(
        "4-billion",
        "1000000000\na 1 true home\n",
        "configuration.txt:1:1: the number of tasks is out of range",
        "got '1000000000'; expected a whole number from 1 to 10000",
    ),
    app(
        "5-duplicate-task",
        "2\na 1 true home\na 1 true home\n",
        "configuration.txt:3:1: task 'a' is written twice",
        "first on line 2; expected every task once",
        "Try: rename one of them, or delete it",
    ),
    app(
        "6-unknown-child",
        "2\nsplit 1 true merger\nmerge 1 true home\n",
        "configuration.txt:2:14: child 'merger' of task 'split' is no task",
        "Try: 'merge' (did you mean that?)",
    ),
    app(
        "7-cycle",
        "3\na 1 true b\nb 1 true c\nc 1 true a home\n",
        "configuration.txt:2:1: the tasks run in a circle",
        "got a -> b -> c -> a; expected a graph without cycles",
        "Try: remove one of these edges",
    ),
    app(
        "8-unreachable",
        "4\na 1 true home\nb 1 true c\nc 1 true b d\nd 1 true home\n",
        "configuration.txt:5:1: task 'd' cannot be reached from any entry task",
        "got entry tasks: a",
    ),
    app(
        "9-wrong-num-inputs",
        "3\na 1 true b c\nb 1 true c\nc 3 true home\n",
        "configuration.txt:4:3: task 'c' waits for 3 inputs but has 2 parents",
        "got 3; expected 2",
        "Try: write 2",
    ),
    app("10-not-a-number", "1\na x true home\n", "configuration.txt:2:3: NUM_INPUTS", "got 'x'"),
    app("10-zero", "1\na 0 true home\n", "configuration.txt:2:3: NUM_INPUTS", "got '0'"),
    app("10-negative", "1\na -2 true home\n", "configuration.txt:2:3: NUM_INPUTS", "got '-2'"),
    app("11-flag", "1\na 1 maybe home\n", "configuration.txt:2:5: FLAG of task 'a' is neither"),
    *(
        app(
            f"11-{flag}",
            f"1\na 1 {flag} home\n",
            "configuration.txt:2:5: FLAG of task 'a' is known from late apps, but not supported",
            f"got '{flag}'; expected true",
        )
        for flag in ("ordered", "exclusive")
    ),
    app(
        "12-self-loop",
        "2\na 1 true a b\nb 1 true home\n",
        "configuration.txt:2:10: task 'a' is its own child",
        "only a task without children may name itself",
        "Try: delete the child",
    ),
    app(
        "13-no-exit",
        "2\na 1 true b\nb 1 true a\n",
        "configuration.txt: no task ends the graph",
        "Try: give the last task the child home",
    ),
    Case(
        "14-two-entries",
        {
            "app.toml": 'name = "x"\nentry = "a"\n[[task]]\nname = "a"\nrun = ["cat"]\n'
            '[[task]]\nname = "b"\nrun = ["cat"]\n'
        },
        ("app.toml:2:1: the graph has 2 entry tasks where 1 is named", "got 'a'", "a, b"),
    ),
]
NAMES = [
    app("16-nul", b"1\na\0 1 true home\n", "configuration.txt:2:2: the line holds", "got U+0000"),
    app("16-control", "1\na\x1b 1 true home\n", "configuration.txt:2:2: the line", "got U+001B"),
    app(
        "16-not-utf8",
        b"1\n\xe4 1 true home\n",
        "configuration.txt:2:1: the line is not UTF-8",
        "got byte 0xe4",
        "Try: save the file as UTF-8",
    ),
    app(
        "16-bidi",
        "1\na\u202eb 1 true home\n",
        "configuration.txt:2:2: the line holds",
        "got U+202E RIGHT-TO-LEFT OVERRIDE",
    ),
    *(
        app(f"17-{why}", f"1\n{name} 1 true home\n", "configuration.txt:2:1: the name of the task")
        for why, name in (
            ("parent-folder", "../x"),
            ("device", "con.d"),
            ("option", "-rf"),
            ("slash", "a/b"),
            ("long", "n" * 300),
            ("dots", "..."),
        )
    ),
    app(
        "18-case",
        "2\nTask 1 true home\ntask 1 true home\n",
        "configuration.txt:3:1: tasks 'Task' and 'task' differ only in case or form",
        "Try: rename one of them",
    ),
    app(
        "18-unicode-form",
        "2\nfile 1 true home\n\ufb01le 1 true home\n",
        "configuration.txt:3:1: tasks 'file' and '\ufb01le' differ only in case or form",
    ),
]


@pytest.mark.parametrize("case", [*GRAPHS, *NAMES], ids=lambda case: case.id)
def test_bad_input_says_where_what_and_what_to_do(
    case: Case, tmp_path: Path, jupiter: Jupiter
) -> None:
    check(case, tmp_path, jupiter)


def test_15_layout_of_other_editors_is_accepted_and_noted(tmp_path: Path, jupiter: Jupiter) -> None:
    content = b"\xef\xbb\xbf2\r\na  1\ttrue b\r\nb 1 true home"
    (tmp_path / "configuration.txt").write_bytes(content)
    ended = jupiter("app", "check", ".")
    assert ended.code == 0
    for words in ("byte order mark", "CR LF", "tabs or several blanks", "last line has no end"):
        assert words in ended.text


def test_all_faults_of_a_folder_come_at_once(tmp_path: Path, jupiter: Jupiter) -> None:
    (tmp_path / "configuration.txt").write_text("5\na x true c\nb 7 maybe home\n")
    (tmp_path / "app_config.ini").write_text("[DOCKER_PORT]\nA = 70000\n")
    (tmp_path / "config.json").write_text('{"taskname_map": {"a": []}}')
    ended = jupiter("app", "check", ".")
    assert ended.code == 2
    for place in (
        "configuration.txt:1:1: ",
        "configuration.txt:2:3: ",
        "configuration.txt:2:10: ",
        "configuration.txt:3:3: ",
        "configuration.txt:3:5: ",
        "app_config.ini:2:5: ",
        "app_config.ini: section [SVC_PORT]",
        "config.json:1:19: ",
    ):
        assert place in ended.text


def test_only_the_first_faults_are_shown_and_the_rest_counted() -> None:
    lines = "".join(f"t{k} 0 perhaps home\n" for k in range(50))
    with pytest.raises(InputError) as refused:
        configuration.parse(f"50\n{lines}", "file")
    text = str(refused.value).splitlines()
    assert len(text) == FAULTS_SHOWN_MAX + 1
    assert text[-1] == f"… and {100 - FAULTS_SHOWN_MAX} more."


def test_path_that_is_not_there_names_its_nearest_sibling(tmp_path: Path, jupiter: Jupiter) -> None:
    (tmp_path / "wordcount").mkdir()
    ended = jupiter("app", "check", "wordcuont")
    assert ended.code == 2
    assert ended.text.startswith("wordcuont: the folder does not exist")
    assert "Try: wordcount (did you mean that?)" in ended.text
