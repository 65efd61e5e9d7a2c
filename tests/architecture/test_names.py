"""A class name is used once in the whole tree, and private names of earlier versions do not come back."""

import ast
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path for package in ("node", "captive_portal", "mesh", "tests") for path in (ROOT / package).rglob("*.py")
)
CLASSES = Counter(
    node.name
    for path in SOURCES
    for node in ast.walk(ast.parse(path.read_text()))
    if isinstance(node, ast.ClassDef)
)
# fmt: off
OLD_CLASSES = {
    "AccessDesk", "AdminDoor", "AdminHouse", "Agreed", "Announced", "Answer", "Asked", "Beat", "Begun",
    "Births", "Board", "Booked", "CardBearers", "Cell", "CellKey", "Change", "ConsoleAnswers", "Contest",
    "ContestGone", "Contests", "ContestsDesk", "ContestsPage", "DenialReason", "Denied", "Desk", "Device",
    "Devices", "Disk", "Doorway", "Enactment", "Ends", "English", "Entrance", "Faces", "FakeAdminHouse",
    "FakeHouse", "FakeMemory", "FakeRegisterMemory", "Form", "Found", "Frame", "FrontDoor", "Gate",
    "Generation", "Give", "Glance", "Go", "Greed", "Greeting", "Greetings", "Guesses", "Guest", "GuestViews",
    "Heads", "Holding", "HostNames", "House", "Ink", "Instant", "Introductions", "Issued", "IssuedVouchers",
    "Joining", "Keeper", "Kept", "Kind", "LanServices", "Leaf", "LedgerBooks", "Left", "LetPass", "Measured",
    "Member", "MembersAnswers", "MembersDesk", "MembersHouse", "Memory", "Mesh", "Minted", "MyPage", "News",
    "No", "NoRoom", "Notes", "NoticesDesk", "Occupant", "OnceOnly", "OverviewDesk", "Pace", "PageShelf",
    "Pardoned", "PassphraseDesk", "Patience", "Pending", "PeopleAnswers", "PeopleDesk", "PeopleHouse", "Place",
    "Plain", "PortalHouse", "Presence", "Program", "Pump", "Question", "QuestionEvent", "QuestionState",
    "Quick", "QuickAnswerer", "Reconcile", "Register", "Remember", "Remembered", "Removed", "RemovedByAdmin",
    "Replica", "Reply", "Road", "Roll", "Rulebook", "RulesDesk", "Scene", "Seat", "SecureConnection",
    "SecureDoor", "Shelf", "Show", "Slip", "Speak", "Splashes", "StandIn", "Standing", "Stay", "StopPassing",
    "StoredMemory", "StoredRecords", "StoredShelf", "Street", "Strikes", "Table", "TermsDesk", "TermsShelf",
    "Tick", "TicketState", "Told", "Tongue", "Tongues", "Turns", "UsageBooks", "Visit", "VoucherAnswers",
    "VoucherHouse", "VouchersDesk", "Waiting", "Warden", "Welcome", "Wishes", "Withdrawn", "Words",
    "WordsAnswers", "WordsHouse", "Writer", "Yes",
}
OLD_MODULES = {
    "captive_portal.board", "captive_portal.changes", "captive_portal.facts", "captive_portal.guests",
    "captive_portal.mine", "captive_portal.negotiation", "captive_portal.pace", "captive_portal.pages",
    "captive_portal.place", "captive_portal.quick", "captive_portal.reading", "captive_portal.secure",
    "captive_portal.splashes", "captive_portal.tongues", "captive_portal.turns", "captive_portal.visit",
    "captive_portal.web", "captive_portal.welcome", "captive_portal.words", "mesh.neighbourhood",
    "mesh.replica", "node.accounting.sessions", "node.addressing", "node.addressing.foreign",
    "node.addressing.programs", "node.addressing.stand_in", "node.admin.contests", "node.admin.frame",
    "node.admin.once", "node.admin.paging", "node.admin.sheet", "node.admin.web", "node.answers",
    "node.answers.admin_words", "node.answers.desk", "node.answers.doorway", "node.answers.guests",
    "node.answers.memberfile", "node.answers.mesh", "node.answers.overview", "node.answers.passphrases",
    "node.answers.portal", "node.answers.rulefile", "node.cli.beginnings", "node.cli.ink", "node.cli.show",
    "node.cli.verbs", "node.cli.words", "node.config.kinds", "node.config.offers", "node.enforcement.gate",
    "node.enforcement.generation", "node.governance.amounts", "node.governance.cell",
    "node.governance.examples", "node.governance.joining", "node.governance.language", "node.governance.notes",
    "node.governance.sentence_parts", "node.governance.reach", "node.governance.roll", "node.governance.wording",
    "node.membership", "node.membership.belongings", "node.membership.bindings", "node.membership.card_bearers",
    "node.membership.contests", "node.membership.entrances", "node.membership.guesses", "node.membership.hosts",
    "node.membership.introductions", "node.membership.issued", "node.membership.queue_order",
    "node.membership.register", "node.reconcile", "node.reconcile.books", "node.reconcile.enactment",
    "node.reconcile.intent", "node.reconcile.keeper", "node.reconcile.loop", "node.reconcile.measure",
    "node.reconcile.pending", "node.reconcile.presence", "node.reconcile.room", "node.reconcile.rulebook",
    "node.reconcile.standing", "node.reconcile.superseded", "node.services", "node.services.announced",
    "node.services.browser", "node.services.views", "node.storage.books", "node.storage.elsewhere",
    "node.storage.lasting", "node.storage.letters", "node.storage.membership", "node.storage.memory",
    "node.storage.notes", "node.storage.reading", "node.storage.records", "node.storage.sessions",
    "node.storage.soundness", "node.storage.tally", "node.thrift", "tests.bench.attacks.faces",
    "tests.bench.attacks.holding", "tests.bench.attacks.pace", "tests.bench.bare", "tests.bench.births",
    "tests.bench.boxes", "tests.bench.breath", "tests.bench.crowd", "tests.bench.greed", "tests.bench.pump",
    "tests.bench.road", "tests.bench.square", "tests.bench.warden", "tests.contracts.house",
    "tests.contracts.test_admin_house", "tests.contracts.test_house_losses",
    "tests.contracts.test_house_stories", "tests.contracts.test_loop", "tests.contracts.test_loop_closed_days",
    "tests.contracts.test_loop_losses", "tests.contracts.test_loop_lost_books",
    "tests.contracts.test_mesh_neighbourhood", "tests.contracts.test_portal_house",
    "tests.contracts.test_portal_quick", "tests.contracts.test_register_memory",
    "tests.contracts.test_rulefile", "tests.contracts.test_secure", "tests.contracts.test_tally",
    "tests.fakes.admin_house", "tests.fakes.front_door", "tests.fakes.house", "tests.fakes.memory",
    "tests.fakes.register_memory", "tests.fakes.rulefile", "tests.fakes.town", "tests.fakes.visits",
    "tests.kernel.street", "tests.lab.register",
}
# fmt: on


def test_every_class_name_is_used_once():
    assert [] == sorted(name for name, count in CLASSES.items() if count > 1)


def test_no_class_has_an_old_private_name():
    assert set() == OLD_CLASSES & set(CLASSES)


def test_no_module_has_an_old_private_name():
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in SOURCES}
    packages = {name.rpartition(".")[0] for name in modules}
    assert set() == OLD_MODULES & (modules | packages)
