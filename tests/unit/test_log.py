"""What processes say of themselves: levels, secrets, control characters, bursts."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest
import structlog

from jupiter.aio.log import BURST_MAX, TEXT_MAX, Secret, configure, get_log, last_words


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Let a test configure what the whole process shares."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def said(capfd: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capfd.readouterr().err.splitlines()]


def test_events_have_their_fields_and_the_bound_ones(capfd: pytest.CaptureFixture[str]) -> None:
    configure("info", node="n1")
    get_log(run="r").bind(task="t").warning("attempt.failed", item="7", attempt=2)
    (line,) = said(capfd)
    del line["at"]
    assert line == {
        "level": "warning", "event": "attempt.failed", "node": "n1", "run": "r", "task": "t",
        "item": "7", "attempt": 2,
    }  # fmt: skip


def test_nothing_is_said_before_it_is_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    get_log().error("too.early")
    assert said(capfd) == []


@pytest.mark.parametrize(("level", "count"), [("debug", 4), ("info", 3), ("error", 1)])
def test_levels(level: str, count: int, capfd: pytest.CaptureFixture[str]) -> None:
    configure(level)  # type: ignore[arg-type]
    log = get_log()
    for say in (log.debug, log.info, log.warning, log.error):
        say("event")
    assert len(said(capfd)) == count


def test_secrets_and_contents_are_hidden_by_their_type(capfd: pytest.CaptureFixture[str]) -> None:
    configure()
    secret = Secret("s3cr3t-value")
    get_log().info(
        "event", bare=secret, inside=["x", (secret, {"deep": secret})], body=b"contents", it=object
    )
    (line,) = said(capfd)
    assert "s3cr3t" not in str(line) + repr(secret) + f"{secret}"
    assert line["bare"] == "[secret]"
    assert line["inside"] == ["x", ["[secret]", {"deep": "[secret]"}]]
    assert line["body"] == "[bytes]"
    assert line["it"] == "[type]"
    assert secret.reveal() == "s3cr3t-value"


def test_nothing_can_look_like_another_line_or_steer_a_terminal(
    capfd: pytest.CaptureFixture[str],
) -> None:
    configure()
    every = (
        "".join(map(chr, range(0x20))) + "\x7f" + "".join(map(chr, range(0x80, 0xA0))) + "\u202e"
    )
    get_log().info("event", **{"text": every, "na\nme": 1})
    text = capfd.readouterr().err
    assert text.count("\n") == 1
    assert text[:-1].isprintable()
    assert text.isascii()
    assert json.loads(text)["text"] == every


def test_long_values_keep_their_end(capfd: pytest.CaptureFixture[str]) -> None:
    configure()
    get_log().info("event", text="a" * TEXT_MAX + "the end")
    text = said(capfd)[0]["text"]
    assert isinstance(text, str)
    assert len(text) == TEXT_MAX + 1
    assert text.endswith("the end")


def test_what_is_said_too_often_is_counted(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("jupiter.aio.log.monotonic_s", lambda: now[0])
    configure()
    for _ in range(BURST_MAX + 7):
        get_log().warning("often")
        get_log().error("never.dropped")
    get_log().info("another")
    lines = said(capfd)
    events = [line["event"] for line in lines]
    assert events.count("often") == BURST_MAX
    assert events.count("never.dropped") == BURST_MAX + 7
    assert events.count("another") == 1
    now[0] += 11
    get_log().warning("often")
    assert said(capfd)[0]["not_shown"] == 7


def test_work_goes_on_where_nothing_can_be_written() -> None:
    configure()
    kept = os.dup(2)
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        os.dup2(full, 2)
        get_log().error("event")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(full)


def test_last_words_are_errors_and_what_is_not_ours() -> None:
    text = "\n".join(
        [
            json.dumps({"level": "info", "event": "agent.started"}),
            "Traceback (most recent call last):",
            json.dumps(
                {"level": "error", "event": "agent.refused", "reason": "the folder is busy"}
            ),
            json.dumps({"level": "error", "event": "bare"}),
            '"a text"',
        ]
    )
    assert last_words(text) == "Traceback (most recent call last):\nthe folder is busy\nbare"
