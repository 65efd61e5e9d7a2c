"""Warnings about rules that depend on what this node keeps on its disk, whether it runs or not: W20 (names of nodes), W21
(what its line carried) and W22 (admins)."""

from collections.abc import Collection
from datetime import date
from pathlib import Path

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
    kept = _kept(Path(config.node.data_dir) / DATABASE)
    if names is None:
        names = () if config.community.nodes else (config.node.name,)
    found = [*unknown_nodes(ruleset, names)]
    if CAPACITY in kept:
        slowest = low(capacity_from_text(kept[CAPACITY]), today)
        found += measured_findings(ruleset.of_uplink(config.uplink.name), members.units, slowest)
    if ACCOUNTS in kept:
        from node.app.admin_accounts import from_text as accounts_from_text  # noqa: PLC0415 - it loads cryptography

        accounts = accounts_from_text(kept[ACCOUNTS]).accounts
        found += too_few_admins(ruleset, sum(each.signed.role == "admin" for each in accounts))
    return tuple(found)


def _kept(database: Path) -> dict[str, str]:
    """Node state by name; empty for a database that cannot be read, which is reported elsewhere."""
    try:
        if not database.exists():
            return {}
        from node.storage.copies import open_to_read  # noqa: PLC0415 - as above

        db = open_to_read(database)
        try:
            return dict(
                db.execute("SELECT name, value FROM facts WHERE name IN (?, ?)", [CAPACITY, ACCOUNTS])
            )
        finally:
            db.close()
    except (*UNREADABLE, OSError):
        return {}
