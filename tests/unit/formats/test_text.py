from __future__ import annotations

import pytest

from jupiter.errors import InputError
from jupiter.formats.text import (
    FAULTS_KEPT_MAX,
    FILE_BYTES_MAX,
    LINE_CHARS_MAX,
    Content,
    Faults,
    Places,
    Word,
    decode,
    parse_with,
    read_integer,
    read_number,
    word_lines,
)


def test_word_equals_its_text_and_knows_its_place() -> None:
    word = Word("a", 3, 7)
    assert word == "a"
    assert {"a": 1}[word] == 1
    assert (word.line, word.column) == (3, 7)


def test_words_have_lines_and_columns_and_blank_lines_are_left_out() -> None:
    faults = Faults()
    lines = word_lines("a b\n\n  cc\n", faults)
    assert [(line.number, line.words) for line in lines] == [(1, ("a", "b")), (3, ("cc",))]
    assert lines[1].words[0].column == 3
    assert faults.notes == ()


def test_trailing_blanks_are_no_reason_for_a_note() -> None:
    faults = Faults()
    word_lines("a b \n", faults)
    assert faults.notes == ()


@pytest.mark.parametrize(
    ("content", "line", "column"),
    [(b"a\nb\xff\n", 2, 2), (b"\xc3\xa4\xff", 1, 2), ("x\n\u2066", 2, 1), ("x\ry", 1, 2)],
    ids=["byte", "after-umlaut", "bidi", "lone-cr"],
)
def test_unreadable_character_has_a_place(content: bytes | str, line: int, column: int) -> None:
    faults = Faults()
    decode(content, faults)
    assert [(fault.line, fault.column) for fault in faults.errors] == [(line, column)]


def test_size_of_file_and_line_is_limited() -> None:
    faults = Faults()
    assert decode("x" * (FILE_BYTES_MAX + 1), faults) == ""
    assert decode("a\n" + "x" * (LINE_CHARS_MAX + 1), faults) == "a\n"
    assert decode("x" * LINE_CHARS_MAX, faults) != ""
    assert [fault.problem for fault in faults.errors] == [
        "the file is too large",
        "the line is too long",
    ]


def test_faults_are_told_in_the_order_of_files_and_lines() -> None:
    faults = Faults("one")
    faults.error("later", 5)
    faults.of_file("two").error("other file", 1)
    faults.error("sooner", 2)
    with pytest.raises(InputError) as refused:
        faults.raise_errors()
    assert [fault.problem for fault in refused.value.faults] == ["sooner", "later", "other file"]


def test_complaints_about_one_input_are_bounded() -> None:
    faults = Faults()
    for k in range(FAULTS_KEPT_MAX + 5):
        faults.error("again", k + 1)
    assert len(faults.errors) == FAULTS_KEPT_MAX


def test_notes_come_with_the_value() -> None:
    def read(content: Content, faults: Faults) -> int:
        faults.note("odd")
        return 7

    parsed = parse_with(read, "", "f")
    assert parsed.value == 7
    assert [str(note) for note in parsed.notes] == ["f: note: odd."]


@pytest.mark.parametrize("text", ["1_0", "0x1", "1e3", "", "\u0661", "9" * 19])
def test_integer_is_plain_decimal(text: str) -> None:
    faults = Faults()
    assert read_integer(Word(text), faults, "it", low=0, high=10**18) is None
    assert faults.has_errors


@pytest.mark.parametrize("text", ["nan", "inf", "1e999", "1_0", "0x1p3", "1e", ".", "1" * 65])
def test_number_is_finite_and_decimal(text: str) -> None:
    faults = Faults()
    assert read_number(Word(text), faults, "it") is None
    assert faults.has_errors


def test_place_of_an_unknown_path_is_the_nearest_one_around_it() -> None:
    places = Places("a\nbc", {("x",): 3})
    assert (places.at("x", 4).line, places.at("x", 4).column) == (2, 2)
    assert places.at("y").line == 0
