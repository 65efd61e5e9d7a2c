"""Every table on one page: what we keep, why, and for how long."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlite_utils import Database

from node.errors import StorageTrouble
from node.governance.language import N_


@dataclass(frozen=True, slots=True)
class Kept:
    """One table as people may ask about it."""

    table: str
    purpose: str
    """Both are messages of the catalogues."""
    retention: str


KEPT = (
    Kept(
        "accounts",
        N_("Which accounts there are, and when each was last used."),
        N_("until 13 months after the last use"),
    ),
    Kept("devices", N_("Which device belongs to which account."), N_("until 13 months after the last use")),
    Kept(
        "sessions",
        N_("Who is online until when, and which terms they accepted."),
        N_("30 days after the end; what was taken off, until it may come back"),
    ),
    Kept("cells", N_("How much an account used on each node on each day. Never where to."), N_("13 months")),
    Kept(
        "baselines",
        N_("How far the bytes of each device have been counted."),
        N_("while the device is counted"),
    ),
    Kept("pages", N_("Signed counts of other nodes, as they came."), N_("13 months")),
    Kept(
        "rule_versions",
        N_("The rules that were in force."),
        N_("for ever: they are the community’s decisions"),
    ),
    Kept(
        "batches",
        N_("Codes that were printed together: what they are worth, and who issued them."),
        N_("as long as one of these codes is kept"),
    ),
    Kept(
        "vouchers",
        N_("Each printed code, in a form from which nobody can read it, and until when it lasts."),
        N_("30 days after its end, or 400 days after it was issued if nobody used it"),
    ),
    Kept(
        "bindings",
        N_("Which device came into which account, by which way, and what its owner calls it."),
        N_("until 13 months after the last use"),
    ),
    Kept(
        "passphrases",
        N_("A member’s passphrase, in a form from which nobody can read it."),
        N_("until it is changed or taken away"),
    ),
    Kept(
        "cards_void",
        N_("Which lost membership cards count no more."),
        N_("for ever: a lost card must stay void"),
    ),
    Kept(
        "contests",
        N_("What a person said against a limit, and the answer."),
        N_("13 months after the answer"),
    ),
    Kept(
        "erasures",
        N_(
            "Who asked to be erased, so that their counts go too when the month is over, and do not come back from "
            "other nodes."
        ),
        N_("13 months"),
    ),
    Kept("notices", N_("What the community tells its people."), N_("30 days after the last day")),
    Kept(
        "terms",
        N_("The terms of joining, in every version."),
        N_("for ever: people are held to what they accepted"),
    ),
    Kept(
        "facts",
        N_(
            "This node’s own notes: its clock, the name of its books, and who may sign in as an admin, in a form "
            "from which nobody can read it."
        ),
        N_("until they change"),
    ),
)


def _first(db: Database) -> None:
    for statement in (
        """CREATE TABLE accounts (account TEXT PRIMARY KEY, minor INTEGER NOT NULL UNIQUE,
           last_used_day TEXT NOT NULL) STRICT""",
        """CREATE TABLE devices (mac TEXT NOT NULL, account TEXT NOT NULL, mark INTEGER NOT NULL UNIQUE,
           last_used_day TEXT NOT NULL, PRIMARY KEY (mac, account)) STRICT""",
        """CREATE TABLE sessions (mac TEXT PRIMARY KEY, mark INTEGER NOT NULL, account TEXT NOT NULL,
           state TEXT NOT NULL, terms TEXT NOT NULL, boot TEXT NOT NULL, since_boot_ms INTEGER NOT NULL,
           ends_boot_ms INTEGER, ends_wall_s INTEGER, because TEXT NOT NULL, changed_day TEXT NOT NULL) STRICT""",
        """CREATE TABLE cells (node TEXT NOT NULL, incarnation TEXT NOT NULL, account TEXT NOT NULL, day TEXT NOT NULL,
           down INTEGER NOT NULL, up INTEGER NOT NULL, busy_down INTEGER NOT NULL, busy_up INTEGER NOT NULL,
           PRIMARY KEY (node, incarnation, account, day)) STRICT, WITHOUT ROWID""",
        """CREATE TABLE baselines (mark INTEGER PRIMARY KEY, down INTEGER NOT NULL, up INTEGER NOT NULL) STRICT""",
        """CREATE TABLE pages (name TEXT PRIMARY KEY, page BLOB NOT NULL, day TEXT NOT NULL) STRICT""",
        """CREATE TABLE rule_versions (number INTEGER PRIMARY KEY AUTOINCREMENT, adopted TEXT NOT NULL, by TEXT NOT NULL,
           fingerprint TEXT NOT NULL, text TEXT NOT NULL) STRICT""",
        """CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT""",
    ):
        db.execute(statement)


def _second(db: Database) -> None:
    for statement in (
        """CREATE TABLE batches (number INTEGER PRIMARY KEY, in_group TEXT NOT NULL, lasts_ms INTEGER NOT NULL,
           devices_max INTEGER NOT NULL, issued_day TEXT NOT NULL, issued_by TEXT NOT NULL, note TEXT NOT NULL) STRICT""",
        """CREATE TABLE vouchers (fingerprint TEXT PRIMARY KEY, batch INTEGER NOT NULL, account TEXT NOT NULL,
           is_revoked INTEGER NOT NULL, used_day TEXT NOT NULL, boot TEXT, since_boot_ms INTEGER, ends_boot_ms INTEGER,
           ends_wall_s INTEGER) STRICT""",
        "CREATE INDEX vouchers_of_batch ON vouchers (batch)",
        """CREATE TABLE bindings (mac TEXT PRIMARY KEY, account TEXT NOT NULL, way TEXT NOT NULL, bound_day TEXT NOT NULL,
           name TEXT NOT NULL, introduced_by TEXT) STRICT""",
        "CREATE TABLE passphrases (account TEXT PRIMARY KEY, hash TEXT NOT NULL) STRICT",
        "CREATE TABLE cards_void (account TEXT PRIMARY KEY, below_serial INTEGER NOT NULL) STRICT",
        """CREATE TABLE contests (number INTEGER PRIMARY KEY, account TEXT NOT NULL, day TEXT NOT NULL, rule TEXT NOT NULL,
           text TEXT NOT NULL, answer TEXT NOT NULL, answered_day TEXT NOT NULL) STRICT""",
        """CREATE TABLE notices (number INTEGER PRIMARY KEY, place TEXT NOT NULL, audience TEXT NOT NULL,
           first_day TEXT NOT NULL, last_day TEXT NOT NULL, is_urgent INTEGER NOT NULL, by TEXT NOT NULL,
           texts TEXT NOT NULL) STRICT""",
        "CREATE TABLE erasures (account TEXT PRIMARY KEY, until_day TEXT NOT NULL) STRICT",
        """CREATE TABLE terms (version TEXT PRIMARY KEY, adopted_day TEXT NOT NULL, by TEXT NOT NULL,
           texts TEXT NOT NULL) STRICT""",
    ):
        db.execute(statement)


def _third(db: Database) -> None:
    """What an account used long ago is read from here alone, whenever its people look at their data."""
    db.execute("CREATE INDEX cells_of_account ON cells (account, day)")


def _fourth(db: Database) -> None:
    """An erasure stays noted when its month is over: pages and copies of before it may come later."""
    db.execute("ALTER TABLE erasures ADD COLUMN is_over INTEGER NOT NULL DEFAULT 0")


MIGRATIONS: tuple[Callable[[Database], None], ...] = (_first, _second, _third, _fourth)
"""In order; the number of those applied is the database's user_version. Each is applied in one transaction."""


def refuse_newer(db: Database) -> int:
    """How many migrations were applied. Raises StorageTrouble when a newer node made the database."""
    done = int(db.execute("PRAGMA user_version").fetchone()[0])
    if done > len(MIGRATIONS):
        raise StorageTrouble(
            f"the database has form {done} and was made by a newer version; this one knows forms up to {len(MIGRATIONS)}",
            "install the newer version again, or move procomu.db elsewhere to begin a new one",
        )
    return done


def migrate(db: Database) -> None:
    """Bring the database to the newest form. Raises sqlite3.Error, or StorageTrouble as `refuse_newer`; then nothing
    changed."""
    done = refuse_newer(db)
    for number, migration in enumerate(MIGRATIONS[done:], start=done + 1):
        with db.conn:
            db.execute("BEGIN IMMEDIATE")
            migration(db)
            db.execute(f"PRAGMA user_version = {number}")
