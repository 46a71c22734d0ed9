"""Every format, with values that it can hold; a new one gets its line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import strategies as st
from tests.properties.format_values import (
    COUNT,
    CURVE,
    HUNDREDTHS,
    LINE,
    NAME,
    POSITIVE,
    TEXT,
    WORD,
    applications,
    config_jsons,
    configurations,
    dags,
    networks,
    nodes_files,
    placed_lists,
    tgffs,
)

from jupiter.formats import (
    app_config,
    app_toml,
    cluster,
    communication,
    config_json,
    configuration,
    dag,
    input_node,
    jupiter_config,
    link_list,
    link_parameters,
    mapping,
    name_convert,
    network_log,
    nodes,
    profiler_txt,
    runtime_logs,
    static_assignment,
    task_config,
    tgff,
)
from jupiter.formats.application import load_application
from jupiter.model.app import (
    NameRule,
)


def load_toml(text: str | bytes, file: str = "") -> Any:
    return load_application({"app.toml": text}, "folder", "folder")


PORT = st.tuples(st.integers(1, 65_535), st.integers(1, 65_535))
PAIR = st.tuples(NAME, NAME).filter(lambda pair: pair[0] != pair[1])


@dataclass(frozen=True)
class Format:
    """Both directions of a format, and values that it can hold."""

    parse: Callable[..., Any]
    dumps: Callable[..., str]
    values: st.SearchStrategy[Any]


TIMES = st.floats(0, 4e9).map(lambda time_s: round(time_s, 4))
FORMATS: Mapping[str, Format] = {
    "configuration.txt": Format(configuration.parse, configuration.dumps, configurations()),
    "dag.txt": Format(dag.parse, dag.dumps, dags()),
    "schedule": Format(mapping.parse, mapping.dumps, st.dictionaries(NAME, NAME)),
    "mapping.json": Format(mapping.parse_json, mapping.dumps_json, st.dictionaries(NAME, NAME)),
    "config.json": Format(config_json.parse, config_json.dumps, config_jsons()),
    "app_config.ini": Format(app_config.parse, app_config.dumps, st.dictionaries(NAME, PORT)),
    "name_convert.txt": Format(
        name_convert.parse,
        name_convert.dumps,
        st.dictionaries(NAME, st.builds(NameRule, WORD, WORD)),
    ),
    "input_node.txt": Format(
        input_node.parse,
        input_node.dumps,
        st.dictionaries(NAME, st.lists(NAME, min_size=1, max_size=3).map(tuple)),
    ),
    "communication.txt": Format(
        communication.parse,
        communication.dumps,
        st.dictionaries(NAME, st.dictionaries(NAME, HUNDREDTHS, max_size=3)),
    ),
    "task_config.yml": Format(
        task_config.parse,
        task_config.dumps,
        st.builds(
            task_config.TaskConfig,
            depth=COUNT,
            width_min=st.integers(1, 5),
            width_max=st.integers(5, 9),
            total_num=COUNT,
            ccr=POSITIVE,
            comp_mu=POSITIVE,
            comp_sigma=POSITIVE,
            link_comm_sigma=POSITIVE,
            deg_mu=POSITIVE,
            deg_sigma=POSITIVE,
        ),
    ),
    "jupiter_config.ini": Format(
        jupiter_config.parse,
        jupiter_config.dumps,
        st.builds(
            jupiter_config.JupiterConfig,
            st.dictionaries(st.sampled_from(["SCHEDULER", "PRICING", "PROFILER"]), NAME),
            st.dictionaries(st.sampled_from(["STATIC_MAPPING", "RUNTIME"]), st.booleans()),
            st.fixed_dictionaries(
                {},
                optional={
                    "MAX_LOG": st.integers(0, 99),
                    "TASK_QUEUE_SIZE": st.none() | st.integers(0, 99),
                },
            ),
        ),
    ),
    "nodes.txt": Format(nodes.parse, nodes.dumps, nodes_files()),
    "link_list.txt": Format(
        link_list.parse, link_list.dumps, st.lists(PAIR, unique=True).map(tuple)
    ),
    "link parameters": Format(link_parameters.parse, link_parameters.dumps, CURVE),
    "profiler.txt": Format(
        profiler_txt.parse,
        profiler_txt.dumps,
        st.dictionaries(NAME, st.tuples(POSITIVE, st.integers(0, 2**50))).map(
            lambda rows: tuple(profiler_txt.ProfileRow(t, s, b) for t, (s, b) in rows.items())
        ),
    ),
    "network_log.txt": Format(
        network_log.parse,
        network_log.dumps,
        st.lists(st.builds(network_log.LogRow, LINE, LINE, LINE, LINE, CURVE)).map(tuple),
    ),
    "parameters.csv": Format(
        network_log.parse_parameters,
        network_log.dumps_parameters,
        st.lists(st.builds(network_log.ParametersRow, LINE, LINE, LINE, LINE, LINE, CURVE)).map(
            tuple
        ),
    ),
    "tgff": Format(tgff.parse, tgff.dumps, tgffs()),
    "static_assignment.py": Format(
        static_assignment.parse,
        static_assignment.dumps,
        st.builds(static_assignment.StaticAssignment, placed_lists(), placed_lists()),
    ),
    "runtime_tasks.txt": Format(
        runtime_logs.parse_tasks,
        runtime_logs.dumps_tasks,
        st.lists(
            st.builds(
                runtime_logs.TaskRow, TEXT.filter(bool), TEXT.filter(bool), TIMES, TIMES, TIMES
            )
        ).map(tuple),
    ),
    "runtime_transfer_sender.txt": Format(
        runtime_logs.parse_transfers,
        runtime_logs.dumps_transfers,
        st.lists(
            st.builds(
                runtime_logs.TransferRow,
                TEXT.filter(bool),
                WORD,
                TEXT.filter(bool),
                TIMES | st.just(runtime_logs.FAILED),
            )
        ).map(tuple),
    ),
    "cluster.toml": Format(cluster.parse, cluster.dumps, networks()),
    "app.toml": Format(load_toml, app_toml.dumps, applications()),
}
EVERY = pytest.mark.parametrize("name", FORMATS)
