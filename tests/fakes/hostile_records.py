"""What a member node that lies says about people, and a node that has every kind of record which it can lie about."""

from node.app.roaming_service import RoamingService
from node.app.shared_erasures import SharedErasures
from tests.fakes.neighbours import id_of
from tests.fakes.roaming_nodes import names
from tests.fakes.sharing_fixture import SharingFixture

FIELDS = (
    "hash", "day", "below", "account", "rule", "text", "answer", "answered_day", "way", "terms", "end", "node",
    "ended", "host", "because", "batch", "used", "revoked", "until", "start", "ends", "group", "note", "lasts_ms",
)  # fmt: skip
KEYS = ("ana", "guest-01", "0" * 32, "f" * 32, "00ff00ff00ff00ff-hill", "é", "a/b", "1")


def node_with_every_record(name: str = "hill") -> SharingFixture:
    node = SharingFixture()
    SharedErasures(node.loop, node.shared).names = names()
    RoamingService(node.loop, node.shared, names(), node.clock, own=id_of(name), terms_version=lambda: "1")
    return node
