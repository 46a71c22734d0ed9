"""Runs an agent: configuration on standard input, address on standard output.

The configuration holds the token, so it comes through a pipe and never through arguments or the
environment, where other users could read it.
"""

from __future__ import annotations

import gc

if __name__ == "__main__":
    gc.disable()  # what is loaded stays: an agent that died must be back soon

import asyncio
import json
import os
import signal
import sys

import msgspec

from jupiter.agent.agent import Agent, AgentConfig
from jupiter.agent.isolation import adopt_orphans
from jupiter.aio.log import get_log
from jupiter.errors import JupiterError


async def serve() -> None:
    """Serve until a signal comes, or home was away for too long."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    config = msgspec.json.decode(await reader.readline(), type=AgentConfig)
    try:
        agent = Agent(config, ended.set)
    except (JupiterError, OSError) as error:
        get_log().error("agent.refused", reason=str(error))
        sys.exit(1)
    try:
        port = await agent.start()
        sys.stdout.write(json.dumps({"port": port, "pid": os.getpid()}) + "\n")
        sys.stdout.flush()
        pipe = asyncio.ensure_future(reader.read())  # ends when home closes its end
        pipe.add_done_callback(lambda _: agent.wait_for_home())
        await ended.wait()
        pipe.cancel()
    finally:
        await agent.stop()


def main() -> None:
    """Start."""
    os.umask(0o077)
    adopt_orphans()  # of workers, to be ended
    # What is loaded now stays for ever: the collector need not look at it again and again.
    gc.freeze()
    gc.enable()
    gc.set_threshold(20_000, 20, 20)
    asyncio.run(serve())


if __name__ == "__main__":
    main()
