"""What the nodes of a community tell each other about people: every kind of record is registered here."""

from collections.abc import Callable

from mesh.page_format import NUMBER_MAX
from node.accounts import card_records, objection_records, passphrase_records
from node.accounts.objections import ORIGIN_CHARS
from node.accounts.registry_record import RegistryRecord
from node.app.objection_places import ObjectionPlaces
from node.app.shared_notices import NoticeSharing
from node.app.shared_registry import SharedRegistry
from node.app.shared_vouchers import SharedVouchers
from node.control.ports import Clock
from node.control.reconciler import Reconciler


def shared_registry(
    reconciler: Reconciler,
    clock: Clock,
    secret: bytes,
    version_max: Callable[[], int] = lambda: NUMBER_MAX,
) -> SharedRegistry:
    """The records of this node, to be connected with the mesh. `secret`: a key of this node alone; `version_max`: as for
    `RegistryRecords.take`."""
    shared = SharedRegistry(
        reconciler.node,
        registry=reconciler.registry,
        persistence=reconciler.persistence,
        clock=clock,
        version_max=version_max,
    )
    _share_credentials(shared, reconciler)
    _share_objections(shared, reconciler, secret)
    vouchers = SharedVouchers(reconciler.node, reconciler, shared, clock)
    shared.batches = vouchers
    shared.beside.append(vouchers.run)
    shared.notices = NoticeSharing(reconciler.registry, shared, clock)
    return shared


def _share_credentials(shared: SharedRegistry, reconciler: Reconciler) -> None:
    registry, pending = reconciler.registry, reconciler.persistence.pending

    def apply_passphrase(record: RegistryRecord) -> None:
        pending.add(passphrase_records.apply_passphrase(record, registry))

    def apply_cards(record: RegistryRecord) -> None:
        pending.add(card_records.apply_cards(record, registry))

    shared.register(
        passphrase_records.KIND,
        lambda change: passphrase_records.passphrase_record(change, reconciler.today()),
        apply_passphrase,
        absent=lambda record: passphrase_records.no_passphrase(record, reconciler.today()),
        is_same=passphrase_records.is_same_passphrase,
    )
    shared.register(card_records.KIND, card_records.card_record, apply_cards, join=card_records.join_cards)


def _share_objections(shared: SharedRegistry, reconciler: Reconciler, secret: bytes) -> None:
    registry, persistence = reconciler.registry, reconciler.persistence
    registry.share_objections(reconciler.node[:ORIGIN_CHARS], secret)

    places = ObjectionPlaces(registry.objections, shared.records, reconciler.node)

    def apply(record: RegistryRecord) -> None:
        if places.has_place(record):
            persistence.pending.add(
                objection_records.apply_objection(record, registry, persistence.instant())
            )

    shared.register(
        objection_records.KIND,
        lambda change: objection_records.objection_record(change, reconciler.today()),
        apply,
        join=objection_records.join_objections,
        is_plentiful=True,
    )
