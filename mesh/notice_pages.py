"""Notice pages: this node's to publish, and what those of other nodes say."""

from collections.abc import Iterable, Iterator

from mesh.held_pages import AllHeldPages, held_page
from mesh.notice_kind import (
    NOTICE_KIND,
    NOTICE_PARTS,
    NoticeContent,
    notice_body,
    notice_label,
    part_of_notice,
)
from mesh.page_age import SAID_AGAIN_DAYS, is_older, is_to_be_said_again
from mesh.page_format import Page
from mesh.page_kinds import page_content
from mesh.ports import Roster, SharedNotices
from node.accounts.notices import Notice
from node.accounts.told_notices import notice_value
from node.units import NodeId

SHOWN_DAYS = 30
"""A page that was not published again for so long is not shown: its node is gone, and nobody could withdraw it."""
UNDATED_DAYS = SAID_AGAIN_DAYS
"""A page without a day, after this node read it and knew the date: a node that is there learns the date from its neighbours,
and says the page again with it. After a start of this node the days are counted again."""
LOOK_EVERY_S = 6 * 3600.0
"""Between two looks for notices that are over, and for pages that have to be said again or are too old."""


class NoticePages:
    """Connects the pages that are held with the notices of this node."""

    def __init__(
        self, own: NodeId, notices: SharedNotices | None, held: AllHeldPages, roster: Roster
    ) -> None:
        self._own, self._notices, self._held, self._roster = own, notices, held, roster
        self._generation = 0
        self._changed, self._look_at_s = True, 0.0
        self._known: frozenset[NodeId] = frozenset()
        """The nodes whose pages were read."""
        self._undated: dict[tuple[NodeId, int], tuple[int, str]] = {}
        """Pages without a day: the seq, and the day on which this node read it."""

    def accept(self, page: Page) -> None:
        """A page that is held now."""
        if page.kind == NOTICE_KIND.name and page.author in self._known:
            self._read(page.author, page.part)

    def evicted(self, author: NodeId, names: Iterable[str]) -> None:
        """Pages with these names are not held any longer."""
        for name in names if author in self._known else ():
            part = part_of_notice(name.split("/", 2)[2])  # after author and incarnation
            if part is not None:
                self._read(author, part)

    def changed(self) -> None:
        """This node may have other notices to say."""
        self._changed = True

    def tick(self, now_s: float) -> None:
        """Call now and then: reads the pages of nodes that are new in the community, forgets those of nodes that left it,
        and reads all when they have to be read again."""
        notices, roster = self._notices, self._roster()
        if notices is None or not notices.generation:
            return
        if notices.generation != self._generation or now_s >= self._look_at_s:
            self._generation, self._changed, self._look_at_s = notices.generation, True, now_s + LOOK_EVERY_S
            again = frozenset[NodeId]()
        else:
            again = self._known
        for gone in self._known - roster:
            notices.drop(gone)
            self._undated = {key: since for key, since in self._undated.items() if key[0] != gone}
        new, self._known = roster - again, roster
        for author in sorted(new):
            for part in range(NOTICE_PARTS):
                self._read(author, part)

    def due(self) -> Iterator[tuple[int, bytes]]:
        """Part and body of each page to publish now."""
        if self._notices is None or not self._generation or not self._changed:
            return
        self._changed, today = False, self._notices.today()
        said = {part: self._said(self._own, part) for part in range(NOTICE_PARTS)}
        missing = list(self._notices.own())[:NOTICE_PARTS]
        kept: dict[int, Notice] = {}
        for part, content in said.items():
            found = _same(content, missing)
            if found is not None:
                missing.remove(found)
                kept[part] = found
        for part, content in said.items():
            notice = kept.get(part) or (missing.pop(0) if missing else None)
            if _is_due(content, notice, today):
                yield part, notice_body(NoticeContent(today if notice is not None else "", notice))

    def _read(self, author: NodeId, part: int) -> None:
        if author == self._own:
            self._changed = True  # a page of an earlier incarnation that others gave back may be withdrawn
        elif self._notices is not None:
            page = held_page(self._held, author, notice_label(part))
            said = _content_of(page)
            is_shown = page is not None and said is not None and not self._is_over(page, said.day)
            self._notices.hear(author, part, said.notice if said is not None and is_shown else None)

    def _is_over(self, page: Page, day: str) -> bool:
        key, today = (page.author, page.part), self._notices.today() if self._notices is not None else ""
        if day or not today:
            self._undated.pop(key, None)
            return is_older(day, today, SHOWN_DAYS)
        seq, since = self._undated.get(key, (page.seq, today))
        if seq != page.seq or since > today:
            since = today
        self._undated[key] = page.seq, since
        return is_older(since, today, UNDATED_DAYS)

    def _said(self, author: NodeId, part: int) -> NoticeContent | None:
        return _content_of(held_page(self._held, author, notice_label(part)))


def _content_of(page: Page | None) -> NoticeContent | None:
    said = page_content(page) if page is not None else None
    return said if isinstance(said, NoticeContent) else None


def _same(content: NoticeContent | None, wanted: list[Notice]) -> Notice | None:
    """The wanted notice that this page says."""
    if content is None or content.notice is None:
        return None
    said = notice_value(content.notice)
    return next((each for each in wanted if notice_value(each) == said), None)


def _is_due(content: NoticeContent | None, notice: Notice | None, today: str) -> bool:
    if content is None:
        return notice is not None
    before = notice_value(content.notice) if content.notice is not None else None
    if before != (notice_value(notice) if notice is not None else None):
        return True
    return notice is not None and is_to_be_said_again(content.day, today)
