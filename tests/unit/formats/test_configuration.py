from __future__ import annotations

import pytest

from jupiter.errors import InputError
from jupiter.formats import configuration, dag, mapping


def problems(text: str) -> list[str]:
    with pytest.raises(InputError) as refused:
        configuration.parse(text, "f")
    return [f"{fault.line}: {fault.problem}" for fault in refused.value.faults]


def test_tasks_and_schedule_are_read() -> None:
    parsed = configuration.parse("2\na 1 false b \nb 1 true scheduler\na node1\nb\tnode2\n")
    assert [(task.name, task.inputs, task.is_broadcast) for task in parsed.value.tasks] == [
        ("a", 1, False),
        ("b", 1, True),
    ]
    assert parsed.value.tasks[1].is_sink
    assert parsed.value.mapping == {"a": "node1", "b": "node2"}


def test_leaf_that_names_itself_and_leaf_without_children_are_accepted() -> None:
    parsed = configuration.parse("3\na 1 true b c\nb 1 false b\nc 1 true\n")
    assert [task.others for task in parsed.value.tasks] == [("b", "c"), (), ()]


def test_home_of_a_scattering_task_must_be_last() -> None:
    assert configuration.parse("2\na 1 false b home\nb 1 true home\n").value
    assert problems("2\na 1 false home b\nb 1 true home\n") == [
        "2: task 'a' scatters, and home is not its last child"
    ]


def test_flag_is_lower_case_because_the_seeds_take_anything_else_for_false() -> None:
    assert problems("1\na 1 True home\n") == ["2: FLAG of task 'a' is neither true nor false"]


def test_task_cannot_be_called_home() -> None:
    assert problems("1\nhome 1 true home\n")[0] == (
        "2: a task has the name of the place where results go"
    )


def test_malformed_task_line_is_not_taken_for_a_schedule() -> None:
    assert problems("2\na 1 true home\nb x y z\n")[0].startswith("3: NUM_INPUTS of task 'b'")
    assert problems("2\na 1\nb 1 true home\n") == ["2: a task line has too few words"]


def test_schedule_line_must_have_two_words() -> None:
    assert "3: a schedule line has not two words" in problems("1\na 1 true home\na\n")


@pytest.mark.parametrize(
    ("text", "flavour"),
    [
        ("2\na b\nb scheduler\n", "counted"),
        ("a b\nb scheduler\n", "plain"),
        ("parent  children\na    b\n", "table"),
    ],
)
def test_flavour_of_dag_is_found(text: str, flavour: str) -> None:
    assert dag.parse(text).value.flavour == flavour


def test_only_the_table_may_leave_lines_of_leaves_out() -> None:
    with pytest.raises(InputError, match="child 'b' of task 'a' is no task"):
        dag.parse("a b\n")
    assert dag.parse("parent children\na b\n").value.tasks[0].children == ("b",)


def test_wrong_count_of_dag_is_refused() -> None:
    with pytest.raises(InputError, match="announces 3 task lines but 2 follow"):
        dag.parse("3\na b\nb home\n")


def test_repeated_report_of_wave_is_a_warning() -> None:
    parsed = mapping.parse("a\tn1\na\tn1\n")
    assert parsed.value == {"a": "n1"}
    assert [note.level for note in parsed.notes if note.level == "warning"] == ["warning"]


def test_answer_of_a_mapper_that_is_not_ready_is_an_empty_mapping() -> None:
    assert mapping.parse_json("{}").value == {}


@pytest.mark.parametrize("text", ['{"a": 1}', '{"a": ["n"]}', '{"a": "../n"}', '{"": "n"}'])
def test_mapping_json_is_flat(text: str) -> None:
    with pytest.raises(InputError):
        mapping.parse_json(text)
