"""Questions of respondd and their answers, as Gluon's README of respondd describes them."""

import json
import zlib
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from mesh.announcement import Address
from mesh.node_kind import ADDRESSES_MAX, LINKS_MAX, NodeFacts, NodeLink
from node.export.node_graph import node_graph_of
from node.export.respondd import neighbours, nodeinfo, statistics
from node.export.respondd_answers import ANSWER_BYTES_MAX, REQUEST_BYTES_MAX, RespondedAnswers, asked
from tests.fakes.neighbours import id_of
from tests.fakes.node_graphs import AT
from tests.unit.node.export.test_respondd import FIGURES

ALL = b"GET nodeinfo statistics neighbours"


def counted() -> tuple[RespondedAnswers, list[str]]:
    made: list[str] = []

    def document(name: str) -> dict[str, object]:
        made.append(name)
        return {"node_id": "02aabbccddee", "of": name, "made": len(made)}

    names = ("nodeinfo", "statistics", "neighbours")
    return RespondedAnswers({name: lambda name=name: document(name) for name in names}), made  # type: ignore[misc]


def inflated(answer: bytes) -> dict[str, object]:
    found = json.loads(zlib.decompress(answer, -15))
    assert isinstance(found, dict)
    return found


def test_several_documents_are_one_object_as_raw_deflate() -> None:
    answers, _ = counted()
    found = inflated(answers.answer(b"GET nodeinfo neighbours", 0))
    assert ["nodeinfo", "neighbours"] == list(found)
    assert ["statistics"] == list(inflated(answers.answer(b"GET statistics", 0)))


def test_a_bare_name_is_one_document_as_it_is() -> None:
    answers, _ = counted()
    assert "statistics" == json.loads(answers.answer(b"statistics", 0))["of"]
    assert "statistics" == json.loads(answers.answer(b"statistics\0\n", 0))["of"]


def test_what_is_not_known_is_left_out_and_nothing_known_gets_no_answer() -> None:
    answers, made = counted()
    assert ["nodeinfo"] == list(inflated(answers.answer(b"GET secrets nodeinfo nodeinfo", 0)))
    for question in (
        b"",
        b"GET ",
        b"GET secrets",
        b"secrets",
        b"get nodeinfo",
        b"nodeinfo statistics",
        b"\xff",
    ):
        assert b"" == answers.answer(question, 0)
    assert ["nodeinfo"] == made


def test_documents_are_kept_as_long_as_those_of_gluon() -> None:
    answers, made = counted()
    for now in (0.0, 4.9, 5.0, 9.9, 10.0, 299.0, 300.0):
        answers.answer(ALL, now)
    times = {name: made.count(name) for name in ("nodeinfo", "statistics", "neighbours")}
    assert {"nodeinfo": 2, "statistics": 4, "neighbours": 3} == times


def test_a_question_is_at_most_256_bytes() -> None:
    answers, _ = counted()
    assert answers.answer(b"GET nodeinfo".ljust(REQUEST_BYTES_MAX), 0)
    assert b"" == answers.answer(b"GET nodeinfo".ljust(REQUEST_BYTES_MAX + 1), 0)


@given(st.binary(max_size=REQUEST_BYTES_MAX + 8))
def test_no_bytes_are_an_error_and_no_answer_is_larger_than_a_packet(request: bytes) -> None:
    answers, _ = counted()
    assert len(answers.answer(request, 0)) <= ANSWER_BYTES_MAX
    names, _single = asked(request)
    assert len(set(names)) == len(names)


@given(st.lists(st.sampled_from(["nodeinfo", "statistics", "neighbours", "GET", "", "x"]), max_size=60))
def test_an_answer_is_no_question_so_that_two_servers_never_talk(names: list[str]) -> None:
    answers, _ = counted()
    for question in (" ".join(["GET", *names]), " ".join(names)):
        answer = answers.answer(question.encode(), 0)
        assert b"" == answers.answer(answer, 0)


def test_the_largest_documents_fit_in_one_packet_together_and_each_alone() -> None:
    own, others = id_of("own"), sorted(id_of(f"n{number}") for number in range(LINKS_MAX))
    addresses = tuple(Address(f"2001:db8:{n:x}:ffff:ffff:ffff:ffff:1234", 7400) for n in range(ADDRESSES_MAX))
    links = tuple(NodeLink(node, 59_999, 99) for node in others)
    pages = {own: NodeFacts("ñ" * 64, "9" * 32, addresses, ("main", "up"), 999, links)}
    graph = node_graph_of(
        community="ç" * 64, own=own, names={}, pages=pages, members=others, connected=others, at=AT
    )
    figures = replace(
        FIGURES, memory_kb=tuple((key, 2**34) for key in ("total", "free", "available", "buffers"))
    )
    answers = RespondedAnswers(
        {
            "nodeinfo": lambda: nodeinfo(graph, figures),
            "statistics": lambda: statistics(graph, figures, AT),
            "neighbours": lambda: neighbours(graph),
        }
    )
    assert LINKS_MAX == str(inflated(answers.answer(ALL, 0))).count("'tq'")
    for name in (b"nodeinfo", b"statistics", b"neighbours"):
        assert answers.answer(name, 0), name
