"""The greatest version that a registry record of another node may have.

An honest version counts the changes of one record, so it stays far below; a node that lies may write the greatest one. The
limit rises with each decision of the admins about nodes, so once that node was removed, the next change of anybody else
outranks what it wrote. It depends on what was received and not on its order or on a date.
"""

from mesh.community_record import CommunityRecord, read_record
from mesh.membership import Membership, read_membership
from mesh.page_format import NUMBER_MAX
from mesh.signed_statement import SignedStatement
from node.units import NodeId

VERSIONS_OF_A_DECISION = 2**32
"""More than anybody changes one record."""
NUMBERS_OF_A_NODE_MAX = 1024
"""Decisions about one node that count, so that no admin can use up the numbers: with 1,024 nodes it is half of them."""
HELD_UP_MAX = 2**31
"""Versions above the limit that a node takes in from its own pages and its own disk: its changes that are held up."""


class VersionLimit:
    """Rises with the statements that are noted."""

    def __init__(self) -> None:
        self._version = 0
        self._numbers: dict[NodeId, int] = {}
        self._decisions = 0

    @property
    def version_max(self) -> int:
        return min(NUMBER_MAX, (1 + self._version + self._decisions) * VERSIONS_OF_A_DECISION)

    def note(self, statement: SignedStatement) -> None:
        """A statement that is held now; its signatures were verified."""
        if statement.kind == "membership":
            said = read_membership(statement)
            if isinstance(said, Membership):
                before = self._numbers.get(said.node, 0)
                self._numbers[said.node] = max(before, min(said.number, NUMBERS_OF_A_NODE_MAX))
                self._decisions += self._numbers[said.node] - before
        elif statement.kind == "community":
            record = read_record(statement)
            if isinstance(record, CommunityRecord):
                self._version = max(self._version, record.version)
