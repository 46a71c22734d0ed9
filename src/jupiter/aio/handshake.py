"""How the two sides of a connection prove to each other that they know the run's token.

The token itself never crosses the wire: each side answers the other's random number.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Literal

from jupiter.aio.clock import clock_id, monotonic_s
from jupiter.errors import TransferError
from jupiter.model import messages as msg
from jupiter.model.ids import NodeId

Role = Literal["peer", "control"]


def proof_of(token: bytes, *words: str) -> str:
    """Return what only somebody with the token can compute from the words."""
    return hmac.new(token, "\0".join(words).encode(), "sha256").hexdigest()


class Handshake:
    """One side of it.

    Args:
        token: Secret of the run.
        node: Who this side is.
        role: What a caller wants; None on the called side.

    Attributes:
        peer: Node of the other side, once known.
        peer_role: What the caller wants; None on the caller's own side.
        clock_offset_s: Peer's clock minus ours, measured by the caller; 0 on a shared clock.
        is_done: Whether both sides have proved themselves.
    """

    def __init__(self, token: bytes, node: NodeId, role: Role | None) -> None:
        self._token = token
        self._node = node
        self._role = role
        self._nonce = secrets.token_hex(16)
        self._hello: msg.Hello | None = None
        self._asked_s = 0.0
        self.peer = NodeId("")
        self.peer_role: Role | None = None
        self.clock_offset_s: float | None = None
        self.is_done = False

    def begin(self) -> msg.Message | None:
        """Return what this side says first; the called side says nothing."""
        if self._role is None:
            return None
        return msg.Hello(msg.PROTOCOL, self._node, self._role, self._nonce)

    def answer(self, message: msg.AnyMessage) -> msg.Message | None:
        """Return what follows a word of the other side; None where nothing does.

        Raises:
            TransferError: The other side is none of ours.
        """
        match message:
            case msg.Hello() if self._role is None and self._hello is None:
                return self._greet(message)
            case msg.Challenge(node, nonce, proof) if self._role is not None:
                if not hmac.compare_digest(proof, self._prove("called", nonce, node)):
                    raise TransferError("the agent does not know the token of this run")
                self.peer = node
                self._asked_s = monotonic_s()
                return msg.Proof(self._prove("caller", nonce, node))
            case msg.Proof(proof) if self._hello is not None:
                if not hmac.compare_digest(proof, self._prove("caller", self._nonce, self._node)):
                    raise TransferError("wrong token")
                self.peer, self.peer_role = self._hello.node, self._hello.role
                self.is_done = True
                return msg.Welcome(clock_id(), monotonic_s())
            case msg.Welcome(clock, now) if self._role is not None and self.peer:
                middle_s = (self._asked_s + monotonic_s()) / 2
                shared = bool(clock) and clock == clock_id()
                self.clock_offset_s = 0.0 if shared else now - middle_s
                self.is_done = True
                return None
        raise TransferError(f"unexpected {type(message).__name__} in the handshake")

    def _greet(self, hello: msg.Hello) -> msg.Message:
        if hello.protocol != msg.PROTOCOL:
            raise TransferError(
                f"protocol {hello.protocol} is spoken there, {msg.PROTOCOL} here; "
                "install the same version of Jupiter on both sides"
            )
        self._hello = hello
        proof = self._prove("called", self._nonce, self._node)
        return msg.Challenge(self._node, self._nonce, proof)

    def _prove(self, side: str, nonce_called: str, called: NodeId) -> str:
        """Return the proof of one side; it covers both nonces, both names and the role."""
        if self._hello is not None:
            nonce, caller, role = self._hello.nonce, self._hello.node, self._hello.role
        else:
            nonce, caller, role = self._nonce, self._node, self._role or "peer"
        return proof_of(self._token, side, nonce, nonce_called, caller, called, role)
