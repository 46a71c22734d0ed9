"""What one end of a link sends is what the other gets, whatever happens on the way."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from jupiter.agent import link as link_module
from jupiter.kit import framing
from jupiter.model import messages as msg

from .conftest import Proxy, Receiver, Sender, part_of

SIZES = (700_000, 0, 1, 300_000)
BODY = sum(SIZES)


def write(folder: Path, name: str, sizes: tuple[int, ...], seed: int = 0) -> list[Path]:
    rng = random.Random(f"{name}{seed}")
    paths = []
    for k, size in enumerate(sizes):
        path = folder / f"{name}{k}"
        path.write_bytes(rng.randbytes(size))
        paths.append(path)
    return paths


def contents(paths: list[Path]) -> list[bytes]:
    return [path.read_bytes() for path in paths]


@pytest.mark.parametrize("has_digests", [True, False])
@pytest.mark.parametrize("shape", [{}, {"bandwidth_bytes_per_s": 2e7, "latency_s": 0.001}])
async def test_bodies_of_all_sizes_arrive(
    tmp_path: Path, receiver: Receiver, has_digests: bool, shape: dict[str, float]
) -> None:
    sender = Sender(receiver.port, shape=shape)
    sizes = [(0,), (1,), (5, 0, 7), (framing.WHOLE_BYTES_MAX,), (framing.WHOLE_BYTES_MAX + 1,)]
    sizes += [SIZES, (2_000_000,), tuple([1000] * 300)]
    files = {k: write(tmp_path, f"f{k}-", each) for k, each in enumerate(sizes, 1)}
    for number, paths in files.items():
        sender.say(number, paths, has_digests=has_digests)
    await sender.all_told()
    await sender.link.close()
    del files[1]  # without a byte it comes as a word
    assert {k: v for k, v in receiver.got.items() if k in files} == {
        number: contents(paths) for number, paths in files.items()
    }
    assert receiver.folders == []
    assert not sender.broken


def opening_bytes(sender: Sender, number: int) -> int:
    return framing.HEADER_BYTES + len(msg.encode(sender.open[number].message))


CUTS = ["0", "1", "header-1", "header", "opened-1", "opened", "slice", "first", "end-1", "end"]
CUTS += [f"random{k}" for k in range(6)]


@pytest.mark.parametrize("has_digests", [True, False])
@pytest.mark.parametrize("kind", ["close", "reset"])
@pytest.mark.parametrize("cut", CUTS)
async def test_cut_at_any_byte_is_made_good(
    tmp_path: Path, receiver: Receiver, proxy: Proxy, cut: str, kind: str, has_digests: bool
) -> None:
    paths = write(tmp_path, "f", SIZES)
    sender = Sender(proxy.port)
    sender.say(7, paths, has_digests=has_digests)
    opened = opening_bytes(sender, 7)
    end = opened + framing.HEADER_BYTES + BODY + framing.HEADER_BYTES + (0 if has_digests else 32)
    places = {
        "0": 0,
        "1": 1,
        "header-1": framing.HEADER_BYTES - 1,
        "header": framing.HEADER_BYTES,
        "opened-1": opened - 1,
        "opened": opened,
        "slice": opened + framing.HEADER_BYTES,
        "first": opened + framing.HEADER_BYTES + SIZES[0],
        "end-1": end - 1,
        "end": end,
    }
    at = places[cut] if cut in places else random.Random(cut).randrange(end)
    proxy.plan[1] = (at, kind)  # connection 0 has the words
    await sender.all_told()
    assert receiver.got == {7: contents(paths)}
    assert not sender.broken
    assert not receiver.spoilt
    await sender.link.close()
    if kind == "close" and cut in ("first", "end-1"):
        assert proxy.passed[-1] < BODY - SIZES[0] + 1000, "what was there was sent again"


async def test_many_cuts_of_one_body_cost_what_they_cut(
    tmp_path: Path, receiver: Receiver, proxy: Proxy
) -> None:
    size = 12_000_000
    paths = write(tmp_path, "f", (size,))
    sender = Sender(proxy.port)
    for k in range(1, 11, 2):
        proxy.plan[k] = (2_000_000, "close")
    sender.say(1, paths)
    await sender.all_told()
    await sender.link.close()
    assert receiver.got == {1: contents(paths)}
    assert sum(proxy.passed) < size + 100_000


@pytest.mark.parametrize("has_digests", [True, False])
@pytest.mark.parametrize("place", range(8))
async def test_changed_bit_is_found_and_sent_again(
    tmp_path: Path, receiver: Receiver, proxy: Proxy, place: int, has_digests: bool
) -> None:
    paths = write(tmp_path, "f", SIZES)
    sender = Sender(proxy.port)
    sender.say(7, paths, has_digests=has_digests)
    opened = opening_bytes(sender, 7)
    at = opened + framing.HEADER_BYTES + random.Random(place).randrange(BODY)
    proxy.plan[1] = (at, "flip")
    await sender.all_told()
    assert receiver.got == {7: contents(paths)}
    assert receiver.spoilt
    assert not sender.broken
    assert not sender.damaged
    await sender.link.close()


async def test_changed_bit_in_a_frame_is_made_good(
    tmp_path: Path, receiver: Receiver, proxy: Proxy
) -> None:
    paths = write(tmp_path, "f", SIZES)
    for number, at in enumerate([0, 2, 4, 8, 12, 14], 1):
        sender = Sender(proxy.port)
        proxy.plan[proxy.count + 1] = (at, "flip")
        sender.say(number, paths)
        await sender.all_told()
        await sender.link.close()
        assert receiver.got[number] == contents(paths)


async def test_changed_bit_of_a_small_body_is_found(
    tmp_path: Path, receiver: Receiver, proxy: Proxy
) -> None:
    paths = write(tmp_path, "f", (1000, 500))
    sender = Sender(proxy.port)
    sender.say(7, paths)
    proxy.plan[0] = (opening_bytes(sender, 7) + 700, "flip")
    await sender.all_told()
    assert receiver.got == {7: contents(paths)}
    assert len(receiver.spoilt) == 1
    assert not sender.damaged
    await sender.link.close()


@pytest.mark.parametrize("size", [1000, 900_000])
async def test_damaged_file_is_told_and_the_others_go_on(
    tmp_path: Path, receiver: Receiver, size: int
) -> None:
    good = write(tmp_path, "good", (size,))
    bad = write(tmp_path, "bad", (size,))
    sender = Sender(receiver.port)
    sender.say(1, good)
    await sender.all_told()
    parts = [part_of(path) for path in bad]
    data = bytearray(bad[0].read_bytes())
    data[size // 2] ^= 1
    bad[0].write_bytes(data)
    sender.say(2, bad, parts=parts)
    sender.say(3, good)
    await sender.until(lambda: bool(sender.damaged))
    await sender.all_told()
    assert [number for number, _ in sender.damaged] == [2]
    assert "bad0" in sender.damaged[0][1]
    assert receiver.got == {1: contents(good), 3: contents(good)}
    assert not sender.broken
    await sender.link.close()


@pytest.mark.parametrize("size", [1000, 900_000])
async def test_file_that_became_shorter_is_damaged(
    tmp_path: Path, receiver: Receiver, size: int
) -> None:
    paths = write(tmp_path, "f", (size,))
    sender = Sender(receiver.port)
    parts = [part_of(path) for path in paths]
    paths[0].write_bytes(paths[0].read_bytes()[:-1])
    sender.say(1, paths, parts=parts)
    await sender.until(lambda: bool(sender.damaged))
    assert sender.damaged[0][0] == 1
    assert "1 bytes are missing" in sender.damaged[0][1]
    assert not sender.broken
    await sender.link.close()


async def test_large_body_does_not_hold_up_others(tmp_path: Path, receiver: Receiver) -> None:
    sender = Sender(receiver.port)
    large = write(tmp_path, "large", (60_000_000,))
    small = write(tmp_path, "small", (600_000,))
    sender.say(1, large)
    for number in range(2, 8):
        sender.say(number, small)
    await sender.all_told()
    assert receiver.order[-1] == 1
    assert receiver.got[1] == contents(large)
    await sender.link.close()


async def test_body_that_nobody_wants_is_not_sent(
    tmp_path: Path, receiver: Receiver, proxy: Proxy
) -> None:
    receiver.wants = lambda number: False
    sender = Sender(proxy.port)
    size = link_module.ASK_BYTES_MIN
    sender.say(1, write(tmp_path, "f", (size,)))
    await sender.all_told()
    assert receiver.got == {}
    assert sum(proxy.passed) < 10_000
    await sender.link.close()


async def test_peer_that_is_gone_is_told_once(tmp_path: Path, receiver: Receiver) -> None:
    sender = Sender(receiver.port)
    paths = write(tmp_path, "f", (1000,))
    sender.say(1, paths)
    await sender.all_told()
    port = receiver.port
    await receiver.stop()
    await sender.until(lambda: bool(sender.gone))
    sender.say(2, paths)
    await receiver.start(port)
    await sender.all_told()
    assert receiver.got == {1: contents(paths), 2: contents(paths)}
    assert sender.gone == ["there"]
    await receiver.stop()
    await sender.until(lambda: len(sender.gone) == 2)
    await receiver.start(port)
    await sender.link.close()


async def test_connection_that_only_breaks_is_not_gone(tmp_path: Path, receiver: Receiver) -> None:
    sender = Sender(receiver.port)
    paths = write(tmp_path, "f", (1000,))
    sender.say(1, paths)
    await sender.all_told()
    for channel in list(receiver.channels):
        channel.abort()
    sender.say(2, paths)
    await sender.all_told()
    assert sender.gone == []
    await sender.link.close()
