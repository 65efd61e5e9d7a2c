"""The page with rules that do not bind yet: what they change, for everybody and for the reader, and how to object."""

from dataclasses import dataclass
from typing import Literal

from captive_portal import forms
from captive_portal.request_context import SENTENCE_CHARACTERS_MAX, PageContext, RequestContext
from node.app.next_rules import NextRulesView
from node.app.views import RefusalReason

PATH = "/rules/next"

Deed = Literal["objected", "withdrawn"]
DEEDS: tuple[Deed, ...] = ("objected", "withdrawn")
"""What has just been done; shown once."""


@dataclass(frozen=True, slots=True)
class NextRulesPage:
    """Rules that wait, are on trial, were stopped by objections, or are a draft; or that there are none."""

    template = "nextrules.html"
    place: PageContext
    view: NextRulesView
    changes: tuple[str, ...]
    own_changes: tuple[str, ...]
    token: str
    """Of the forms; empty for a reader who cannot object."""
    deed: Deed | Literal[""] = ""
    reason: RefusalReason | Literal["old", ""] = ""
    """Why the objection was not changed. ``old``: the page was open for too long."""
    text: str = ""
    """As typed, so that it is not lost."""


async def next_rules(
    context: RequestContext,
    deed: str = "",
    *,
    reason: RefusalReason | Literal["old", ""] = "",
    text: str = "",
    number: int = 0,
) -> NextRulesPage:
    """`number`: of a draft; anything else is what was decided last."""
    view = await context.backend.next_rules(context.mac, context.words, number)
    own = view.own
    written = own.objection.text if own is not None and own.objection is not None else ""
    return NextRulesPage(
        context.place(),
        view,
        _shortened(view.changes),
        () if own is None else _shortened(own.changes),
        context.token(forms.RULES) if own is not None and own.can_object else "",
        next((each for each in DEEDS if each == deed), ""),
        reason,
        text or written,
    )


def _shortened(sentences: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sentence[:SENTENCE_CHARACTERS_MAX] for sentence in sentences)
