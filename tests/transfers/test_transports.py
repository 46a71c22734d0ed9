"""Every transport passes the same checks: scp with a real sshd, plug-ins of the first Jupiter."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from jupiter.errors import InputError, TransferError, TransferRefusedError
from jupiter.interfaces.transport import Place
from jupiter.testing.transports import check_transport
from jupiter.transports.base import make_transport
from jupiter.transports.options import read_secret
from jupiter.transports.plugin import PluginTransport

from .conftest import Receiver, Sender

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin")
PLUGIN = """
import shutil

def data_transfer(IP, user, pword, source, destination):
    assert (IP, user, pword) == ("127.0.0.1", "me", "from the file")
    shutil.copy(source, destination)
"""
SILENT = """
import subprocess

def data_transfer_scp(IP, user, pword, source, destination):
    try:
        subprocess.run(["cp", "--", source, destination], stderr=subprocess.DEVNULL)
    except Exception:
        print("SSH Connection refused or File transfer failed")
"""


class Sides:
    """A folder here, and one there."""

    def __init__(self, root: Path) -> None:
        self.here, self.there = root / "sources", root / "targets"
        self.here.mkdir()
        self.there.mkdir()
        self.place = Place("127.0.0.1", str(self.there))

    def write(self, name: str, content: bytes) -> str:
        (self.here / name).write_bytes(content)
        return str(self.here / name)

    def read(self, name: str) -> bytes | None:
        path = self.there / name
        return path.read_bytes() if path.exists() else None


@pytest.fixture
def sides(tmp_path: Path) -> Sides:
    return Sides(tmp_path)


@pytest.fixture
def secret(tmp_path: Path) -> str:
    path = tmp_path / "secret"
    path.touch(mode=0o600)
    path.write_text("from the file\n")
    return f"file:{path}"


class Sshd:
    """A real one on loopback, with keys and a configuration of its own."""

    def __init__(self, root: Path) -> None:
        assert SSHD is not None
        self.root = root
        for name in ("host", "user", "other"):
            words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(root / name)]
            subprocess.run(words, check=True)
        shutil.copy(root / "user.pub", root / "authorized")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        config = [
            f"ListenAddress 127.0.0.1:{self.port}",
            f"HostKey {root}/host",
            f"AuthorizedKeysFile {root}/authorized",
            "PidFile none",
            "UsePAM no",
            "StrictModes no",
            "PasswordAuthentication no",
            "PermitRootLogin prohibit-password",
        ]
        (root / "sshd_config").write_text("\n".join(config) + "\n")
        self.known("host")
        Path("/run/sshd").mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", str(root / "sshd_config")], stderr=subprocess.PIPE, text=True
        )
        assert self.process.stderr is not None
        assert "listening" in self.process.stderr.readline()

    def known(self, name: str) -> None:
        key = " ".join((self.root / f"{name}.pub").read_text().split()[:2])
        (self.root / "known").write_text(f"[127.0.0.1]:{self.port} {key}\n")

    def options(self, key: str = "user") -> dict[str, str]:
        return {
            "user": "root",
            "port": str(self.port),
            "known_hosts": f"{self.root}/known",
            "key": f"{self.root}/{key}",
        }

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.communicate()


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    if SSHD is None or os.geteuid():
        pytest.skip("needs sshd and root; apt-get install openssh-server")
    root = tmp_path / "ssh"
    root.mkdir(mode=0o700)
    server = Sshd(root)
    yield server
    server.end()


def test_stream_between_agents_is_no_transport() -> None:
    assert make_transport("native", {}) is None


async def test_scp_keeps_the_contract(sides: Sides, sshd: Sshd) -> None:
    transport = make_transport("scp", sshd.options())
    assert transport is not None
    await check_transport(transport, sides.place, sides.write, sides.read)


async def test_scp_refuses_unknown_hosts_and_wrong_keys(sides: Sides, sshd: Sshd) -> None:
    path = sides.write("f", b"content")
    wrong = make_transport("scp", sshd.options("other"))
    assert wrong is not None
    with pytest.raises(TransferRefusedError, match="refuses"):
        await wrong.bring([(path, "f")], sides.place)
    await wrong.close()
    for known in ("other", None):
        if known is None:
            (sshd.root / "known").write_text("")
        else:
            sshd.known(known)
        transport = make_transport("scp", sshd.options())
        assert transport is not None
        with pytest.raises(TransferRefusedError, match="refuses"):
            await transport.bring([(path, "f")], sides.place)
        await transport.close()
    assert sides.read("f") is None


async def test_scp_connects_again(sides: Sides, sshd: Sshd) -> None:
    transport = make_transport("scp", sshd.options())
    assert transport is not None
    path = sides.write("f", b"content")
    await transport.bring([(path, "f")], sides.place)
    await transport.close()
    await transport.bring([(path, "g")], sides.place)
    assert sides.read("g") == b"content"
    await transport.close()
    sshd.end()
    with pytest.raises(TransferError) as caught:
        await transport.bring([(path, "h")], sides.place)
    assert caught.value.can_retry


@pytest.mark.parametrize(("code", "user"), [(PLUGIN, "me"), (SILENT, "")])
async def test_plug_ins_keep_the_contract(
    tmp_path: Path, sides: Sides, secret: str, code: str, user: str
) -> None:
    path = tmp_path / "transfer.py"
    path.write_text(code)
    transport = make_transport(str(path), {"user": user, "password": secret})
    assert isinstance(transport, PluginTransport)
    await check_transport(transport, sides.place, sides.write, sides.read)


async def test_exception_of_a_plug_in_does_not_show_the_password(
    tmp_path: Path, sides: Sides, secret: str
) -> None:
    path = tmp_path / "transfer.py"
    path.write_text("def data_transfer(i, u, p, s, d):\n    raise RuntimeError('failed: ' + p)\n")
    transport = make_transport(str(path), {"password": secret})
    assert transport is not None
    with pytest.raises(TransferError) as caught:
        await transport.bring([(sides.write("f", b""), "f")], sides.place)
    assert "from the file" not in str(caught.value)
    assert "RuntimeError" in str(caught.value)
    await transport.close()


class Native:
    """The stream between agents, as if it were a transport: a real link to a real receiver."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._sender = Sender(receiver.port)
        self._number = 0

    async def bring(self, files: Sequence[tuple[str, str]], place: Place) -> None:
        for path, name in files:
            if not Path(path).exists():
                raise TransferError("no such file")
            self._number += 1
            self._sender.say(self._number, [Path(path)])
            await self._sender.all_told()
            Path(place.folder, name).write_bytes(self._receiver.got.get(self._number, [b""])[0])

    async def close(self) -> None:
        await self._sender.link.close()


async def test_stream_between_agents_keeps_the_contract(sides: Sides, receiver: Receiver) -> None:
    await check_transport(Native(receiver), sides.place, sides.write, sides.read)


async def test_link_has_large_bodies_brought(
    tmp_path: Path, sides: Sides, receiver: Receiver, secret: str
) -> None:
    (tmp_path / "transfer.py").write_text(PLUGIN)
    options = {"user": "me", "password": secret}
    sender = Sender(receiver.port, transport=f"{tmp_path}/transfer.py", options=options)
    large = Path(sides.write("large", bytes(range(250)) * 4000))
    small = Path(sides.write("small", b"small"))
    for number in range(1, 7):
        sender.say(number, [large, small])
    sender.say(7, [small])
    sender.say(8, [large], has_digests=False)  # nobody could check it
    await sender.all_told()
    both = [large.read_bytes(), b"small"]
    assert receiver.got == dict.fromkeys(range(1, 7), both) | {7: [b"small"], 8: both[:1]}
    assert receiver.placed == 6
    assert receiver.folders == []
    await sender.link.close()


@pytest.mark.parametrize(
    "work",
    [
        "pass",
        "import pathlib; pathlib.Path(destination).write_text('x')",
        "import os; os.symlink(source, destination)",
    ],
)
async def test_plug_in_that_does_not_bring_is_not_believed(
    tmp_path: Path, sides: Sides, receiver: Receiver, work: str
) -> None:
    path = tmp_path / "transfer.py"
    path.write_text(f"def data_transfer(ip, user, pword, source, destination):\n    {work}\n")
    sender = Sender(receiver.port, transport=str(path))
    large = Path(sides.write("large", bytes(range(250)) * 4000))
    sender.say(1, [large])
    await sender.all_told()
    assert receiver.got == {1: [large.read_bytes()]}  # the second time without the plug-in
    assert receiver.placed == 0
    assert len(receiver.spoilt) == 1
    assert large.read_bytes()
    await sender.link.close()


async def test_transport_that_fails_for_good_is_told(
    tmp_path: Path, sides: Sides, receiver: Receiver, sshd: Sshd
) -> None:
    sender = Sender(receiver.port, transport="scp", options=sshd.options("other"))
    sender.say(1, [Path(sides.write("large", bytes(range(250)) * 4000))])
    await sender.until(lambda: bool(sender.broken))
    assert "refuses" in sender.broken[0]
    await sender.link.close()


async def test_link_over_scp(sides: Sides, receiver: Receiver, sshd: Sshd) -> None:
    sender = Sender(receiver.port, transport="scp", options=sshd.options())
    large = Path(sides.write("large", bytes(range(250)) * 40_000))
    for number in range(1, 4):
        sender.say(number, [large])
    await sender.all_told()
    assert receiver.got == {k: [large.read_bytes()] for k in range(1, 4)}
    assert receiver.placed == 3
    await sender.link.close()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda root: ("spc", {}), "did you mean scp"),
        (lambda root: ("scp", {}), "needs the option user"),
        (lambda root: ("scp", {"user": "u", "known_hosts": "/none"}), "a key or a password"),
        (
            lambda root: ("scp", {"user": "u", "known_hosts": "/none", "key": "/none"}),
            "known_hosts is not there",
        ),
        (lambda root: ("scp", {"usr": "u"}), "did you mean user"),
        (lambda root: (f"{root}/none.py", {}), "cannot be loaded"),
        (lambda root: (f"{root}/empty.py", {}), "no transfer function"),
        (lambda root: (f"{root}/short.py", {}), "no transfer function"),
        (lambda root: (f"{root}/broken.py", {}), "ZeroDivisionError"),
    ],
)
def test_wrong_options_are_told(
    tmp_path: Path, make: Callable[[Path], tuple[str, dict[str, str]]], text: str
) -> None:
    (tmp_path / "empty.py").write_text("")
    (tmp_path / "short.py").write_text("def data_transfer(a, b):\n    pass\n")
    (tmp_path / "broken.py").write_text("1 / 0\n")
    with pytest.raises(InputError, match=text):
        make_transport(*make(tmp_path))


def test_secrets_come_from_files_of_their_owner(tmp_path: Path, secret: str) -> None:
    assert read_secret(secret, "password") == "from the file"
    Path(secret.removeprefix("file:")).chmod(0o644)
    with pytest.raises(InputError, match="read by others"):
        read_secret(secret, "password")
    with pytest.raises(InputError, match="value not shown") as caught:
        read_secret("hunter2", "password")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(InputError, match="cannot be read"):
        read_secret(f"file:{tmp_path}/none", "password")
