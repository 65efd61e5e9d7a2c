"""The set-up pages: frozen values, one for each template."""

from dataclasses import dataclass

from node.admin.fields import FormView
from node.admin.vouchers import qr_svg
from node.errors import NodeError
from node.governance.expressions import rate_words
from node.governance.rules import WAYS
from node.setup.answers import Answers, Choices
from node.setup.line_meter import LOADED_BYTES_MAX, MEASURE_S, LineMeter
from node.setup.line_speed import LineSpeed
from node.setup.network_layout import InterfaceFacts, NetworkFacts
from node.translator import amount_lazy, gettext_lazy, in_a_row
from node.units import MEGA, BitsPerSecond, show_volume
from node.web.language_choice import Language

WAY_TEXTS: dict[str, tuple[str, str]] = {
    "terms": (gettext_lazy("Accept the terms"), gettext_lazy("One button, no name.")),
    "voucher": (gettext_lazy("A code"), gettext_lazy("You print codes and give them away.")),
    "passphrase": (gettext_lazy("A passphrase"), gettext_lazy("For members.")),
    "card": (gettext_lazy("A membership card"), gettext_lazy("With a QR code, for members.")),
    "introduction": (
        gettext_lazy("A member lets them in"),
        gettext_lazy("The member says yes on their own phone."),
    ),
}
"""Name and explanation of each way to join."""


@dataclass(frozen=True, slots=True)
class CodePage:
    """Asks for the set-up code."""

    template = "code.html"
    typed: str = ""
    error: str = ""
    is_taken: bool = False
    """Somebody else has the set-up open."""
    invite: str = ""
    """Of a community, as the link that was opened has it."""


@dataclass(frozen=True, slots=True)
class AnswersPage:
    """All questions, with proposals."""

    template = "answers.html"
    form: FormView
    sides: tuple[InterfaceFacts, ...]
    radios: tuple[str, ...]
    languages: tuple[Language, ...]
    foreign: tuple[str, ...] = ()
    """Interfaces where another DHCP server answers."""
    trouble: "SetupTrouble | None" = None
    """Why there is no plan although each answer is valid."""
    measured: str = ""
    """What was measured of the line; empty before."""
    not_measured: "SetupTrouble | None" = None
    """Why the line could not be measured."""
    seconds: int = MEASURE_S
    megabytes: int = LOADED_BYTES_MAX // MEGA
    ways: tuple[tuple[str, str, str], ...] = tuple((way, *WAY_TEXTS[way]) for way in WAYS)


@dataclass(frozen=True, slots=True)
class MeasuringPage:
    """The line is being measured."""

    template = "measuring.html"
    seconds: int = MEASURE_S


@dataclass(frozen=True, slots=True)
class PlanPage:
    """The plan in words, before anything is changed."""

    template = "plan.html"
    sentences: tuple[str, ...]
    cuts: str
    files: tuple[str, ...]
    """Paths of the files that change the network, which is taken back unless somebody confirms; empty without a change."""
    trouble: "SetupTrouble | None" = None
    """Why an earlier attempt ended."""


@dataclass(frozen=True, slots=True)
class ChangingPage:
    """The network is being changed, or this browser is not on the new one."""

    template = "changing.html"
    cuts: str
    address: str
    left_s: int = 0
    """Until everything is put back; 0 before the change is complete."""


@dataclass(frozen=True, slots=True)
class ConfirmPage:
    """This browser is on the new network."""

    template = "confirm.html"
    left_s: int
    """0 when nothing is put back any more."""
    trouble: "SetupTrouble | None" = None


@dataclass(frozen=True, slots=True)
class DonePage:
    """The node has its settings and starts."""

    template = "done.html"
    address: str
    admin_address: str
    fingerprint: str
    """Of the certificate there; empty when it is not made yet."""
    wifi_name: str


@dataclass(frozen=True, slots=True)
class SetupTrouble:
    """What went wrong, and what to do: a page of its own, or a part of another."""

    template = "setup_trouble.html"
    message: str
    fix: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class CodeSheet:
    """A sheet of paper for the person who sets the node up."""

    template = "code_sheet.html"
    code: str
    address: str

    @property
    def qr_svg(self) -> str:
        """Opens the page with the code filled in."""
        return qr_svg(f"{self.address}?code={self.code}")


def trouble_of(error: NodeError) -> SetupTrouble:
    return SetupTrouble(error.message, error.fix)


def answers_page(
    form: FormView,
    facts: NetworkFacts,
    choices: Choices,
    languages: tuple[Language, ...],
    *,
    line: LineMeter,
    trouble: SetupTrouble | None = None,
) -> AnswersPage:
    """`line` has what was measured of it, if anything."""
    sides = tuple(each for each in facts.interfaces if each.name in choices.sides)
    return AnswersPage(
        form,
        sides,
        choices.radios,
        languages,
        choices.foreign,
        trouble,
        measured=measured_text(line.speed) if line.speed else "",
        not_measured=trouble_of(line.trouble) if line.trouble else None,
    )


def measured_text(speed: LineSpeed) -> str:
    """What was measured, at which server, and how far it can be trusted."""

    def words(rate: BitsPerSecond) -> str:
        return amount_lazy(rate_words(rate))

    known = {"host": speed.host, "seconds": -(-speed.took_ms // 1_000)}
    known |= {"volume": amount_lazy(show_volume(speed.loaded)), "rate": words(speed.down)}
    text = gettext_lazy("Measured download: {rate}. {host} sent {volume} in {seconds} s.", **known)
    if speed.is_at_least:
        more = gettext_lazy("The line may be faster: all that may be loaded came within two seconds.")
        return in_a_row(text, more)
    if speed.varies:
        more = gettext_lazy(
            "It was between {worst} and {best} in single seconds: others used the line meanwhile, or its speed changes "
            "by itself.",
            worst=words(speed.worst),
            best=words(speed.best),
        )
        return in_a_row(text, more)
    return text


def summary(answers: Answers, language: str) -> tuple[str, ...]:
    """What people will meet, in words; `language` is the name of the community's."""
    ways = in_a_row(*(WAY_TEXTS[way][0] for way in answers.ways), between=" · ")
    line: str = gettext_lazy(
        "The line’s speed is not known yet: the line cannot be shared fairly before it is written in the rules."
    )
    if answers.down:
        line = gettext_lazy(
            "The line carries {down} down and {up} up, and is shared by these.",
            down=answers.down,
            up=answers.up,
        )
    if answers.down and answers.follows_line:
        line = in_a_row(line, gettext_lazy("What is shared follows what the line really carries."))
    return (
        gettext_lazy(
            "People read “{community}” and “{node}” on the first page, in {language} unless their phone asks for "
            "another language.",
            community=answers.community,
            node=answers.node_name,
            language=language,
        ),
        gettext_lazy("How people come in: {ways}", ways=ways),
        line,
        gettext_lazy("{name} is the first admin.", name=answers.admin_name),
    )
