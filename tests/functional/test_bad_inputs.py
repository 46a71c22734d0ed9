"""Every bad input that users of the seeds can give ends in a text that says what to do.

The numbers are those of the list "Bad inputs that must give a clear error", 1 to 35. Number 36
(unknown SSH host key) belongs to the engine that opens SSH connections.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from jupiter.cli.main import main
from jupiter.errors import FAULTS_SHOWN_MAX, InputError
from jupiter.formats import configuration, dag, jupiter_config, link_parameters, mapping, tgff
from jupiter.formats.text import Faults

Content = str | bytes
Parse = Callable[[Content, str], object]
FAULT = re.compile(r"\S+?(:\d+(:\d+)?)?: .+\.( Try: .+)?|… and \d+ more\.")


@dataclass(frozen=True)
class Case:
    """One bad input.

    Attributes:
        id: Number in the list, and what is wrong.
        files: Of the application folder, or ``nodes.txt``, or ``file`` for `parse`.
        says: Parts of one fault; the first is its beginning, with its place.
        parse: For formats that no command reads.
        modes: Of files, where not 0o600.
    """

    id: str
    files: Mapping[str, Content]
    says: tuple[str, ...]
    parse: Parse | None = None
    modes: Mapping[str, int] = field(default_factory=dict)


def app(number: str, text: Content, *says: str, beside: Mapping[str, str] | None = None) -> Case:
    return Case(number, {"configuration.txt": text, **(beside or {})}, says)


def nodes(number: str, text: str, *says: str, mode: int = 0o600) -> Case:
    return Case(number, {"nodes.txt": text}, says, modes={"nodes.txt": mode})


def parsed(number: str, parse: Parse, text: str, *says: str) -> Case:
    return Case(number, {"file": text}, says, parse)


def parse_schedule(content: Content, file: str) -> object:
    faults = Faults(file)
    mapping.check(mapping.read(content, faults), ("a", "b"), ("node1", "node2"), faults)
    return faults.parsed(None)


ONE = "1\na 1 true home\n"
TGFF = """@TASK_GRAPH 0 {
\tAPERIODIC

\tTASK a\tTYPE 0
\tTASK b\tTYPE 1

\tARC a0_0 \tFROM t0_0 TO t0_1 \tTYPE 18

}
@computation_cost 0 {
# type version n1 n2
  t0_0    0\t14 16
  t0_1    0\t13 19
}
@quadratic 0 {
# Source Destination a b c
  n1\tn2\t0.0 1.0 0.0
}
"""

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
SCHEDULES = [
    app(
        "19-unknown-task",
        ONE + "b n1\na n1\n",
        "configuration.txt:3:1: the schedule names an unknown task",
        "got 'b'",
    ),
    app(
        "19-task-twice",
        ONE + "a n1\na n2\n",
        "configuration.txt:4:1: task a is put on two nodes",
        "got n2; n1 on line 3",
    ),
    app(
        "19-task-missing",
        "2\na 1 true b\nb 1 true home\na n1\n",
        "configuration.txt: task 'b' has no node",
        "Try: add one",
    ),
    parsed(
        "19-unknown-node",
        parse_schedule,
        "a node1\nb node3\n",
        "file:2:3: the schedule names an unknown node",
        "got 'node3'",
        "did you mean that?",
    ),
    parsed(
        "20-count-in-the-middle",
        dag.parse,
        "a b\n2\nb home\n",
        "file:2:1: a count stands among the lines of the graph",
        "got '2'",
    ),
]
COSTS = [
    parsed(
        "21-unknown-section",
        tgff.parse,
        TGFF + "@colour 0 {\n}\n",
        "file:19:1: a section is unknown",
        "got '@colour'",
    ),
    parsed(
        "21-arc-to-unknown-task",
        tgff.parse,
        TGFF.replace("TO t0_1", "TO t0_7"),
        "file:7:25: this is no task of the graph",
        "got 't0_7'; expected t0_0 to t0_1",
    ),
    parsed(
        "21-duplicate-arc",
        tgff.parse,
        TGFF.replace("TYPE 18\n", "TYPE 18\n\tARC a0_1 \tFROM t0_0 TO t0_1 \tTYPE 9\n"),
        "file:8:17: the arc from a to b is written twice",
    ),
    parsed(
        "21-missing-cost",
        tgff.parse,
        TGFF.replace("13 19", "13"),
        "file:13:3: task b has 1 costs for 2 processors",
    ),
    parsed(
        "21-extra-cost",
        tgff.parse,
        TGFF.replace("13 19", "13 19 20"),
        "file:13:3: task b has 3 costs for 2 processors",
    ),
    *(
        parsed(
            f"21-cost-{cost}",
            tgff.parse,
            TGFF.replace("13 19", f"13 {cost}"),
            "file:13:16: a cost of b is no",
            f"got '{cost}'",
            "expected a finite decimal number of 0 or more",
        )
        for cost in ("-1", "nan", "inf")
    ),
    parsed(
        "21-unclosed-brace",
        tgff.parse,
        TGFF.rstrip("}\n") + "\n",
        "file:15:1: section @quadratic is not closed",
    ),
    parsed(
        "21-two-graphs",
        tgff.parse,
        TGFF + "@TASK_GRAPH 0 {\n}\n",
        "file:19:1: there are two sections @TASK_GRAPH",
    ),
    parsed(
        "22-two-numbers",
        link_parameters.parse,
        "1.0 2.0",
        "file:1:1: link parameters are not three numbers",
        "got '1.0 2.0'",
    ),
    parsed("22-nan", link_parameters.parse, "0 nan 1", "file:1:3: parameter b", "got 'nan'"),
    parsed(
        "22-negative-curve",
        link_parameters.parse,
        "-1 -1 -1",
        "file:1:1: the curve of a link is negative for every size",
        "got -1.0 -1.0 -1.0",
    ),
]
SMALL_FILES = [
    app(
        "23-missing-section",
        ONE,
        "app_config.ini: section [DOCKER_PORT] is missing",
        "got [SVC_PORT]",
        beside={"app_config.ini": "[SVC_PORT]\n"},
    ),
    app(
        "23-duplicate-key",
        ONE,
        "app_config.ini:3:1: key 'A' is written twice",
        "first on line 2",
        beside={"app_config.ini": "[DOCKER_PORT]\nA = 1\nA = 2\n[SVC_PORT]\nA = 1\n"},
    ),
    app(
        "23-interpolation",
        ONE,
        "app_config.ini:2:5: the value of 'A' asks for interpolation",
        "got '%(B)s'",
        beside={"app_config.ini": "[DOCKER_PORT]\nA = %(B)s\n[SVC_PORT]\nA = 1\n"},
    ),
    parsed(
        "23-index-outside-list",
        jupiter_config.parse,
        "[CONFIG]\nSCHEDULER = 7\n[OTHER]\n[SCHEDULER_LIST]\nHEFT = 0\nWAVE_RANDOM = 1\n",
        "file:2:13: SCHEDULER is not in [SCHEDULER_LIST]",
        "got '7'; expected 0 (HEFT), 1 (WAVE_RANDOM)",
    ),
    parsed(
        "23-minus-one",
        jupiter_config.parse,
        "[CONFIG]\n[OTHER]\nTASK_QUEUE_SIZE = -1\nMAX_LOG = -1\n",
        "file:4:11: 'MAX_LOG' cannot be unlimited",
        "got '-1'",
    ),
    app(
        "24-wrong-arity",
        ONE,
        "config.json:1:19: the entry of task 'a' has not at least two values",
        'got ["a"]; expected [script, is_dag, argument…]',
        beside={"config.json": '{"taskname_map": {"a": ["a"]}}'},
    ),
    app(
        "24-module-missing",
        ONE,
        "scripts/config.json:1:25: the script of task 'a' is missing",
        "expected the file scripts/a.py",
        beside={"scripts/config.json": '{"taskname_map": {"a": ["a", true]}}', "scripts/b.py": ""},
    ),
    app(
        "24-not-a-bool",
        ONE,
        "config.json:1:30: a flag of task 'a' is neither true nor false",
        'got "yes"',
        beside={"config.json": '{"taskname_map": {"a": ["a", "yes"]}}'},
    ),
    app(
        "25-row-missing",
        ONE,
        "name_convert.txt: there is no row for 'a'",
        "Try: add the row",
        beside={"name_convert.txt": "input botnet botnet\n"},
    ),
    app(
        "25-marker-not-in-name",
        ONE,
        "name_convert.txt:2:1: the input marker of task 'a' is not in the name",
        "got marker 'camera', file '1botnet.ipsum'",
        beside={
            "name_convert.txt": "input botnet botnet\na split camera\n",
            "sample_input/1botnet.ipsum": "",
        },
    ),
    app(
        "26-same-frame",
        ONE,
        "sample_input/a_2.txt: the file belongs to the same frame as sample_input/a_1.txt",
        "got 'a_2.txt'",
        beside={"sample_input/a_1.txt": "", "sample_input/a_2.txt": ""},
    ),
]
NODES = [
    nodes("27-empty", "", "nodes.txt: the file is empty", "Try: write a first line"),
    nodes(
        "28-duplicate-node",
        "home h0\nnode1 h1\nnode1 h2\n",
        "nodes.txt:3:1: node 'node1' is written twice",
        "first on line 2",
    ),
    nodes("29-no-home", "node1 h1\n", "nodes.txt: no line names the home node", "Try: add"),
    nodes(
        "30-literal-password",
        "home h0 me agent\nnode1 h1 me hunter2\n",
        "nodes.txt:2:13: clear-text password for node 'node1' (value not shown)",
        "Try: keep it elsewhere, write secret:node1 here",
    ),
    nodes(
        "31-placeholders",
        "scheduler IP user password\n",
        "nodes.txt:1:11: node 'scheduler' still has words of the template",
        "placeholder 'IP', placeholder 'user', placeholder 'password'",
        "Try: fill them in",
    ),
    nodes(
        "31-placeholders-with-commas",
        "Tag,Node,Region\nhome,USERNAME1@IP1,LOC1,PASSWORD1\n",
        "nodes.txt:2:16: node 'home' still has words of the template",
    ),
    nodes(
        "32-five-columns",
        "home h0 me hunter2 word\n",
        "nodes.txt:1:1: the line has too many columns",
        "got 5 columns",
        "Try: the format cannot hold passwords with blanks",
    ),
    *(
        nodes(f"33-{why}", f"home {host}\n", "nodes.txt:1:6: the address", f"got '{host}'")
        for why, host in (
            ("bad-address", "300.1.1.1"),
            ("port-0", "h0:0"),
            ("port-70000", "h0:70000"),
            ("ipv6-without-brackets", "fe80::1"),
        )
    ),
    nodes(
        "34-open-file",
        "home h0 me hunter2\n",
        "nodes.txt: others may read this file, and it holds passwords",
        "got mode 644; expected mode 600",
        "Try: chmod 600",
        mode=0o644,
    ),
    nodes(
        "35-unknown-secret",
        "home h0 me secret:nothing\n",
        "nodes.txt:1:12: the secret of node 'home' does not exist",
        "got 'secret:nothing'",
    ),
    nodes(
        "35-missing-file",
        "home h0 me file:nothing\n",
        "nodes.txt:1:12: the secret of node 'home' does not exist",
    ),
    Case(
        "35-open-file",
        {"nodes.txt": "home h0 me file:key\n", "key": "k"},
        ("nodes.txt:1:12: others may read the secret of node 'home'", "mode 644; expected mode"),
        modes={"key": 0o644},
    ),
    nodes(
        "35-unset-variable",
        "home h0 me env:JUPITER_TEST_NOT_SET\n",
        "nodes.txt:1:12: the variable with the secret of node 'home' is not set",
        "expected JUPITER_TEST_NOT_SET in the environment",
    ),
]
CASES = [*GRAPHS, *NAMES, *SCHEDULES, *COSTS, *SMALL_FILES, *NODES]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    text: str


Jupiter = Callable[..., Ended]


@pytest.fixture
def jupiter(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Jupiter:
    """Return a function that runs the command line in an empty folder."""
    monkeypatch.setenv("JUPITER_SECRETS", str(tmp_path / "no-secrets"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["jupiter", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return Ended(int(ended.value.code or 0), capsys.readouterr().err)

    return run


def write(folder: Path, case: Case) -> None:
    for name, content in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(case.modes.get(name, 0o600))


def give(case: Case, folder: Path, jupiter: Jupiter) -> Ended:
    """Give a bad input to the parser, or to the command that reads it."""
    if case.parse is not None:
        with pytest.raises(InputError) as refused:
            case.parse(case.files["file"], "file")
        return Ended(refused.value.exit_code, str(refused.value))
    write(folder, case)
    if "nodes.txt" in case.files:
        return jupiter("nodes", "check", "nodes.txt")
    return jupiter("app", "check", ".")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_bad_input_says_where_what_and_what_to_do(
    case: Case, tmp_path: Path, jupiter: Jupiter
) -> None:
    ended = give(case, tmp_path, jupiter)
    assert ended.code == 2
    assert "Traceback" not in ended.text
    assert "hunter2" not in ended.text
    lines = ended.text.splitlines()
    assert [line for line in lines if not FAULT.fullmatch(line)] == []
    told = [line for line in lines if line.startswith(case.says[0])]
    assert told, ended.text
    for words in case.says[1:]:
        assert words in told[0]


def test_15_layout_of_other_editors_is_accepted_and_noted(tmp_path: Path, jupiter: Jupiter) -> None:
    content = b"\xef\xbb\xbf2\r\na  1\ttrue b\r\nb 1 true home"
    (tmp_path / "configuration.txt").write_bytes(content)
    ended = jupiter("app", "check", ".")
    assert ended.code == 0
    for words in ("byte order mark", "CR LF", "tabs or several blanks", "last line has no end"):
        assert words in ended.text


def test_28_same_address_of_two_nodes_is_a_warning(tmp_path: Path, jupiter: Jupiter) -> None:
    (tmp_path / "nodes.txt").write_text("home h0\nnode1 h1\nnode2 h1\n")
    ended = jupiter("nodes", "check", "nodes.txt")
    assert ended.code == 0
    assert "nodes.txt:3:7: warning: nodes 'node1' and 'node2' have the same address" in ended.text


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
