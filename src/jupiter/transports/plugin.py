"""Runs the transfer plug-ins of the first Jupiter: ``data_transfer(IP, user, pword, src, dst)``.

They block, print, and tell failures by an exception or not at all; so each call has a thread, and
what they say of success is not believed: the receiver looks at the files.
"""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jupiter.errors import Fault, InputError, TransferError
from jupiter.interfaces.transport import Place
from jupiter.transports.options import check_options, read_secret

NAMES = ("data_transfer", "data_transfer_scp")
CALL_S_MAX = 600.0
"""A plug-in that has not returned by then has failed; its thread cannot be stopped."""

Function = Callable[[str, str, str, str, str], object]


class PluginTransport:
    """Calls a plug-in once a file.

    Args:
        options: ``path`` of the Python file; ``user``; ``password``, a reference such as
            ``file:/path``; ``host`` where it is not the agent's address.

    Raises:
        InputError: The file has no such function, or an option is wrong.
    """

    def __init__(self, options: Mapping[str, str]) -> None:
        check_options("plug-in", options, ("path", "user", "password", "host"), ("path",))
        self._call = load(Path(options["path"]))
        self._user = options.get("user", "")
        password = options.get("password", "")
        self._password = read_secret(password, "password") if password else ""
        self._host = options.get("host", "")
        self._threads = ThreadPoolExecutor(4, "plug-in")

    async def bring(self, files: Sequence[tuple[str, str]], place: Place) -> None:
        """Bring files one after the other; see `interfaces.transport.Transport`."""
        loop = asyncio.get_running_loop()
        for path, name in files:
            words = (self._host or place.host, self._user, self._password)
            target = f"{place.folder}/{name}"
            work = loop.run_in_executor(self._threads, self._call, *words, path, target)
            try:
                await asyncio.wait_for(work, CALL_S_MAX)
            except TimeoutError:
                raise TransferError(f"the plug-in did not bring {path} in {CALL_S_MAX} s") from None
            except Exception as error:  # a plug-in may raise anything
                # Its text may hold the password, so only the kind is told.
                raise TransferError(
                    f"the plug-in could not bring {path}: {type(error).__name__}"
                ) from None

    async def close(self) -> None:
        """Begin nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def load(path: Path) -> Function:
    """Return the transfer function of a plug-in.

    Raises:
        InputError: The file cannot be loaded, or has no such function.
    """
    try:
        spec = importlib.util.spec_from_file_location(f"jupiter_transport_{path.stem}", path)
        if spec is None or spec.loader is None:
            raise ImportError("it is no Python file")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    except Exception as error:  # whatever its code raises
        raise InputError(
            Fault(
                f"the transport cannot be loaded: {type(error).__name__}: {error}",
                file=str(path),
                expected="a Python file",
                remedy="name a file that Python can load on every node",
            )
        ) from error
    for name in NAMES:
        function = getattr(module, name, None)
        if callable(function) and _takes_five(function):
            return function  # type: ignore[no-any-return]
    raise InputError(
        Fault(
            "the file has no transfer function",
            file=str(path),
            expected="data_transfer(IP, user, pword, source, destination)",
            remedy="define this function in it",
        )
    )


def _takes_five(function: Callable[..., object]) -> bool:
    try:
        inspect.signature(function).bind(*["word"] * 5)
    except (TypeError, ValueError):
        return False
    return True
