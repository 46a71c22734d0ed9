"""Generated applications: random layered graphs whose tasks compute and send as they are told.

The rules are those of the seeds' generator. Where they would give what nobody asked for they are
changed, unless the seeds' quirks are asked for:

* ``depth`` counts where that many levels of ``width_min`` to ``width_max`` tasks can hold all
  tasks. Quirk: the limits are compared as if two further tasks had to be held, and the levels then
  have 2 to 4 tasks whatever the widths say.
* Seconds have three decimals, so that short tasks keep their differences. Quirk: one decimal.

In both cases, where ``depth`` does not count, the last level before the exit takes what is left,
which may be less than ``width_min``; and children are written in the order of their numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

from jupiter.formats import (
    app_config,
    communication,
    config_json,
    configuration,
    input_node,
    name_convert,
    seed_folder,
    task_config,
)
from jupiter.formats.communication import BYTES_PER_UNIT, Sizes
from jupiter.formats.config_json import ConfigJson, ScriptEntry
from jupiter.formats.configuration import Configuration, TaskLine
from jupiter.formats.graph_rules import CHILDREN_MAX, EDGES_MAX, HOMES, TASKS_MAX
from jupiter.formats.task_config import COUNT_MAX, TaskConfig
from jupiter.formats.text import Faults, Word
from jupiter.kit.rng import stream
from jupiter.model.app import NameRule

DEGREE_MAX = 20
REACH = 2
"""An edge leads at most this many levels down."""
SIGMAS_MAX = 10
LEAST = 0.01
"""Seconds that a task computes at least, and KB that an edge carries at least."""
SECONDS_MAX = 86_400.0
KB_MAX = 2.0**20
SETTINGS = "task_config.yml"
MARKER = "botnet"
SAMPLE = f"1{MARKER}.ipsum"
MODULE = "dummy_task"
_QUIRK_WIDTHS = (2, 4)


@dataclass(frozen=True)
class Generated:
    """An application that was drawn.

    Attributes:
        config: What was asked for.
        seed: That it was drawn with.
        has_quirks: It was drawn exactly as the seeds do.
        levels: The tasks of every level; the first holds the entry and the last the exit alone.
        sizes: KB by task and child, both in level order; the exit has no child.
        seconds: That a task computes.
    """

    config: TaskConfig
    seed: int
    has_quirks: bool
    levels: tuple[tuple[str, ...], ...]
    sizes: Sizes
    seconds: Mapping[str, float]

    @property
    def edges(self) -> int:
        """How many edges there are."""
        return sum(map(len, self.sizes.values()))

    @property
    def total_bytes(self) -> int:
        """What one item sends over all edges: files of whole KiB."""
        sizes = (size for children in self.sizes.values() for size in children.values())
        return BYTES_PER_UNIT * sum(map(math.ceil, sizes))

    @property
    def has_depth(self) -> bool:
        """Whether the levels are as many as asked for."""
        return len(self.levels) - 2 == self.config.depth

    @property
    def total_s(self) -> float:
        """What one item computes in all tasks."""
        return sum(self.seconds.values())


def generate(config: TaskConfig, seed: int, *, seed_quirks: bool = False) -> Generated:
    """Return an application drawn with a seed.

    Other times and sizes leave the graph as it is, and another ratio leaves the times as they are.

    Args:
        config: What is asked for.
        seed: Fixes everything that is drawn.
        seed_quirks: Do as the seeds do, also where that is odd.

    Raises:
        InputError: The numbers do not fit together, or give more than an application may hold.
    """
    faults = Faults()
    _check(config, faults)
    faults.raise_errors()
    widths = _widths(config, seed, seed_quirks, faults)
    faults.raise_errors()
    starts = [sum(widths[:k]) for k in range(len(widths) + 1)]
    children = _children(config, seed, starts)
    _check_drawn(children, faults)
    faults.raise_errors()

    def normal(purpose: str, mean: float, sigma: float, digits: int) -> Callable[[], float]:
        draw = stream(seed, "generated", purpose).normalvariate
        most = mean + SIGMAS_MAX * sigma
        return lambda: round(max(LEAST, min(draw(mean, sigma), most)), digits)

    seconds = normal("seconds", config.comp_mu, config.comp_sigma, 1 if seed_quirks else 3)
    mean_kb = config.comp_mu * config.ccr
    size = normal("sizes", mean_kb, mean_kb * config.link_comm_sigma, 2)
    names = [f"task{k}" for k in range(len(children))]
    return Generated(
        config,
        seed,
        seed_quirks,
        tuple(tuple(names[k:end]) for k, end in pairwise(starts)),
        {
            name: {names[child]: size() for child in found}
            for name, found in zip(names, children, strict=True)
        },
        {name: seconds() for name in names},
    )


def _check(config: TaskConfig, faults: Faults) -> None:
    """Report numbers that no application can be drawn from."""
    for key in (field.name for field in fields(config)):
        value = getattr(config, key)
        is_count = key in task_config.COUNTS
        most = TASKS_MAX - 2 if key == "total_num" else COUNT_MAX if is_count else math.inf
        if not (math.isfinite(value) and (1 if is_count else 0) <= value <= most):
            faults.error(
                f"{key} is out of range",
                got=f"{value:g}",
                expected=f"1 to {most}" if is_count else "a finite number of 0 or more",
                remedy="correct it",
            )
    if config.width_min > config.width_max:
        faults.error(
            "width_min is larger than width_max",
            got=f"{config.width_min} and {config.width_max}",
            expected="width_min at most width_max",
            remedy="give both",
        )
    most_s = config.comp_mu + SIGMAS_MAX * config.comp_sigma
    most_kb = config.comp_mu * config.ccr * (1 + SIGMAS_MAX * config.link_comm_sigma)
    for what, found, limit, keys in (
        ("seconds of a task", most_s, SECONDS_MAX, "comp_mu or comp_sigma"),
        ("KB of an edge", most_kb, KB_MAX, "ccr, comp_mu or link_comm_sigma"),
    ):
        if found > limit:
            faults.error(
                f"the {what} may become too large",
                got=f"{found:g}, {SIGMAS_MAX} standard deviations above the mean",
                expected=f"at most {limit:g}",
                remedy=f"a smaller {keys}",
            )


def _widths(config: TaskConfig, seed: int, seed_quirks: bool, faults: Faults) -> list[int]:
    """Return how many tasks every level has, those of the entry and the exit included."""
    chance = stream(seed, "generated", "levels")
    total = config.total_num
    extra = 2 if seed_quirks else 0
    low, high = _QUIRK_WIDTHS if seed_quirks else (config.width_min, config.width_max)
    if config.depth * config.width_min + extra <= total <= config.depth * config.width_max + extra:
        if total > config.depth * high:
            faults.error(
                "the seeds' generator would not end: its levels cannot hold so many tasks",
                got=f"{total} tasks, {config.depth} levels of at most {high}",
                expected=f"at most {config.depth * high} tasks",
                remedy="a larger depth, or leave out --seed-quirks",
            )
            return []
        inner = [low] * config.depth
        not_full = [k for k in range(config.depth) if low < high]
        for _ in range(total - low * config.depth):
            place = chance.randrange(len(not_full))
            level = not_full[place]
            inner[level] += 1
            if inner[level] == high:
                not_full[place] = not_full[-1]
                not_full.pop()
    else:
        inner, left = [], total
        while left:
            inner.append(min(left, chance.randint(config.width_min, config.width_max)))
            left -= inner[-1]
    return [1, *inner, 1]


def _children(config: TaskConfig, seed: int, starts: Sequence[int]) -> list[list[int]]:
    """Return the children of every task, in order.

    Every task draws children below it and parents above it, so that none hangs loose.

    Args:
        config: Says how many.
        seed: Fixes the draw.
        starts: Number of the first task of every level, and at the end the number of tasks.
    """
    chance = stream(seed, "generated", "edges")
    levels = len(starts) - 1
    children: list[set[int]] = [set() for _ in range(starts[-1])]

    def pick(degree: int, first: int, last: int) -> Iterable[int]:
        found = range(starts[max(first, 0)], starts[min(last, levels - 1) + 1])
        return chance.sample(found, min(degree, len(found)))

    for level in range(levels):
        for task in range(starts[level], starts[level + 1]):
            drawn = chance.normalvariate(config.deg_mu, config.deg_sigma) / 2
            degree = int(max(1.0, min(drawn, DEGREE_MAX)))
            if level < levels - 1:
                children[task].update(pick(degree, level + 1, level + REACH))
            if level > 0:
                for parent in pick(degree, level - REACH, level - 1):
                    children[parent].add(task)
    return [sorted(found) for found in children]


def _check_drawn(children: Sequence[Sequence[int]], faults: Faults) -> None:
    for what, found, limit, remedy in (
        ("the graph has too many edges", sum(map(len, children)), EDGES_MAX, "deg_mu or total_num"),
        ("a task has too many children", max(map(len, children)), CHILDREN_MAX, "width_max"),
    ):
        if found > limit:
            faults.error(
                what, got=str(found), expected=f"at most {limit}", remedy=f"a smaller {remedy}"
            )


def files(app: Generated) -> dict[str, str]:
    """Return the contents of the application's folder by relative path, in the seeds' form."""
    scripts = seed_folder.SCRIPTS
    rule = NameRule(MARKER, MARKER)
    rules = dict.fromkeys((*app.sizes, name_convert.INPUT_ROW), rule)
    (entry,) = app.levels[0]
    entries = {Word(name): ScriptEntry(Word(name), True) for name in app.sizes}
    return {
        SETTINGS: _settings_header(app) + task_config.dumps(app.config),
        seed_folder.CONFIGURATION: configuration.dumps(_graph(app)),
        seed_folder.PORTS: app_config.dumps({}),
        seed_folder.NAMES: name_convert.dumps(rules),
        seed_folder.ENTRY_NODES: input_node.dumps({entry: ("node1",)}),
        seed_folder.CONFIG_JSON[0]: config_json.dumps(
            ConfigJson(entries, dict.fromkeys(entries, True))
        ),
        f"{scripts}communication.txt": communication.dumps(app.sizes),
        f"{scripts}{MODULE}.py": _MODULE,
        **{
            f"{scripts}{name}.py": _SCRIPT.format(module=MODULE, name=name, seconds=seconds)
            for name, seconds in app.seconds.items()
        },
        f"{seed_folder.SAMPLES}{SAMPLE}": "a sample; only its name matters\n",
    }


def _settings_header(app: Generated) -> str:
    """Return the comment that says how to make the same application again."""
    quirks = " --seed-quirks" if app.has_quirks else ""
    return f"# jupiter generate app FOLDER --config {SETTINGS} --seed {app.seed}{quirks}\n"


def _graph(app: Generated) -> Configuration:
    parents = dict.fromkeys(app.sizes, 0)
    for children in app.sizes.values():
        for child in children:
            parents[child] += 1
    return Configuration(
        tuple(
            TaskLine(
                Word(name),
                max(1, parents[name]),
                False,
                tuple(map(Word, app.sizes[name])) or (Word(HOMES[0]),),
            )
            for name in app.sizes
        )
    )


_SCRIPT = '''"""{name} of a generated application."""

import {module}

SECONDS = {seconds!r}


def task(files, pathin, pathout):
    """Compute, then return one file for each child."""
    return {module}.work("{name}", SECONDS, files, pathout)


def main():
    """Run alone on the sample."""
    return {module}.on_sample("{name}", SECONDS)
'''

_MODULE = f'''"""What every task of this application does: compute, then write a file a child.

communication.txt says how many KB a child gets; its children must stand in the order of
configuration.txt. What is in a file follows from its name, so equal inputs give equal results.
"""

import hashlib
import math
import os
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
RESULT_KB_MAX = 20
PREFIX_LENGTH_MAX = 200


def read_sizes():
    """Return the KB of every child, by task."""
    sizes = {{}}
    with open(os.path.join(HERE, "communication.txt"), encoding="utf-8") as file:
        for line in filter(str.strip, file):
            task, *words = line.split()
            pairs = [word.rpartition("-") for word in words]
            sizes[task] = {{child: float(kb) for child, _, kb in pairs}}
    return sizes


SIZES = read_sizes()


def compute(seconds):
    """Keep a core busy for so much of its time."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def content(name, number):
    """Return the KiB of a file that has this number."""
    return hashlib.shake_256(os.fsencode(f"{{name}} {{number}}")).digest(1024)


def work(task, seconds, files, pathout):
    """Compute; return a file for each child in order, or the result where there is no child."""
    compute(seconds)
    first = files if isinstance(files, str) else min(files)
    prefix = first.partition("_" if "_" in first else ".")[0][:PREFIX_LENGTH_MAX]
    children = SIZES[task]
    if not children:
        children = {{"home": 1 + content(f"{{prefix}}_{{task}}", "size")[0] % RESULT_KB_MAX}}
    paths = []
    for child, kb in children.items():
        name = f"{{prefix}}_{{task}}_{{child}}"
        paths.append(os.path.join(pathout, name))
        with open(paths[-1], "wb") as file:
            file.writelines(content(name, number) for number in range(math.ceil(kb)))
    return paths


def on_sample(task, seconds):
    """Run a task alone in a new folder, as the first Jupiter's profiler does."""
    return work(task, seconds, "{SAMPLE}", tempfile.mkdtemp(prefix="dummy-"))
'''
