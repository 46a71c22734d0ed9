"""Settings of a run; each says its unit, its default and why that default."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class RunSettings(BaseModel):
    """How an application is profiled, mapped and streamed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scheduler: str = "heft"
    """Name of the scheduler whose mapping carries the results. HEFT is the best single heuristic
    over all families of graphs that were compared."""

    compare: tuple[str, ...] = ()
    """Further schedulers; the same items are streamed through each mapping for comparison."""

    in_flight_max: int = Field(default=32, ge=1)
    """Items under way at once. Enough to keep about ten tasks in a row busy, small enough that a
    slow task holds back the input and not the memory of the nodes before it."""

    interval_s: float = Field(default=0.0, ge=0)
    """Seconds between two inputs; 0 offers all at once, so the stream sets the pace."""

    placement: str = "static"
    """Name of the policy that says where each item of a task runs. The schedule's own mapping, as
    the seeds did it; the others help where run times differ much from item to item."""

    is_ordered: bool = False
    """Items end in the order in which they were accepted; one that is slow holds back those after
    it, so by default each ends as soon as it can."""

    durability: Literal["none", "ingress", "hop"] = "ingress"
    """What survives. ``ingress``: what was accepted, and results; all between is made again after a
    power cut, which costs little and saves a sync at every hop. ``hop``: everything, everywhere,
    for networks whose ingress may vanish. ``none``: nothing; for measurements."""

    orphan_s: float = Field(default=30.0, ge=0)
    """How long agents go on when the command that started them is gone: long enough to start it
    again, short enough that nothing is left of a run that nobody wants any more."""

    tls: Literal["auto", "on", "off"] = "auto"
    """Whether connections between agents are encrypted. ``auto``: where they leave this machine;
    without TLS nothing but loopback is listened on or called."""

    isolation: Literal["none", "best", "full"] = "best"
    """How far tasks are closed in. ``best``: as far as each node can, which is told in the notes;
    ``full``: a node that lacks a part of it runs nothing; ``none``: only limits, for tasks that
    need what a worker must not do."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level of what agents say. ``info`` has rare events only, none for an item that does
    well."""

    profile_repeats: int = Field(default=5, ge=1)
    """Executions of each task on each node that count. The median of five ignores two outliers."""

    link_repeats: int = Field(default=3, ge=1)
    """Transfers of each size over each link; the median of three ignores one outlier."""

    seed: int = Field(default=0, ge=0)
    """All chance (the random mapping) is drawn from it, so a run can be repeated."""
