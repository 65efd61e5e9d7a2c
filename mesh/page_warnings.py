"""What is wrong with the pages of a node, in words for the operator."""

from collections.abc import Mapping
from types import MappingProxyType

from mesh.exchange import CHANGES_TOO_MUCH, TOO_MANY_OTHERS, TOO_MUCH
from mesh.other_pages import OTHER_BYTES_MAX, OTHER_PAGES_MAX
from mesh.page_versions import AUTHOR_DAY_ROWS_MAX, AUTHOR_ROWS_MAX
from node.identity import human_form
from node.translator import N_, LazyText, gettext_lazy, ngettext_lazy, number_lazy
from node.units import NodeId

_TEXTS: Mapping[str, tuple[str, Mapping[str, str]]] = MappingProxyType(
    {
        TOO_MUCH: (
            N_(
                "{who} says more than is kept of one author, which is {rows} rows, and {day_rows} of one day: what does not "
                "fit counts on no other node"
            ),
            {"rows": number_lazy(AUTHOR_ROWS_MAX), "day_rows": number_lazy(AUTHOR_DAY_ROWS_MAX)},
        ),
        TOO_MANY_OTHERS: (
            N_(
                "{who} says more of other kinds than usage than is kept of one author, which is {octets} bytes in {pages} "
                "pages: what does not fit is on no other node"
            ),
            {"octets": number_lazy(OTHER_BYTES_MAX), "pages": number_lazy(OTHER_PAGES_MAX)},
        ),
        CHANGES_TOO_MUCH: (
            N_("{who} has taken back too much of what it said: what is left is counted before more is taken"),
            {},
        ),
    }
)
REPORTED = frozenset(_TEXTS)
"""Why pages are refused that an operator is told of."""


def refused_pages(author: NodeId, own: NodeId, reason: str) -> LazyText:
    """`reason`: one of REPORTED."""
    who = gettext_lazy("this node") if author == own else gettext_lazy("node {node}", node=human_form(author))
    text, limits = _TEXTS[reason]
    return gettext_lazy(text, who=who, **limits)


def two_pages(author: NodeId) -> LazyText:
    return gettext_lazy(
        "node {node} signed two different pages with one number: look whether its key is in use on two devices",
        node=human_form(author),
    )


def kept_in_memory(trouble: object) -> LazyText:
    return gettext_lazy("neighbours' pages are kept in memory only: {english}", english=str(trouble))


def unread_pages(trouble: object) -> LazyText:
    return gettext_lazy("neighbours' pages cannot be read: {english}", english=str(trouble))


def refused_summaries(node: str, number: int) -> LazyText:
    """`node`: the name of the neighbour that sent them."""
    return ngettext_lazy(
        "{node} sent a summary of a node that is forged or out of range, and was refused: look whether {node} is up to date",
        "{node} sent {number} summaries of nodes that are forged or out of range, and were refused: look whether {node} is "
        "up to date",
        number,
        node=node,
    )
