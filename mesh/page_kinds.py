"""The registry of page kinds. A new kind is one module, and one line here."""

from mesh.batch_kind import BATCH_KIND, BatchContent
from mesh.gateway_kind import GATEWAYS_KIND, GatewaysContent
from mesh.node_kind import NODE_KIND, NodeFacts
from mesh.notice_kind import NOTICE_KIND, NoticeContent
from mesh.page_format import Malformed, Page
from mesh.page_kind import OTHER, PageKind, Unread
from mesh.past_kind import PAST
from mesh.registry_kind import REGISTRY_KIND, RegistryContent
from mesh.usage_kind import USAGE, PageContent
from node.units import NodeId

type Content = (
    PageContent | NodeFacts | RegistryContent | BatchContent | GatewaysContent | NoticeContent | Unread
)
"""What a page says, of any kind."""
type KnownKind = (
    PageKind[PageContent]
    | PageKind[NodeFacts]
    | PageKind[RegistryContent]
    | PageKind[BatchContent]
    | PageKind[GatewaysContent]
    | PageKind[NoticeContent]
)

KINDS: dict[str, KnownKind] = {
    kind.name: kind
    for kind in (USAGE, PAST, NODE_KIND, REGISTRY_KIND, BATCH_KIND, GATEWAYS_KIND, NOTICE_KIND)
}


def kind_named(name: str) -> KnownKind | PageKind[Unread]:
    """The kind with this name; `OTHER` for one that this version does not know."""
    return KINDS.get(name, OTHER)


def is_about_usage(name: str) -> bool:
    """Whether the page with this name is of a kind that counts rows."""
    return kind_named(name.split("/")[2]).limit == "rows"


def page_content(page: Page, roster: frozenset[NodeId] | None = None) -> Content | Malformed:
    """The content of a page whose signature was verified; `Unread` if it is kept and not interpreted: an unknown kind,
    an author who may not sign this kind (with a `roster`), or a page of a later kind that cannot be read."""
    kind = kind_named(page.kind)
    if roster is not None and not kind.may_sign(page.author, roster):
        return Unread()
    said = kind.read(page)
    return Unread() if isinstance(said, Malformed) and kind.limit == "bytes" else said
