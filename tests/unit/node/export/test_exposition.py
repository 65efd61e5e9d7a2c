"""Metrics as text: what is written is read back the same, whatever labels say, and Accept chooses the format."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.export.exposition import CONTENT_TYPES, Metric, MetricSample, exposition, exposition_for
from tests.fakes.exposition_text import read_exposition

USED = Metric("procomu_used_bytes_total", "counter", "What was used", ("name", "direction"))
TEXTS = st.text(max_size=30) | st.text(alphabet='\\"\n{},=# ', max_size=12)
VALUES = st.integers(0, 2**63) | st.floats(0, 1e15)


@given(st.dictionaries(st.tuples(TEXTS, TEXTS), VALUES, min_size=1, max_size=5))
def test_any_label_and_value_is_read_back_as_it_was(values: dict[tuple[str, str], float]) -> None:
    samples = [MetricSample(value, labels) for labels, value in values.items()]
    read = read_exposition(exposition([(USED, samples)]))
    expected = {
        ("procomu_used_bytes_total", (("direction", way), ("name", name))): float(value)
        for (name, way), value in values.items()
    }
    assert expected == read.series


def test_a_lone_surrogate_is_written_as_valid_text() -> None:
    text = exposition([(USED, [MetricSample(1, ("\ud800", "up"))])])
    assert text == text.encode().decode()


def test_the_text_format_names_the_whole_counter_and_openmetrics_its_family() -> None:
    samples = [(USED, [MetricSample(3, ("a", "up"))])]
    plain, open_metrics = exposition(samples), exposition(samples, "openmetrics")
    assert "# TYPE procomu_used_bytes_total counter\n" in plain
    assert "# TYPE procomu_used_bytes counter\n" in open_metrics
    for text in (plain, open_metrics):
        assert 3 == read_exposition(text).value("procomu_used_bytes_total", name="a", direction="up")
    assert (False, True) == (read_exposition(plain).is_ended, read_exposition(open_metrics).is_ended)


def test_a_metric_without_samples_has_no_lines() -> None:
    assert "" == exposition([(USED, [])])


@pytest.mark.parametrize(
    ("accept", "written"),
    [
        ("", "text"),
        ("*/*", "text"),
        ("text/plain;version=0.0.4", "text"),
        ("application/openmetrics-text", "openmetrics"),
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", "openmetrics"),
        ("Application/OpenMetrics-Text;VERSION=1.0.0", "openmetrics"),
        # As Prometheus 2.53 sends it.
        (
            "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
            "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            "openmetrics",
        ),
        ("application/openmetrics-text;version=2.0.0", "text"),
        ("application/openmetrics-text;q=0", "text"),
        ("application/openmetrics-text;q=0.2,text/plain;q=0.9", "text"),
        ("application/openmetrics-text;q=nan", "text"),
        ("application/openmetrics-text;q=2", "text"),
        ("application/openmetrics-text" + " " * 2_000, "text"),
    ],
)
def test_the_format_is_what_the_client_wants_most(accept: str, written: str) -> None:
    assert written == exposition_for(accept)


@given(st.text(alphabet='aplication/openmetrics-text;q=0.1,"* \t\x00é', max_size=80) | st.text())
def test_any_accept_header_chooses_a_format(accept: str) -> None:
    assert exposition_for(accept) in CONTENT_TYPES
