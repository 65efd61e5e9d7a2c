"""The tables of these pages as files for a spreadsheet."""

from dataclasses import dataclass

from node.admin.routes import (
    AdminDownload,
    AdminRequest,
    AdminResponse,
    Answer,
    PageLayout,
    Route,
    not_there,
    page_layout,
)
from node.app.admin import AdminService
from node.app.admin_tables import TABLES, AdminTable, AdminTables
from node.translator import gettext_lazy

PATH, FILE = "/tables", "/tables/table.csv"


@dataclass(frozen=True, slots=True)
class TablesPage:
    """Every table, and what its columns are called."""

    template = "tables.html"
    frame: PageLayout
    tables: tuple[AdminTable, ...] = tuple(TABLES.values())
    file: str = FILE


class TablesViews:
    """Views for tables as files."""

    def __init__(self, backend: AdminService) -> None:
        self._backend, self._tables = backend, AdminTables(backend)

    def routes(self) -> tuple[Route, ...]:
        return Route("GET", PATH, self._show), Route("GET", FILE, self._download)

    async def _show(self, request: AdminRequest) -> Answer:
        return AdminResponse(TablesPage(page_layout(request, self._backend.site(), PATH)))

    async def _download(self, request: AdminRequest) -> Answer:
        table = TABLES.get(request.query.get("name", ""))
        if table is None:
            return not_there(
                gettext_lazy("There is no such table."), gettext_lazy("Choose one on the page about tables.")
            )
        return AdminDownload(f"{table.name}.csv", await self._tables.file(table, request.signed), "text/csv")
