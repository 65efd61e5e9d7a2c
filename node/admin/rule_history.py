"""The history of the rules: each version in the sentences that it changed, who adopted it and when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from node.admin.fields import ListPage, paginate
from node.admin.routes import AdminRequest, AdminResponse, PageLayout, Route, number_in, page_layout
from node.app.admin import BY_ADMIN, AdminService
from node.app.admin_sessions import label_text
from node.app.adoption_messages import became
from node.app.rule_adoption import BY_NODE
from node.app.rule_files import BY_EDIT, BY_START
from node.app.shared_files import DECIDED
from node.governance.marked_sentences import MarkedSentence
from node.governance.rule_history import RuleVersion
from node.translator import gettext_lazy, offset_words

VERSIONS_A_PAGE = 10
"""Each is read and compared with the one before it."""
_NOBODY = frozenset({BY_ADMIN, BY_START, BY_EDIT, BY_NODE})
"""Values of `RuleVersion.by` that are no label of an admin."""


@dataclass(frozen=True, slots=True)
class VersionChanges:
    """One version of the rules, and what it changed."""

    version: RuleVersion
    is_first: bool
    changes: tuple[MarkedSentence, ...] | None
    """None where the text of the version, or of the one before it, cannot be read."""

    @property
    def by(self) -> str:
        return version_author(self.version)

    @property
    def is_in_force(self) -> bool:
        return self.version.state in {"active", "trial"}

    @property
    def is_decided(self) -> bool:
        """Whether it was in force, and is not now."""
        return self.version.state in DECIDED - {"active"}

    @property
    def became(self) -> str:
        """What became of it, translatable; empty for one that was replaced by newer rules."""
        return became(self.version)


@dataclass(frozen=True, slots=True)
class RuleHistoryPage:
    """Versions of the rules, the newest first."""

    template = "rule_changes.html"
    frame: PageLayout
    versions: ListPage[VersionChanges]
    zone: str
    """See `zone_sentence`."""
    has_record: bool = False
    """Whether the node follows a community record, so that an earlier version can be shared."""


class RuleHistoryViews:
    """View of the history."""

    def __init__(self, backend: AdminService) -> None:
        self._backend = backend

    def routes(self) -> tuple[Route, ...]:
        return (Route("GET", "/rules/history", self._show),)

    async def _show(self, request: AdminRequest) -> AdminResponse:
        versions = newest_first(self._backend.adoption.versions())
        page = paginate(versions, number_in(request.query, "page"), "/rules/history", size=VERSIONS_A_PAGE)
        numbers = [each.number for each in page.rows]
        changes = await self._backend.rule_changes(numbers, request.translations)
        first = versions[-1].number if versions else 0
        shown = page.turned(lambda each: VersionChanges(each, each.number == first, changes.get(each.number)))
        has_record = self._backend.shared_files.kind("rules") not in {None, "no record"}
        layout = page_layout(request, self._backend.site(), "/rules")
        return AdminResponse(RuleHistoryPage(layout, shown, zone_sentence(self._backend.civil()), has_record))


def zone_sentence(now: datetime) -> str:
    """The clock that the times of a page are of, translatable: pages have no scripts, so they do not know the reader's."""
    # What has no name, such as a zone whose file is a copy, is known by its distance from UTC.
    name = getattr(now.tzinfo, "key", None)
    if name is None:
        return gettext_lazy("Times are of the node’s clock, now {offset}.", offset=offset_words(now))
    return gettext_lazy(
        "Times are of the node’s clock: {zone}, now {offset}.", zone=name, offset=offset_words(now)
    )


def newest_first(versions: Sequence[RuleVersion]) -> tuple[RuleVersion, ...]:
    return tuple(sorted(versions, key=lambda each: -each.number))


def version_author(version: RuleVersion) -> str:
    """The person who adopted the version, or how it came into force, translatable."""
    return gettext_lazy(version.by) if version.by in _NOBODY else label_text(version.by)
