"""What the links to neighbouring nodes carried, beside what their pages say, as rows of the page about nodes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from node.accounting.link_days import LinkUse, Verdict, most_sent
from node.translator import amount_lazy, gettext_lazy
from node.units import Bytes, NodeId, show_volume


@dataclass(frozen=True, slots=True)
class LinkLine:
    """One neighbour in the table."""

    name: str
    carried: str
    said: str
    verdict: str
    """A sentence."""
    is_odd: bool
    """Whether link and pages contradict each other."""


def link_lines(uses: Iterable[LinkUse], names: Mapping[NodeId, str]) -> Iterator[LinkLine]:
    """Those that need a look first; none of nodes that left the community."""
    for use in sorted(uses, key=lambda each: (_ORDER.index(each.verdict), names.get(each.node, ""))):
        if use.node in names:
            yield LinkLine(
                names[use.node],
                gettext_lazy(
                    "{sent} to it, {received} from it", sent=_volume(use.sent), received=_volume(use.received)
                ),
                gettext_lazy("{down} down, {up} up", down=_volume(use.said_down), up=_volume(use.said_up)),
                _sentence(use),
                use.verdict == "more",
            )


_ORDER: tuple[Verdict, ...] = ("more", "less", "agrees", "line", "gap")
_SENTENCES: Mapping[Verdict, str] = {
    "less": gettext_lazy(
        "Much more was sent to it than its pages say. They do not count what the node loads for itself, what it gives to "
        "everybody without an account, and what it passes on to nodes behind it. If that is not enough, ask there."
    ),
    "agrees": gettext_lazy("This fits."),
    "line": gettext_lazy(
        "It does not say that it uses only this node’s line, so its people may use more or less than this link carries: "
        "nothing follows."
    ),
    "gap": gettext_lazy(
        "Three days in a row have to be over and counted from their beginning: until then nothing follows."
    ),
}


def _sentence(use: LinkUse) -> str:
    if use.verdict != "more":
        return _SENTENCES[use.verdict]
    day = use.worst_day
    return gettext_lazy(
        "This cannot be. By its pages, its accounts downloaded {said} on {day}, all of it over this link. At most {most} "
        "can have come that way. Ask there: nothing happens to anybody because of this.",
        day=day,
        said=_volume(use.days[day].said_down),
        most=_volume(most_sent(use.days, day)),
    )


def _volume(value: int) -> str:
    return amount_lazy(show_volume(Bytes(value)))
