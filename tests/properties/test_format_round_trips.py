"""Every format reads back what it wrote."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from tests.properties.every_format import EVERY, FORMATS
from tests.properties.format_values import JSON, TEXT

from jupiter.formats import (
    config_json,
)


@EVERY
@given(data=st.data())
def test_what_is_written_reads_back_equal(name: str, data: st.DataObject) -> None:
    form = FORMATS[name]
    value = data.draw(form.values)
    assert form.parse(form.dumps(value), "file").value == value


@given(st.dictionaries(TEXT, JSON | st.none(), max_size=4))
def test_json_is_read_as_the_standard_reader_does(values: dict[str, object]) -> None:
    text = json.dumps({**values, "taskname_map": {}})
    private = config_json.parse(text).value.private
    assert private == {k: v for k, v in values.items() if k not in ("taskname_map",)}
