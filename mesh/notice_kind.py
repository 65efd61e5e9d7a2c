"""The page kind `notice`: a notice for all nodes, of the node at which an admin wrote it. See PROTOCOL.md."""

from dataclasses import dataclass

from mesh.page_format import Malformed, Page, canonical, parse_object
from mesh.page_kind import NOW, Priority, later_kind
from mesh.registry_kind import is_value
from node.accounts.notices import Notice
from node.accounts.registry_record import is_iso_day
from node.accounts.told_notices import TOLD_BY_NODE_MAX, notice_of_value, notice_value

NAME = "notice"
NOTICE_PARTS = TOLD_BY_NODE_MAX
"""One notice in each, so that one that changes is sent alone."""


@dataclass(frozen=True, slots=True)
class NoticeContent:
    """What one page says."""

    day: str
    """When this was true; empty if the author does not know the date."""
    notice: Notice | None
    """None: withdrawn."""


def notice_label(part: int) -> str:
    return f"{NAME}/{NOW}/{part:04d}"


def part_of_notice(label: str) -> int | None:
    """The part of a notice page with this label; None for other pages."""
    kind, period, part = label.split("/")
    return int(part) if (kind, period) == (NAME, NOW) and int(part) < NOTICE_PARTS else None


def notice_body(content: NoticeContent) -> bytes:
    """The second line of a page that says this."""
    said = notice_value(content.notice) if content.notice is not None else {}
    return canonical({"day": content.day, "notice": said})


def notice_content(body: bytes) -> NoticeContent | Malformed:
    """What a notice page says. Fields that this version does not know are ignored."""
    fields = parse_object(body)
    if isinstance(fields, Malformed):
        return fields
    day, value = fields.get("day"), fields.get("notice")
    if not (day == "" or is_iso_day(day)):
        return Malformed("its day is no day")
    if not isinstance(value, dict) or not is_value(value):
        return Malformed("its notice is no small object")
    notice = notice_of_value(value)
    if value and notice is None:
        return Malformed("no notice that an admin could have written for all nodes")
    return NoticeContent(str(day), notice)


def _read(page: Page) -> NoticeContent | Malformed:
    if page.period != NOW or page.part >= NOTICE_PARTS:
        return Malformed("not a part of the notices of now")
    return notice_content(page.body)


NOTICE_KIND = later_kind(NAME, Priority.REGISTRY, _read)
