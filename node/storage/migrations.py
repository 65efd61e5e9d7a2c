"""All tables and their data inventory: what is stored, why, and for how long."""

from collections.abc import Callable
from sqlite3 import Connection

from node.accounts.personal_data import InventoryEntry
from node.errors import StorageTrouble
from node.governance.adoption import AdoptionRecord, sealed
from node.storage.tables import schema, table
from node.translator import N_

INVENTORY = (
    InventoryEntry(
        "accounts",
        N_("Which accounts there are, and when each was last used."),
        N_("until 13 months after the last use"),
    ),
    InventoryEntry(
        "devices", N_("Which device belongs to which account."), N_("until 13 months after the last use")
    ),
    InventoryEntry(
        "sessions",
        N_("Who is online and until when, and which terms they accepted."),
        N_("30 days after the end; for a blocked device, until it is unblocked"),
    ),
    InventoryEntry(
        "cells", N_("How much an account used on each node each day. Never which sites."), N_("13 months")
    ),
    InventoryEntry(
        "intervals",
        N_(
            "How much an account used in each five minutes in which it was active, and whether the line was busy. It shows "
            "what other rules would change. Kept only if the community decided so. Never which sites."
        ),
        N_("14 days"),
    ),
    InventoryEntry(
        "preview_classes",
        N_(
            "Which accounts the previews of each day treated alike, so that two previews together do not show what one "
            "account used. Nothing of what anybody used."
        ),
        N_("15 days, or until the community no longer keeps usage in each five minutes"),
    ),
    InventoryEntry(
        "baselines",
        N_("How far the bytes of each device have been counted."),
        N_("while the device is counted"),
    ),
    InventoryEntry("pages", N_("Signed counts from other nodes, as they arrived."), N_("13 months")),
    InventoryEntry(
        "community_records",
        N_(
            "What admins signed about the community: their keys and names, which nodes belong to it, and the invites that "
            "new nodes came with. Also the newest versions of the rules and of the list of members. Every node of the "
            "community has the same."
        ),
        N_(
            "as long as the community exists; a newer statement replaces an older one about the same node or list"
        ),
    ),
    InventoryEntry(
        "rule_versions",
        N_(
            "The rules that were in force or waited, which admins adopted and approved them, and when. Everybody can read "
            "who adopted rules that wait or are on trial."
        ),
        N_("until there are more than 2,000 steps, or 32 MB of them: then the older half is deleted"),
    ),
    InventoryEntry(
        "batches",
        N_(
            "Codes that were printed together: what they allow, and who issued them. Of those that other nodes issued: what "
            "they allow, which node issued them, and which accounts they are."
        ),
        N_("as long as one of these codes is kept; those of other nodes, at least 400 days"),
    ),
    InventoryEntry(
        "vouchers",
        N_("Each printed code, in a form that nobody can read, and how long it lasts."),
        N_("30 days after its end, or 400 days after it was issued if nobody used it"),
    ),
    InventoryEntry(
        "bindings",
        N_("Which device joined which account, how it joined, and what its owner calls it."),
        N_("until 13 months after the last use"),
    ),
    InventoryEntry(
        "passphrases",
        N_("A member’s passphrase, in a form that nobody can read."),
        N_("until it is changed or removed"),
    ),
    InventoryEntry(
        "cards_void",
        N_("Which lost membership cards are no longer valid."),
        N_("forever: a lost card must never become valid again"),
    ),
    InventoryEntry(
        "contests",
        N_("Objections to limits, and the answers."),
        N_("13 months after the answer"),
    ),
    InventoryEntry(
        "rule_objections",
        N_(
            "Which members object to drafts of rules and to rules that wait for their time, and what they write. The "
            "admins’ pages show the number and the texts, not whose they are."
        ),
        N_(
            "until these rules are in force, replaced or withdrawn, or the draft has ended; if objections stopped them, "
            "30 days after that"
        ),
    ),
    InventoryEntry(
        "ladder_cases",
        N_(
            "Cases of the community’s ladders: which account, which step, the reason, which admin opened and ended it, "
            "and when."
        ),
        N_("13 months after the end"),
    ),
    InventoryEntry(
        "messages",
        N_("Messages of admins to the people of an account, and whether these said that they read them."),
        N_("30 days after they were read, 400 days if nobody read them, or until they are withdrawn"),
    ),
    InventoryEntry(
        "events",
        N_(
            "What admins did and when: for example which account was blocked, by which admin and why, and which vouchers "
            "were issued. Also who signed in to the admins’ pages, and how often somebody failed to."
        ),
        N_("90 days, or as many as the node’s settings say, 400 at most; what you erase is no longer in it"),
    ),
    InventoryEntry(
        "registry_records",
        N_(
            "What the nodes of this community tell each other about accounts, so that all treat them alike: for example "
            "a passphrase in a form that cannot be read, which cards count, until when a device has a session and in which "
            "account, and why an admin blocked it. No codes; devices only in a form in which their address cannot be read."
        ),
        N_(
            "as long as it is in force, and 13 months after it ended, so that it does not come back from another node"
        ),
    ),
    InventoryEntry(
        "erasures",
        N_(
            "Who asked to have their data erased, so that their counts are erased too when the month ends, and "
            "do not come back from other nodes."
        ),
        N_("13 months"),
    ),
    InventoryEntry("notices", N_("The community’s notices."), N_("30 days after the last day")),
    InventoryEntry(
        "terms",
        N_("Every version of the terms."),
        N_("forever: people are bound by what they accepted"),
    ),
    InventoryEntry(
        "appearance",
        N_("The community’s logo, colours, sentence of welcome, and the name and password of its Wi-Fi."),
        N_("until an admin changes them"),
    ),
    InventoryEntry(
        "facts",
        N_(
            "This node’s own notes: its clock and the name of its records. Also who can sign in as an admin or to issue "
            "vouchers, and on which browsers. Nobody can read their passphrases. And up to where the counters of devices "
            "behind gateways are booked, without the devices’ addresses."
        ),
        N_("until they change; of devices behind a gateway that is gone, 7 days"),
    ),
)


def _first(db: Connection) -> None:
    _create(db, "accounts", "account", {"account": str, "minor": int, "last_used_day": str})
    table(db, "accounts").create_index(["minor"], "accounts_by_minor", unique=True)
    _create(
        db, "devices", ("mac", "account"), {"mac": str, "account": str, "mark": int, "last_used_day": str}
    )
    table(db, "devices").create_index(["mark"], "devices_by_mark", unique=True)
    _create(
        db,
        "sessions",
        "mac",
        {"mac": str, "mark": int, "account": str, "state": str, "terms": str, "boot": str, "since_boot_ms": int,
         "ends_boot_ms": int, "ends_wall_s": int, "because": str, "changed_day": str},
        may_be_null={"ends_boot_ms", "ends_wall_s"},
    )  # fmt: skip
    # sqlite-utils can create neither: WITHOUT ROWID, which halves this table, and AUTOINCREMENT, which never
    # reuses numbers.
    db.execute(
        """CREATE TABLE cells (node TEXT NOT NULL, incarnation TEXT NOT NULL, account TEXT NOT NULL, day TEXT NOT NULL,
           down INTEGER NOT NULL, up INTEGER NOT NULL, busy_down INTEGER NOT NULL, busy_up INTEGER NOT NULL,
           PRIMARY KEY (node, incarnation, account, day)) STRICT, WITHOUT ROWID"""
    )
    db.execute(
        """CREATE TABLE rule_versions (number INTEGER PRIMARY KEY AUTOINCREMENT, adopted TEXT NOT NULL, by TEXT NOT NULL,
           fingerprint TEXT NOT NULL, text TEXT NOT NULL) STRICT"""
    )
    _create(db, "baselines", "mark", {"mark": int, "down": int, "up": int})
    _create(db, "pages", "name", {"name": str, "page": bytes, "day": str})
    _create(db, "facts", "name", {"name": str, "value": str})


def _second(db: Connection) -> None:
    _create(
        db,
        "batches",
        "number",
        {"number": int, "in_group": str, "lasts_ms": int, "devices_max": int, "issued_day": str, "issued_by": str,
         "note": str},
    )  # fmt: skip
    _create(
        db,
        "vouchers",
        "fingerprint",
        {"fingerprint": str, "batch": int, "account": str, "is_revoked": int, "used_day": str, "boot": str,
         "since_boot_ms": int, "ends_boot_ms": int, "ends_wall_s": int},
        may_be_null={"boot", "since_boot_ms", "ends_boot_ms", "ends_wall_s"},
    )  # fmt: skip
    table(db, "vouchers").create_index(["batch"], "vouchers_of_batch")
    _create(
        db,
        "bindings",
        "mac",
        {"mac": str, "account": str, "way": str, "bound_day": str, "name": str, "introduced_by": str},
        may_be_null={"introduced_by"},
    )
    _create(db, "passphrases", "account", {"account": str, "hash": str})
    _create(db, "cards_void", "account", {"account": str, "below_serial": int})
    _create(
        db,
        "contests",
        "number",
        {
            "number": int,
            "account": str,
            "day": str,
            "rule": str,
            "text": str,
            "answer": str,
            "answered_day": str,
        },
    )
    _create(
        db,
        "notices",
        "number",
        {"number": int, "place": str, "audience": str, "first_day": str, "last_day": str, "is_urgent": int, "by": str,
         "texts": str},
    )  # fmt: skip
    _create(db, "erasures", "account", {"account": str, "until_day": str})
    _create(db, "terms", "version", {"version": str, "adopted_day": str, "by": str, "texts": str})


def _third(db: Connection) -> None:
    """Index for a person's view of their own past usage."""
    table(db, "cells").create_index(["account", "day"], "cells_of_account")


def _fourth(db: Connection) -> None:
    """An erasure note stays after its month, because pages and copies from before it may arrive later."""
    table(db, "erasures").add_column("is_over", int, not_null_default=0)


def _fifth(db: Connection) -> None:
    """The community's appearance, in one row."""
    _create(
        db,
        "appearance",
        "number",
        {"number": int, "accent": str, "accent_dark": str, "welcome": str, "wifi_name": str, "wifi_passphrase": str,
         "logo": str, "by": str},
    )  # fmt: skip


def _sixth(db: Connection) -> None:
    """Rule versions become a log of adoptions, chained by hashes; those of before are its first records."""
    rules = table(db, "rule_versions")
    rules.add_column("kind", str, not_null_default="before")
    for name in ("reason", "due", "prev", "hash"):
        rules.add_column(name, str, not_null_default="")
    for name in ("subject", "trial_s"):
        rules.add_column(name, int, not_null_default=0)
    rows = db.execute("SELECT number, adopted, by, fingerprint, text FROM rule_versions ORDER BY number")
    prev = ""
    # The records of the chain are numbered from 1 without gaps; numbers of before can have some after damage.
    for place, (number, adopted, by, fingerprint, text) in enumerate(rows.fetchall(), start=1):
        made = sealed(AdoptionRecord("before", adopted, by, fingerprint, text), place, prev)
        db.execute(
            "UPDATE rule_versions SET number = ?, prev = ?, hash = ? WHERE number = ?",
            [place, made.prev, made.hash, number],
        )
        prev = made.hash


def _seventh(db: Connection) -> None:
    """Usage in intervals of five minutes, if the community decided so."""
    _create(db, "intervals", "begun", {"begun": int, "rows": bytes})


def _eighth(db: Connection) -> None:
    """Objections to rules that wait, and how many stopped a version of the rules."""
    _create(
        db,
        "rule_objections",
        "account",
        {"account": str, "version": int, "fingerprint": str, "day": str, "text": str},
    )
    for name in ("objections", "accounts"):
        table(db, "rule_versions").add_column(name, int, not_null_default=0)


def _ninth(db: Connection) -> None:
    """Statements about the community that admins and invites signed."""
    _create(db, "community_records", "name", {"name": str, "statement": bytes})


def _tenth(db: Connection) -> None:
    """Drafts of rules: an account can object to each version, and records say what their text would do."""
    db.execute("ALTER TABLE rule_objections RENAME TO rule_objections_before")
    columns = {"account": str, "version": int, "fingerprint": str, "day": str, "text": str}
    _create(db, "rule_objections", ("account", "version"), columns)
    names = ", ".join(columns)
    db.execute(f"INSERT INTO rule_objections ({names}) SELECT {names} FROM rule_objections_before")  # noqa: S608
    db.execute("DROP TABLE rule_objections_before")
    table(db, "rule_versions").add_column("meaning", str, not_null_default="")
    table(db, "rule_versions").add_column("waits_s", int, not_null_default=0)


def _eleventh(db: Connection) -> None:
    """Cases of ladders."""
    texts = dict.fromkeys(("account", "ladder", "said", "reason", "by", "boot", "ending", "ended_by"), str)
    numbers = dict.fromkeys(
        (
            "step",
            "days",
            "opened_s",
            "at_ms",
            "ran_ms",
            "objection",
            "objected_s",
            "objected_ran_ms",
            "is_answered",
            "ended_s",
        ),
        int,
    )
    _create(db, "ladder_cases", "number", {"number": int, **texts, **numbers})


def _twelfth(db: Connection) -> None:
    """What the nodes of a community told each other about people."""
    columns = {"kind": str, "key": str, "version": int, "until": str, "text": str}
    _create(db, "registry_records", ("kind", "key"), columns)


def _thirteenth(db: Connection) -> None:
    """Objections have a key, by which other nodes know them."""
    table(db, "contests").add_column("key", str, not_null_default="")


def _fourteenth(db: Connection) -> None:
    """Vouchers of other nodes, and batches that were revoked as a whole."""
    batches = table(db, "batches")
    for name in ("is_revoked", "origin_number"):
        batches.add_column(name, int, not_null_default=0)
    for name in ("origin", "accounts"):
        batches.add_column(name, str, not_null_default="")
    table(db, "vouchers").add_column("used_elsewhere", int, not_null_default=0)
    # One fact to tell other nodes instead of one for each voucher.
    db.execute(
        """UPDATE batches SET is_revoked = 1 WHERE number IN
           (SELECT batch FROM vouchers GROUP BY batch HAVING min(is_revoked) = 1)"""
    )
    db.execute(
        "UPDATE vouchers SET is_revoked = 0 WHERE batch IN (SELECT number FROM batches WHERE is_revoked)"
    )


def _fifteenth(db: Connection) -> None:
    """Events: who did what, and when."""
    texts = dict.fromkeys(("day", "by", "kind", "account", "about", "text"), str)
    columns = {"key": str, "at_s": int, **texts, "count": int}
    _create(db, "events", "key", columns)


def _sixteenth(db: Connection) -> None:
    """Messages of admins to people."""
    texts = dict.fromkeys(("day", "by", "text", "read_day"), str)
    _create(db, "messages", "account", {"account": str, "number": int, "is_read": int, **texts})


def _seventeenth(db: Connection) -> None:
    """People read the events about their account."""
    table(db, "events").create_index(["account"], "events_of_account")


def _eighteenth(db: Connection) -> None:
    """Notices with the place "everywhere" were shown at this node alone. That is a place of its own, because "everywhere"
    means all nodes."""
    db.execute("UPDATE notices SET place = 'here' WHERE place = 'network'")


def _nineteenth(db: Connection) -> None:
    """Accounts that previews of rules treated alike, by day."""
    _create(db, "preview_classes", ("day", "account"), {"day": str, "account": str, "class": int})


def _create(
    db: Connection,
    name: str,
    key: str | tuple[str, ...],
    columns: dict[str, type],
    *,
    may_be_null: frozenset[str] | set[str] = frozenset(),
) -> None:
    """Create a STRICT table. Columns are NOT NULL unless listed in `may_be_null`; key columns always are."""
    keys = {key} if isinstance(key, str) else set(key)
    # Neither `Table.create` nor strict=True: in sqlite-utils 3.38 both commit the migration's transaction.
    not_null = columns.keys() - keys - may_be_null
    statement = schema(db).create_table_sql(name, columns, pk=key, not_null=not_null)
    db.execute(f"{statement.rstrip().removesuffix(';')} STRICT")


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (
    _first,
    _second,
    _third,
    _fourth,
    _fifth,
    _sixth,
    _seventh,
    _eighth,
    _ninth,
    _tenth,
    _eleventh,
    _twelfth,
    _thirteenth,
    _fourteenth,
    _fifteenth,
    _sixteenth,
    _seventeenth,
    _eighteenth,
    _nineteenth,
)
"""In order; user_version is the number applied. Each runs in one transaction."""


def refuse_newer(db: Connection) -> int:
    """Number of migrations applied. Raises StorageTrouble if a newer version created the database."""
    done = int(db.execute("PRAGMA user_version").fetchone()[0])
    if done > len(MIGRATIONS):
        raise StorageTrouble(
            f"the database has form {done} and was made by a newer version; this one knows forms up to {len(MIGRATIONS)}",
            "install the newer version again, or move procomu.db elsewhere to begin a new one",
        )
    return done


def migrate(db: Connection) -> None:
    """Migrate to the newest schema. Raises sqlite3.Error, or StorageTrouble as `refuse_newer`; then nothing
    was changed."""
    done = refuse_newer(db)
    for number, migration in enumerate(MIGRATIONS[done:], start=done + 1):
        with db:
            db.execute("BEGIN IMMEDIATE")
            migration(db)
            db.execute(f"PRAGMA user_version = {number}")
