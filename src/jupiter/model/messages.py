"""What agents and home say to each other; every message is a tagged array in MessagePack.

JSON would be readable on the wire, and costs a fifth more time and bytes a message.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from jupiter.model.ids import NodeId, TaskId
from jupiter.model.items import Outcome, TaskPlan
from jupiter.model.profile import ResourceSample
from jupiter.model.run import TaskRecord, TransferRecord
from jupiter.model.status import NodeStatus
from jupiter.model.words import Word

PROTOCOL = 5
"""Version of this module; peers of another one are refused."""


class Message(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Base of all messages."""


# -- who is there ------------------------------------------------------------------------------


class Hello(Message, frozen=True):
    """First word of a caller.

    Attributes:
        node: Who calls; for home its node name.
        role: ``peer`` brings deliveries, ``control`` gives orders.
        nonce: Random hex digits.
    """

    protocol: int
    node: NodeId
    role: Literal["peer", "control"]
    nonce: str


class Challenge(Message, frozen=True):
    """Answer to `Hello`: the called side proves that it knows the token."""

    node: NodeId
    nonce: str
    proof: str


class Proof(Message, frozen=True):
    """Answer to `Challenge`: the caller proves it, too."""

    proof: str


class Welcome(Message, frozen=True):
    """Answer to `Proof`: messages may flow.

    Attributes:
        clock: Id of the machine's boot; equal ids share one monotonic clock.
        now: Reading of that clock in seconds.
    """

    clock: str
    now: float


class Refused(Message, frozen=True):
    """The other side does not go on, and why."""

    reason: str


# -- agent to agent ----------------------------------------------------------------------------


class Say(Message, frozen=True):
    """A word from one node to another; a `words.Deliver` has the parts of its delivery as body.

    Attributes:
        number: 0 where no `words.Ack` is due.
        sent_s: When the sender gave it to the link, on the sender's clock.
        placed: Folder that a transport has brought the parts to, named by their index; they are
            the body then.
    """

    number: int
    run: str
    sent_s: float
    word: Word
    placed: str = ""


class Where(Message, frozen=True):
    """A transport is to bring the parts of a word: into which folder? `There` answers.

    Attributes:
        number: Of the word.
    """

    run: str
    number: int


class There(Message, frozen=True):
    """Answer to `Where`."""

    run: str
    number: int
    folder: str


class Again(Message, frozen=True):
    """Words for an epoch that this node did not know yet were thrown away: say them again."""

    run: str


class Spoilt(Message, frozen=True):
    """The body of a word is not what its parts' digests say; it was thrown away.

    Attributes:
        number: Of the word.
        reason: Which part.
    """

    run: str
    number: int
    reason: str


class Probe(Message, frozen=True):
    """A timed transfer whose body is thrown away.

    Attributes:
        number: Counts the probes of the sender, for `Got`.
    """

    number: int
    sent_s: float


class Got(Message, frozen=True):
    """A probe is complete at the receiver.

    Attributes:
        at_s: When, on the receiver's clock.
    """

    number: int
    at_s: float


# -- home to agent -----------------------------------------------------------------------------


class PeerAddress(msgspec.Struct, frozen=True, array_like=True):
    """How an agent reaches another, and how the link between them is shaped.

    Attributes:
        bandwidth_bytes_per_s: 0 where the link is not shaped.
        latency_s: Added to every message.
        is_data: Deliveries may go this way; else the network has no such link, and the address
            serves for what nodes must tell each other in any network.
        transport: Brings large bodies; see `transports.base.make_transport`.
        options: Of the transport; secrets are references only.
        bodies_max: Large bodies that take turns on the link, or that the transport brings at once.
    """

    node: NodeId
    host: str
    port: int
    bandwidth_bytes_per_s: float
    latency_s: float
    is_data: bool = True
    transport: str = "native"
    options: dict[str, str] = {}
    bodies_max: int = 4


class SetPeers(Message, frozen=True):
    """The ways that lead away from this agent; what is not named cannot be reached."""

    id: int
    peers: tuple[PeerAddress, ...]


class PutFile(Message, frozen=True):
    """One file of an application; the content is the body."""

    id: int
    bundle: str
    path: str
    is_executable: bool


class TaskCode(msgspec.Struct, frozen=True, array_like=True):
    """How a worker runs a task.

    Attributes:
        kind: ``script``: words are the path and its arguments. ``function``: module and function.
            ``command``: the argument vector.
        cores: That one execution occupies; libraries are told not to use more.
        memory_bytes: A worker that uses more is killed; 0 is no limit.
        output_bytes: An attempt that writes more has failed; 0 leaves it to the agent.
        requirements: Packages to install, as pip reads them.
        environment: Names of the agent's variables that it gets.
        reads: Further paths that it may read, absolute.
        writes: Further paths that it may change.
    """

    task: TaskId
    kind: Literal["script", "function", "command"]
    words: tuple[str, ...]
    cores: int = 1
    memory_bytes: int = 0
    output_bytes: int = 0
    requirements: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()


class Prepare(Message, frozen=True):
    """Get ready for a run: start the workers of the tasks mapped here, load their code.

    Attributes:
        tasks: Plans of all tasks of the run.
        code: Of all tasks too, as any node may have to take over any of them.
        mapping: Node of every task.
        members: Nodes that take part, with their incarnations.
        incarnation: Of this node.
        is_late: The run has begun without this node; home's agent will tell it what is so.
        in_flight_max: As for `NodeConfig`, like all that follows.
        results_dir: Where the home node keeps results; empty on all others.
    """

    id: int
    run: str
    bundle: str
    home: NodeId
    tasks: tuple[TaskPlan, ...]
    code: tuple[TaskCode, ...]
    mapping: dict[TaskId, NodeId]
    members: dict[NodeId, int]
    incarnation: int
    in_flight_max: int
    results_dir: str
    placement: str = "static"
    is_ordered: bool = False
    beat_s: float = 0.0
    lease_s: float = 0.0
    durability: Literal["none", "ingress", "hop"] = "none"
    is_late: bool = False


class Attach(Message, frozen=True):
    """First order: the caller is home, and wants to hear of everything; answered `Attached`."""

    id: int


class Recall(Message, frozen=True):
    """Tell again, as facts, of all items that were accepted and that have ended."""

    id: int
    run: str


class FactsTaken(Message, frozen=True):
    """Home has facts, and will not forget them.

    Attributes:
        number: As in `Facts`.
    """

    run: str
    number: int


class Offer(Message, frozen=True):
    """Inputs for the ingress; answered `Took`.

    Attributes:
        first: How many were offered before; those that the ingress has already are passed over.
        inputs: Each is the list of paths of its files.
    """

    id: int
    run: str
    first: int
    inputs: tuple[tuple[str, ...], ...]


class CloseInput(Message, frozen=True):
    """No more inputs will come."""

    id: int
    run: str


class StopRun(Message, frozen=True):
    """Forget a run: kill its workers, remove its files."""

    id: int
    run: str


class ProbeLink(Message, frozen=True):
    """Time transfers to a peer; answered with `Probed`."""

    id: int
    target: NodeId
    sizes: tuple[int, ...]


class TakeSample(Message, frozen=True):
    """Answered with `Sampled`."""

    id: int


class Watch(Message, frozen=True):
    """How does this node stand? Answered with `Watched`; changes nothing, so anybody may ask."""

    id: int


# -- agent to home -----------------------------------------------------------------------------


class Done(Message, frozen=True):
    """An order was carried out."""

    id: int


class Failure(Message, frozen=True):
    """An order was not carried out."""

    id: int
    reason: str
    detail: str = ""


class Attached(Message, frozen=True):
    """Who an agent is.

    Attributes:
        incarnation: Another number every time that it has lost what it had written down.
        runs: That it works on, or has found again after a restart.
    """

    id: int
    incarnation: int
    runs: tuple[str, ...]


class Took(Message, frozen=True):
    """Inputs were offered.

    Attributes:
        count: How many the ingress has been offered in all.
    """

    id: int
    count: int


class Probed(Message, frozen=True):
    """Timed transfers.

    Attributes:
        times: (size in bytes, sent on the sender's clock, arrived on the receiver's clock,
            acknowledged on the sender's clock).
    """

    id: int
    times: tuple[tuple[int, float, float, float], ...]


class Sampled(Message, frozen=True):
    """Load of the agent's node."""

    id: int
    sample: ResourceSample


class Watched(Message, frozen=True):
    """How this node stands."""

    id: int
    status: NodeStatus


class Accepted(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Fact: an input became an item."""

    seq: int
    name: str
    offered_s: float
    accepted_s: float


class Ended(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Fact: an item has ended."""

    seq: int
    outcome: Outcome
    detail: str
    results: tuple[str, ...]
    done_s: float


class RunDrained(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Fact: all items have ended and the input is closed.

    Attributes:
        total: How many there were; their ends may be told after this.
    """

    total: int


class Broken(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Fact: the agent cannot go on with the run."""

    reason: str


class Noted(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Fact: something went wrong and was dealt with; one sentence."""

    note: str


class Changed(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Fact: home decided anew who takes part.

    Attributes:
        silent: Nodes that were not heard, and whose tasks moved.
        back: Nodes that take part again.
    """

    silent: tuple[NodeId, ...]
    back: tuple[NodeId, ...]


Fact = Accepted | Ended | RunDrained | Broken | Noted | Changed


class Facts(Message, frozen=True):
    """What happened on an agent, in order; times are on its own clock.

    They are told again until `FactsTaken`.

    Attributes:
        life: Of the agent's process; numbers start anew with each.
        number: Counts these messages.
    """

    run: str
    tasks: tuple[TaskRecord, ...]
    transfers: tuple[TransferRecord, ...]
    others: tuple[Fact, ...]
    life: int = 0
    number: int = 0


AnyMessage = (
    Hello
    | Challenge
    | Proof
    | Welcome
    | Refused
    | Say
    | Again
    | Spoilt
    | Where
    | There
    | Probe
    | Got
    | Attach
    | Recall
    | FactsTaken
    | SetPeers
    | PutFile
    | Prepare
    | Offer
    | CloseInput
    | StopRun
    | ProbeLink
    | TakeSample
    | Watch
    | Watched
    | Done
    | Failure
    | Attached
    | Took
    | Probed
    | Sampled
    | Facts
)
Order = (
    Attach
    | Recall
    | SetPeers
    | PutFile
    | Prepare
    | Offer
    | CloseInput
    | StopRun
    | ProbeLink
    | TakeSample
    | Watch
)
Answer = Done | Failure | Attached | Took | Probed | Sampled | Watched

_DECODER = msgspec.msgpack.Decoder(AnyMessage)
_ENCODER = msgspec.msgpack.Encoder()


def encode(message: Message) -> bytes:
    """Return a message as bytes."""
    return _ENCODER.encode(message)


def encode_into(message: Message, buffer: bytearray) -> None:
    """Append a message to a buffer."""
    _ENCODER.encode_into(message, buffer, -1)


def decode(head: bytes | memoryview) -> AnyMessage:
    """Return the message in bytes that `encode` made.

    Raises:
        ValueError: It is none of ours.
    """
    message: AnyMessage = _DECODER.decode(head)
    return message
