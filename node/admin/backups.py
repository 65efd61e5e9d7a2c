"""Backups: download of one, and the recovery key, to be printed."""

from dataclasses import dataclass
from datetime import datetime

from node.admin.routes import (
    AdminDownload,
    AdminRequest,
    AdminResponse,
    Answer,
    PageLayout,
    Route,
    page_layout,
)
from node.admin.vouchers import qr_svg
from node.app.admin import AdminService
from node.backup.age import in_groups, recipient_of, recovery_key
from node.errors import Finding


@dataclass(frozen=True, slots=True)
class RecoverySlip:
    """A recovery key on paper."""

    key: str
    """In groups, for reading."""
    public: str
    community: str
    day: str
    """ISO date; empty if it is not known."""
    address: str
    """Text of the QR code: the key."""

    @property
    def qr_svg(self) -> str:
        return qr_svg(self.address)


@dataclass(frozen=True, slots=True)
class PrintedRecoveryKey:
    """A page with a recovery key, as a document of its own."""

    template = "recovery_alone.html"
    slip: RecoverySlip
    lang: str


def recovery_slip(secret: bytes, community: str, day: str) -> RecoverySlip:
    key = recovery_key(secret)
    return RecoverySlip(in_groups(key), recipient_of(secret), community, day, key)


@dataclass(frozen=True, slots=True)
class BackupsPage:
    """Download, and the key."""

    template = "backups.html"
    frame: PageLayout
    recipients: tuple[str, ...]
    trouble: str
    """Why the file with the public keys cannot be used."""
    last_day: str
    """Of the last backup; empty if none is known."""
    idempotency_key: str
    finding: Finding | None


@dataclass(frozen=True, slots=True)
class RecoveryKeyPage:
    """A new recovery key, shown once. Only the slip is printed."""

    template = "recovery.html"
    frame: PageLayout
    slip: RecoverySlip
    lang: str


class BackupsViews:
    """Views for backups."""

    def __init__(self, backend: AdminService) -> None:
        self._backend, self._backup = backend, backend.backup

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("GET", "/backups", self._show),
            Route("POST", "/backups", self._download),
            Route("POST", "/backups/key", self._make_key),
        )

    async def _show(self, request: AdminRequest) -> Answer:
        return await self._page(request)

    async def _download(self, request: AdminRequest) -> Answer:
        made = await self._backup.create(by=request.signed)
        return AdminDownload(made.name, made.content)

    async def _make_key(self, request: AdminRequest) -> Answer:
        made = await self._backup.make_key(
            request.cookie,
            request.fields.get("ticket", ""),
            is_replacing="replace" in request.fields,
            by=request.signed,
        )
        if isinstance(made, Finding):
            return await self._page(request, made)
        site = self._backend.site()
        slip = recovery_slip(made, site.community, self._backup.today())
        return AdminResponse(
            RecoveryKeyPage(page_layout(request, site, "/backups"), slip, site.languages[0][0])
        )

    async def _page(self, request: AdminRequest, finding: Finding | None = None) -> AdminResponse:
        state = await self._backup.state()
        page = BackupsPage(
            page_layout(request, self._backend.site(), "/backups"),
            recipients=state.recipients,
            trouble=state.trouble,
            last_day=_day(state.last),
            idempotency_key=self._backup.idempotency_key(request.cookie),
            finding=finding,
        )
        return AdminResponse(page, 422 if finding is not None else 200)


def _day(at: datetime | None) -> str:
    return "" if at is None else at.date().isoformat()
