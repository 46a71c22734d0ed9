"""What a link tells of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jupiter.aio.channel import Channel
from jupiter.model import messages as msg
from jupiter.model.ids import NodeId

OnMessage = Callable[[Channel, msg.AnyMessage, bytes], None]


@dataclass(frozen=True)
class Owner:
    """What a link tells its owner.

    Attributes:
        on_message: Gets what the peer says on these connections.
        on_connected: Called when the way works again after a loss, or when what is under way
            must be said again.
        on_broken: Called with a reason when something can never be sent.
        on_damaged: Called with run, number and reason when a file of a word is not what its digest
            says any more; the word is not sent.
        on_gone: Called once a loss when nobody listens there any more: the process has ended.
    """

    on_message: OnMessage
    on_connected: Callable[[NodeId], None]
    on_broken: Callable[[str], None]
    on_damaged: Callable[[str, int, str], None] = lambda run, number, reason: None
    on_gone: Callable[[NodeId], None] = lambda node: None
