"""Room for objections of other nodes, divided by the nodes that say them, so that those that lie together leave places for
the others."""

from mesh.registry_records import RegistryRecords
from node.accounts.objection_records import KIND
from node.accounts.objections import Objections
from node.accounts.registry_record import RegistryRecord
from node.units import AccountId, NodeId

SHARE_OF_FREE = 8
"""A node may have an eighth of the places that are free. So however many nodes take all that they get, some stay free: a
dynamic threshold, as switches have for the queues that share their memory."""
COUNT_AGAIN = 50
"""Objections taken in before it is counted again which nodes say those that are here."""


class ObjectionPlaces:
    """Of this node."""

    def __init__(self, objections: Objections, records: RegistryRecords, own: NodeId) -> None:
        self._objections, self._records, self._own = objections, records, own
        self._by_node: dict[NodeId, int] = {}
        self._tellers: dict[str, NodeId] = {}
        """By key: which node an objection was taken in from since the start, also when it does not say it any longer."""
        self._taken = COUNT_AGAIN

    def has_place(self, record: RegistryRecord) -> bool:
        """Whether an objection, which may be new here, is taken in; then it counts as taken."""
        if not record.value or self._objections.with_key(record.key) is not None:
            return True
        if self._taken >= COUNT_AGAIN:
            self._count()
        nodes = [node for node in self._records.carriers(KIND, record.key) if node != self._own]
        if not nodes:
            return True  # only this node says it
        node = min(nodes, key=lambda each: self._by_node.get(each, 0))
        account = record.value.get("account")
        free = self._objections.told_room(AccountId(account if isinstance(account, str) else ""))
        if self._by_node.get(node, 0) * SHARE_OF_FREE >= free:
            return False
        self._by_node[node] = self._by_node.get(node, 0) + 1
        self._tellers[record.key] = node
        self._taken += 1
        return True

    def _count(self) -> None:
        before, self._tellers = self._tellers, {}
        self._taken, self._by_node = 0, {}
        for each in self._objections.all():
            said = self._records.carriers(KIND, each.key)
            node = before.get(each.key) or next((node for node in said if node != self._own), None)
            if node is not None:
                self._tellers[each.key] = node
                self._by_node[node] = self._by_node.get(node, 0) + 1
