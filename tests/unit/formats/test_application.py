from __future__ import annotations

import json

import pytest

from jupiter.errors import InputError
from jupiter.formats import app_toml
from jupiter.formats.application import load_application
from jupiter.formats.text import Parsed
from jupiter.model.app import (
    Application,
    CommandRun,
    ContainerRun,
    FunctionRun,
    NameRule,
    Needs,
    ScriptRun,
    Service,
)

GRAPH = """4
split 1 false left right
left 1 true merge
right 1 true merge
merge 2 true home
"""
SCRIPTS = {f"scripts/{name}.py": None for name in ("split", "left", "right", "merge")}


def load(files: dict[str, str | bytes | None]) -> Parsed[Application]:
    return load_application(files, "folder", "app")


def config(**entries: list[object]) -> str:
    return json.dumps({"taskname_map": entries})


def problems(files: dict[str, str | bytes | None]) -> list[str]:
    with pytest.raises(InputError) as refused:
        load(files)
    return [f"{fault.file}:{fault.line}: {fault.problem}" for fault in refused.value.faults]


def test_folder_of_the_first_system_needs_no_config_json() -> None:
    app = load({"configuration.txt": GRAPH, **SCRIPTS}).value
    assert [task.run for task in app.tasks][:1] == [ScriptRun("scripts/split.py")]
    assert [task.route for task in app.tasks] == ["scatter"] + ["broadcast"] * 3
    assert app.graph.entries == ("split",)
    assert app.sinks == ("merge",)
    assert (app.name, app.root) == ("app", "folder")


def test_scripts_may_lie_beside_the_configuration() -> None:
    files = {"configuration.txt": "1\na 1 true home\n", "config.json": config(a=["x", True])}
    assert load({**files, "x.py": None}).value.tasks[0].run == ScriptRun("x.py")


def test_arguments_and_classes_of_tasks_are_kept() -> None:
    text = json.dumps(
        {
            "taskname_map": {
                "a": ["a", True, 0, "x", True],
                "h": ["tools/h", False, 1],
                "s": ["s", False],
            },
            "exec_profiler": {"a": False},
            "PortNum": "57021",
        }
    )
    loaded = load(
        {
            "configuration.txt": "3\na 1 true home h\nh 1 false s\ns 1 false s\n",
            "scripts/config.json": text,
            "scripts/a.py": None,
            "scripts/tools/h.py": None,
            "scripts/s.sh": None,
        }
    )
    app = loaded.value
    assert app.tasks[0].run == ScriptRun("scripts/a.py", ("0", "x", "true"))
    assert not app.tasks[0].is_profiled
    assert app.tasks[0].children == ()
    assert app.services == (
        Service(app.services[0].name, ScriptRun("scripts/tools/h.py", ("1",)), ("s",)),  # type: ignore[arg-type]
        Service(app.services[1].name, CommandRun(("sh", "{app}/scripts/s.sh"))),
    )
    assert app.private == {"PortNum": "57021"}
    assert any("1 edges lead to helper services" in note.problem for note in loaded.notes)


def test_num_inputs_counts_parents_in_the_graph_only() -> None:
    files: dict[str, str | bytes | None] = {
        "configuration.txt": "3\na 1 true c\ns 1 true c\nc 1 true home\n",
        "config.json": config(a=["a", True], s=["s", False], c=["c", True]),
    }
    assert load(files).value.graph.parents["c"] == ("a",)  # type: ignore[index]


def test_task_without_child_gives_results_and_is_noted() -> None:
    loaded = load({"configuration.txt": "1\na 1 true\n"})
    assert loaded.value.sinks == ("a",)
    assert any("without a child" in note.problem for note in loaded.notes)


def test_several_entries_are_noted() -> None:
    loaded = load({"configuration.txt": "3\na 1 true c\nb 1 true c\nc 2 true home\n"})
    assert any("goes to all 2 tasks" in note.problem for note in loaded.notes)


def test_small_files_are_taken_in() -> None:
    app = load(
        {
            "configuration.txt": "1\na 1 true home\n",
            "app_config.ini": "[DOCKER_PORT]\n    P = 2\n[SVC_PORT]\n    P = 1\n",
            "name_convert.txt": "input botnet botnet\na x botnet\n",
            "input_node.txt": "task node\na n1 n2\n",
            "sample_input/10botnet.txt": None,
            "sample_input/9botnet.txt": None,
            "sample_input/.keep": None,
        }
    ).value
    assert app.ports == {"P": (1, 2)}
    assert app.name_rules["a"] == NameRule("x", "botnet")
    assert app.entry_nodes == {"a": ("n1", "n2")}
    assert app.sample_input == ("sample_input/9botnet.txt", "sample_input/10botnet.txt")


def test_unknown_task_of_input_node_is_a_warning() -> None:
    loaded = load(
        {"configuration.txt": "1\ntask0 1 true home\n", "input_node.txt": "task node\ntask1 n\n"}
    )
    warning = next(note for note in loaded.notes if note.level == "warning")
    assert "'task0' (did you mean that?)" in str(warning)


def test_missing_entry_of_config_json_names_the_like_one() -> None:
    found = problems(
        {
            "configuration.txt": "1\nfusion0 1 true home\n",
            "config.json": config(fusion1=["f", True]),
        }
    )
    assert found == ["folder/config.json:0: taskname_map has no entry for task 'fusion0'"]


@pytest.mark.parametrize("script", ["../x", "/etc/x", "a//b", "a/../../x", ""])
def test_script_outside_of_the_folder_is_refused(script: str) -> None:
    found = problems(
        {"configuration.txt": "1\na 1 true home\n", "config.json": config(a=[script, True])}
    )
    assert "the script of task 'a'" in found[0]


def test_broken_config_json_gives_its_fault_only() -> None:
    found = problems({"configuration.txt": "1\na 1 true home\n", "config.json": "{"})
    assert found == ["folder/config.json:1: a key is no quoted text"]


def test_folder_without_application_says_what_it_needs() -> None:
    assert problems({"README.md": None}) == ["folder:0: the folder holds no application"]


TOML = """name = "wordcount"
sample_input = ["sample/a.txt"]
entry = "split"
[[task]]
name = "split"
run = "scripts/split.py"
args = ["-v"]
route = "scatter"
children = ["count0", "count1"]
inputs = 1
retries = 5
timeout = "30 s"
cores = 2
memory = "256 MiB"
output = "1 GiB"
requirements = ["numpy>=2", "scipy"]
environment = ["API_KEY"]
reads = ["/srv/models"]
writes = ["/dev/nvidia0"]
profile = false
[[task]]
name = "count0"
run = ["wc", "-w", "{inputs}"]
children = ["merge"]
[[task]]
name = "count1"
image = "counter:1"
command = ["count"]
children = ["merge", "home"]
[[task]]
name = "merge"
run = "words.merge:merge"
inputs = 2
sink = true
[[service]]
name = "cache"
run = ["redis-server"]
peers = ["merge"]
"""
TOML_FILES = {"scripts/split.py": None, "words/merge.py": None, "sample/a.txt": None}


def test_app_toml_gives_the_application() -> None:
    app = load({"app.toml": TOML, **TOML_FILES}).value
    split, count0, count1, merge = app.tasks
    assert split.run == ScriptRun("scripts/split.py", ("-v",))
    assert (split.route, split.retries, split.timeout_s, split.cores) == ("scatter", 5, 30.0, 2)
    assert (split.memory_bytes, split.is_profiled) == (256 << 20, False)
    assert split.output_bytes == 1 << 30
    assert split.needs == Needs(
        ("numpy>=2", "scipy"), ("API_KEY",), ("/srv/models",), ("/dev/nvidia0",)
    )
    assert count0.run == CommandRun(("wc", "-w", "{inputs}"))
    assert count1.run == ContainerRun("counter:1", ("count",))
    assert (count1.children, count1.is_sink) == (("merge",), True)
    assert merge.run == FunctionRun("words.merge", "merge")
    assert app.services[0].peers == ("merge",)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('route = "scatter"', 'route = "scater"', "app.toml:8:1: key 'route'"),
        ('timeout = "30 s"', "timeout = 30", 'Try: write "30 s"'),
        ('timeout = "30 s"', 'timeout = "30"', "app.toml:12:1: key 'timeout' has no unit"),
        ("retries = 5", "retires = 5", "'retries' (did you mean that?)"),
        ("retries = 5", "retries = true", "expected a whole number"),
        ("inputs = 2", "inputs = 3", "app.toml:31:1: task 'merge' waits for 3 inputs but has 2"),
        ('"count0", "count1"]', '"count0", "cuont1"]', "app.toml:9:23: child 'cuont1'"),
        ('children = ["merge"]', 'children = ["split"]', "split -> count0 -> split"),
        ('children = ["merge"]', 'children = ["cache"]', "app.toml:24:13: child 'cache' of task"),
        ('entry = "split"', 'entry = "merge"', "app.toml:3:1: what is named as entry"),
        ('"scripts/split.py"', '"scripts/spilt.py"', "'scripts/split.py' (did you mean that?)"),
        ('"scripts/split.py"', '"../split.py"', "leaves the application folder"),
        ('"scripts/split.py"', '"split"', "app.toml:6:1: it is unclear what task 'split' runs"),
        ('image = "counter:1"', 'run = "a:b"', "it is unclear what task 'count1' runs"),
        ('"sample/a.txt"', '"sample/b.txt"', "app.toml:2:17: a sample input is missing"),
        ('name = "cache"', 'name = "Split"', "differ only in case or form"),
        ('name = "cache"', "", "app.toml:35:1: key name is missing"),
        ('peers = ["merge"]', 'peers = ["merg"]', "child 'merg' of task 'cache' is no task"),
        (
            '["numpy>=2", "scipy"]',
            '"needs.txt"',
            "app.toml:16:1: the file of requirements is mis",
        ),
        ('["numpy>=2", "scipy"]', '"/needs.txt"', "requirements is an absolute path"),
        ('["numpy>=2", "scipy"]', '["-e ."]', "app.toml:16:17: a requirement is no package"),
        ('["numpy>=2", "scipy"]', "5", "app.toml:16:1: key 'requirements'"),
        ('"API_KEY"', '"API_KEY=5"', "app.toml:17:16: 'API_KEY=5' is no name of a variable"),
        (
            '"/srv/models"',
            '"models"',
            "app.toml:18:10: the path 'models' is not absolute",
        ),
        ('"/dev/nvidia0"', '"/dev/../etc"', "app.toml:19:11: the path '/dev/../etc' is not ab"),
        ('output = "1 GiB"', "output = 5", "app.toml:15:1: key 'output' has no unit"),
        ("cores = 2", "cores = ", "app.toml:13:9: the text is no TOML"),
    ],
)
def test_fault_of_app_toml_has_a_place_and_a_remedy(old: str, new: str, says: str) -> None:
    with pytest.raises(InputError) as refused:
        load_application({"app.toml": TOML.replace(old, new, 1), **TOML_FILES}, ".", "app")
    assert says in str(refused.value)


def test_requirements_of_the_application_and_of_a_file_are_kept() -> None:
    text = 'requirements = "needs.txt"\nenvironment = ["A"]\n' + TOML
    app = load({"app.toml": text, "needs.txt": "numpy\n", **TOML_FILES}).value
    assert app.needs == Needs(("-r needs.txt",), ("A",))
    assert 'requirements = "needs.txt"' in app_toml.dumps(app)
    both = app.needs | app.tasks[0].needs
    assert both.requirements == ("-r needs.txt", "numpy>=2", "scipy")
    assert both.environment == ("A", "API_KEY")


def test_faults_of_tables_and_of_the_graph_come_together() -> None:
    text = TOML.replace("cores = 2", "cores = 0").replace("inputs = 2", "inputs = 7")
    found = problems({"app.toml": text, **TOML_FILES})
    assert len(found) == 2


def test_app_toml_wins_and_says_so() -> None:
    loaded = load({"app.toml": TOML, "configuration.txt": "", **TOML_FILES})
    assert any("is ignored" in note.problem for note in loaded.notes)


def test_seeds_folder_written_as_app_toml_is_the_same_application() -> None:
    files: dict[str, str | bytes | None] = {
        "configuration.txt": GRAPH,
        "config.json": json.dumps(
            {
                "taskname_map": {n: [n, True] for n in ("split", "left", "right", "merge")},
                "deep": {"list": [1, 2.5, {"x": '\u2028 " \\'}], "empty": {}},
            }
        ),
        "app_config.ini": "[DOCKER_PORT]\n    P = 2\n[SVC_PORT]\n    P = 1\n",
    }
    app = load(files).value
    assert load({"app.toml": app_toml.dumps(app)}).value == app


def test_null_of_a_private_key_cannot_be_written_as_toml() -> None:
    app = Application("a", "r", (), private={"x": [None]})
    with pytest.raises(InputError, match="TOML has no null"):
        app_toml.dumps(app)
