"""Minutes are attested by the admins who proposed and approved the version that brought them."""

from node.app.attested_minutes import VERSIONS_MAX, AttestedMinutes
from node.errors import StorageTrouble
from node.governance.minutes import Minutes
from node.governance.parse import parse_ruleset
from node.governance.rule_history import RuleVersion
from tests.fakes.admin_pages import RULES
from tests.unit.node.governance.test_admin_findings import MINUTES

OTHERS = RULES + MINUTES.replace("D-9", "D-8")
BOTH = OTHERS + MINUTES


def minutes_in(text: str) -> tuple[Minutes, ...]:
    found, findings = parse_ruleset(text)
    assert found is not None, findings
    return found.minutes


class VersionTexts:
    """Texts of versions."""

    def __init__(self, *made: tuple[str, str, tuple[str, ...]]) -> None:
        self.texts = dict(enumerate((text for text, _, _ in made), start=1))
        self.reads = 0
        self.versions = [
            RuleVersion(
                number,
                "",
                by,
                f"f-{text}",
                state="active" if number == len(made) else "superseded",
                approved=approved,
            )
            for number, (text, by, approved) in enumerate(made, start=1)
        ]

    async def text(self, number: int) -> str | None:
        self.reads += 1
        return self.texts[number]


async def attested(log: VersionTexts, text: str = BOTH) -> dict[str, tuple[str, ...]]:
    found = await AttestedMinutes(log.text).of(minutes_in(text), log.versions)
    return {each.decision: names for each, names in found.items()}


async def test_each_minutes_are_attested_by_those_who_brought_them() -> None:
    log = VersionTexts(
        (RULES, "the node's start", ()),
        (OTHERS, "admin Ana", ("admin Ben",)),
        (f"{BOTH}\n# later", "admin Cora", ("admin ana", "admin CORA")),
        (BOTH, "admin Dora", ()),
    )
    assert {"D-8": ("Ana", "Ben"), "D-9": ("Cora", "ana")} == await attested(log)
    assert {} == await attested(log, RULES)


async def test_minutes_that_were_taken_out_and_came_back_are_attested_again() -> None:
    log = VersionTexts(
        (BOTH, "admin Ana", ("admin Ben",)), (RULES, "admin Ana", ()), (BOTH, "admin Cora", ())
    )
    assert {"D-8": ("Cora",), "D-9": ("Cora",)} == await attested(log)


async def test_nobody_attests_what_an_edit_or_an_admin_without_a_name_brought() -> None:
    assert {} == await attested(VersionTexts((BOTH, "an edit of the file", ())))
    assert {} == await attested(VersionTexts((BOTH, "admin", ())))


async def test_drafts_and_what_never_was_in_force_attest_nothing() -> None:
    log = VersionTexts((BOTH, "admin Ana", ()), (BOTH, "admin Ben", ()))
    for state in ("waiting", "withdrawn", "reverted", "draft"):
        log.versions[0] = RuleVersion(1, "", "admin Ana", f"f-{BOTH}", state=state)  # type: ignore[arg-type]
        assert {"D-8": ("Ben",), "D-9": ("Ben",)} == await attested(log)


async def test_of_minutes_older_than_the_versions_that_are_read_nothing_is_said_and_texts_are_read_once() -> (
    None
):
    made = [(f"{BOTH}\n# {number}", "admin Ana", ()) for number in range(VERSIONS_MAX + 1)]
    log = VersionTexts(*made)
    service = AttestedMinutes(log.text)
    for _ in range(2):
        assert {} == await service.of(minutes_in(BOTH), log.versions)
    assert VERSIONS_MAX == log.reads


async def test_while_the_log_cannot_be_read_nothing_is_said() -> None:
    log = VersionTexts((BOTH, "admin Ana", ()))

    async def lost(number: int) -> str | None:
        raise StorageTrouble("the data folder is full", "make room")

    assert {} == await AttestedMinutes(lost).of(minutes_in(BOTH), log.versions)
