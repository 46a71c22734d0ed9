"""Runs an agent: configuration on standard input, address on standard output, end at end of input.

The configuration holds the token, so it comes through a pipe and never through arguments or the
environment, where other users could read it.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import os
import signal
import sys

import msgspec

from jupiter.agent.agent import Agent, AgentConfig

_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


async def serve() -> None:
    """Serve until home ends: its pipe closes, its channel closes, or a signal comes."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    config = msgspec.json.decode(await reader.readline(), type=AgentConfig)
    agent = Agent(config, ended.set)
    try:
        port = await agent.start()
        sys.stdout.write(json.dumps({"port": port, "pid": os.getpid()}) + "\n")
        sys.stdout.flush()
        pipe = asyncio.ensure_future(reader.read())  # ends when home closes its end
        pipe.add_done_callback(lambda _: ended.set())
        await ended.wait()
        pipe.cancel()
    finally:
        await agent.stop()


def main() -> None:
    """Start; die with the parent, which is home or the engine's shell."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGTERM)
    # What is loaded now stays for ever: the collector need not look at it again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    asyncio.run(serve())


if __name__ == "__main__":
    main()
