"""Warnings about rules that depend on what this node keeps on its disk, whether it runs or not: W20 (names of nodes), W21
(what its line carried) and W22 (admins)."""

from collections.abc import Collection
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

from node.config import NodeConfig
from node.errors import Finding
from node.governance.admin_findings import too_few_admins
from node.governance.guarantees import measured_findings
from node.governance.local_findings import ending, unknown_nodes
from node.governance.members import MemberDirectory
from node.governance.rules import Ruleset
from node.storage.integrity import UNREADABLE
from node.uplink.capacity_log import from_text as capacity_from_text
from node.uplink.capacity_log import low

DATABASE, ACCOUNTS, CAPACITY = "procomu.db", "admin_accounts", "line_capacity"
"""The node's database, and names in the node state: of the admins, and of what the line carried."""


def findings_in_force(
    config: NodeConfig, ruleset: Ruleset, members: MemberDirectory, today: date | None
) -> tuple[Finding, ...]:
    """The same of the rules in force, and which of them end soon (W18)."""
    soon = () if today is None else tuple(ending(ruleset, today))
    return (*soon, *findings_on_disk(config, ruleset, members, today))


def findings_on_disk(
    config: NodeConfig,
    ruleset: Ruleset,
    members: MemberDirectory,
    today: date | None,
    names: Collection[str] | None = None,
) -> tuple[Finding, ...]:
    """Of rules that could be in force at this node. What cannot be read is left out. `today`: None while it is not known.
    `names`: of all nodes, as the running node knows them; else they are known of a node that is alone."""
    database = Path(config.node.data_dir) / DATABASE
    kept = dict(
        _rows(database, "SELECT name, value FROM facts WHERE name IN (?, ?)", CAPACITY, ACCOUNTS) or ()
    )
    if names is None:
        names = (config.node.name,) if _is_alone(config, database) else ()
    found = [*unknown_nodes(ruleset, names)]
    if CAPACITY in kept:
        slowest = low(capacity_from_text(kept[CAPACITY]), today)
        found += measured_findings(ruleset.of_uplink(config.uplink.name), members.units, slowest)
    if ACCOUNTS in kept:
        from node.app.admin_accounts import from_text as accounts_from_text  # noqa: PLC0415 - it loads cryptography

        found += too_few_admins(ruleset, accounts_from_text(kept[ACCOUNTS]).admins())
    return tuple(found)


def _is_alone(config: NodeConfig, database: Path) -> bool:
    """Whether this node is known to have no others beside it: neither in its settings nor by a community record."""
    if config.community.nodes:
        return False
    from mesh.community_service import FOLLOWED  # noqa: PLC0415 - as above

    return _rows(database, "SELECT 1 FROM community_records WHERE name = ?", FOLLOWED) == []


def _rows(database: Path, query: str, *names: str) -> list[tuple[Any, ...]] | None:
    """None for a database that cannot be read, which is reported elsewhere."""
    try:
        if not database.exists():
            return []
        from node.storage.copies import open_to_read  # noqa: PLC0415 - as above

        with closing(open_to_read(database)) as db:
            return db.execute(query, names).fetchall()
    except (*UNREADABLE, OSError):
        return None
