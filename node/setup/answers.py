"""What a person answers on the set-up page: the fields, their limits, and the proposals that are taken unless changed."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from mesh.invite import TEXT_CHARS_MAX as INVITE_CHARS_MAX
from mesh.invite import InviteText, read_invite_text
from node.accounts.appearance import WIFI_NAME_BYTES_MAX
from node.admin.fields import LINE_CHARS_MAX, FormView, TypedForm
from node.app.admin_accounts import PASSPHRASE_CHARS_MIN, is_strong
from node.app.admin_sessions import read_signed
from node.config.field_types import NAME_CHARS_MAX
from node.governance.expressions import rate_words
from node.governance.rules import WAYS
from node.setup.lan_side import OF_CONTAINERS
from node.setup.network_layout import NetworkFacts
from node.translator import as_sentence, gettext_lazy
from node.units import MEGA, BitsPerSecond, parse_rate

RATE_CHARS_MAX = 30
NODE_NAME = "node"
"""Where the machine has no name of its own."""
_COUNTRY = re.compile(r"[A-Z]{2}")
_SECRET = ("passphrase", "passphrase_again")
_BARE_NUMBER = re.compile(r"\d{1,7}([.,]\d{1,6})?")


@dataclass(frozen=True, slots=True)
class Answers:
    """Everything that a new node must know."""

    language: str
    node_name: str
    community: str
    uplink: str
    """Interface towards the Internet."""
    lan: tuple[str, ...]
    """Interfaces where people are, without the radio."""
    radio: str
    """Interface of the Wi-Fi; empty for none."""
    wifi_name: str
    wifi_country: str
    """ISO 3166-1 alpha-2."""
    ways: tuple[str, ...]
    down: str
    """``40 Mbit/s``; both rates are empty when the line's speed is not known."""
    up: str
    follows_line: bool
    """Whether the line's speed changes, so that the shared rate follows it."""
    admin_name: str
    passphrase: str = field(repr=False)
    invite: InviteText | None = field(default=None, repr=False)
    """Of a community that lets this node in; None for a community of its own, or one whose key is here already."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What the machine and the pages have, to choose from and to propose."""

    sides: tuple[str, ...]
    """Interfaces that can be the uplink."""
    ports: tuple[str, ...]
    """Those of them where people can be by cable: all but the uplink become the LAN."""
    radios: tuple[str, ...]
    """Interfaces that can be the node's Wi-Fi."""
    languages: tuple[str, ...]
    default_route: str = ""
    """The interface that leads to the Internet now."""
    host_name: str = ""
    country: str = ""
    """Of the machine's time zone."""
    foreign: tuple[str, ...] = ()
    """Interfaces where people cannot be, because another DHCP server answers there."""


def choices_of(
    facts: NetworkFacts,
    languages: tuple[str, ...],
    host_name: str = "",
    country: str = "",
    foreign: Collection[str] = (),
) -> Choices:
    """What this machine offers. A bridge that is there already is the LAN; otherwise all Ethernet ports are. Networks of
    containers and virtual machines are neither, nor are people where another DHCP server answers (`foreign`)."""
    route = next((each.name for each in facts.interfaces if each.has_default_route), "")
    own = [each for each in facts.interfaces if not OF_CONTAINERS.match(each.name)]
    bridges = [each.name for each in own if each.kind == "bridge" and each.name != route]
    free = [each.name for each in own if each.kind == "ethernet" and each.name not in foreign]
    ports = [name for name in bridges if name not in foreign][:1] or free
    return Choices(
        sides=tuple(each.name for each in own if each.name not in bridges),
        ports=tuple(ports),
        radios=tuple(each.name for each in facts.interfaces if each.kind == "wifi"),
        languages=languages,
        default_route=route,
        host_name=host_name,
        country=country,
        foreign=tuple(each.name for each in own if each.name in foreign),
    )


def proposals(choices: Choices, language: str) -> FormView:
    """The form before anything is typed."""
    uplink = choices.default_route if choices.default_route in choices.sides else ""
    radios = [name for name in choices.radios if name != uplink]
    values = {
        "language": language,
        "node_name": choices.host_name or NODE_NAME,
        "uplink": uplink or (choices.sides[0] if len(choices.sides) == 1 else ""),
        "radio": radios[0] if radios else "",
        "wifi_country": choices.country,
        **{f"way_{way}": "yes" for way in WAYS},
    }
    return FormView(values)


def as_typed(fields: Mapping[str, str]) -> FormView:
    """A form that is shown again before it is read; without the passphrase."""
    kept = fields.keys() & Answers.__dataclass_fields__.keys() - {*_SECRET}
    ways = fields.keys() & {f"way_{way}" for way in WAYS}
    limits = {"invite": 2 * INVITE_CHARS_MAX}
    return FormView({name: fields[name][: limits.get(name, LINE_CHARS_MAX)] for name in kept | ways})


def with_invite(form: FormView, invite: str) -> FormView:
    """Proposes this invite, as a link to the set-up page brought it."""
    return FormView({**form.values, "invite": invite[: 2 * INVITE_CHARS_MAX]}, form.errors)


def with_download(form: FormView, rate: BitsPerSecond) -> FormView:
    """Proposes this speed of the line."""
    return FormView({**form.values, "down": f"{rate / MEGA:.6g}"}, form.errors)


def read_answers(fields: Mapping[str, str], choices: Choices) -> tuple[Answers | None, FormView]:
    """The answers of a sent form; None when one of them cannot be used, with the errors in the view. The view has no
    passphrase."""
    form = TypedForm({name: value for name, value in fields.items() if name not in _SECRET})
    uplink = _uplink(form, choices)
    radio, wifi_name, country = _wifi(form, choices, uplink)
    lan = tuple(name for name in choices.ports if name != uplink)
    if uplink and not lan and not radio:
        form.refuse("uplink", _nothing_left([name for name in choices.foreign if name != uplink]))
    down, up = _line(form)
    name = _admin_name(form)
    answers = Answers(
        language=form.choice("language", choices.languages, choices.languages[0]),
        node_name=form.line("node_name", NAME_CHARS_MAX, wanted=gettext_lazy("Write a name.")),
        community=form.line("community", NAME_CHARS_MAX, wanted=gettext_lazy("Write a name.")),
        uplink=uplink,
        lan=lan,
        radio=radio,
        wifi_name=wifi_name,
        wifi_country=country,
        ways=_ways(form),
        down=down,
        up=up,
        follows_line=form.flag("follows_line"),
        admin_name=name,
        passphrase=_passphrase(form, fields, name),
        invite=_invite(form),
    )
    return (None if form.errors else answers), form.view()


def _nothing_left(foreign: list[str]) -> str:
    if not foreign:
        return gettext_lazy("Nothing would be left for people: plug in a second network port or a radio.")
    return gettext_lazy(
        "Nothing would be left for people: another DHCP server or router answers on {interfaces}. Unplug it, and wait "
        "half a minute.",
        interfaces=", ".join(foreign),
    )


def _uplink(form: TypedForm, choices: Choices) -> str:
    name = form.line("uplink", wanted=gettext_lazy("Choose where the Internet comes in."))
    if name and name not in choices.sides:
        form.refuse(
            "uplink",
            gettext_lazy(
                "{interface} is not there any more. Plug it in again, or choose another.", interface=name
            ),
        )
    return name


def _wifi(form: TypedForm, choices: Choices, uplink: str) -> tuple[str, str, str]:
    """Radio, name and country; empty without a radio."""
    radio = form.line("radio")
    if not radio:
        return "", "", ""
    if radio not in choices.radios or radio == uplink:
        form.refuse(
            "radio",
            gettext_lazy(
                "{interface} is not there any more. Plug it in again, or choose another.", interface=radio
            ),
        )
    name = form.line("wifi_name") or form.sent.get("community", "").strip()
    size = len(name.encode("utf-8", "replace"))
    if size > WIFI_NAME_BYTES_MAX:
        form.refuse(
            "wifi_name",
            gettext_lazy(
                "A Wi-Fi’s name has at most {most} bytes; this one has {number}. Write a shorter one.",
                most=WIFI_NAME_BYTES_MAX,
                number=size,
            ),
        )
    country = form.line("wifi_country", 2).upper()
    if not _COUNTRY.fullmatch(country):
        form.refuse("wifi_country", gettext_lazy("Write the two letters of your country, such as ES or FR."))
    return radio, name, country


def _ways(form: TypedForm) -> tuple[str, ...]:
    ways = tuple(way for way in WAYS if form.flag(f"way_{way}"))
    if not ways:
        form.refuse("way_terms", gettext_lazy("Choose at least one, or nobody could join."))
    return ways


def _line(form: TypedForm) -> tuple[str, str]:
    down, up = _rate(form, "down"), _rate(form, "up")
    for name, own, other in (("down", down, up), ("up", up, down)):
        if other and not own and name not in form.errors:
            form.refuse(name, gettext_lazy("A line has two speeds: write both, or neither."))
    return down, up


def _rate(form: TypedForm, name: str) -> str:
    """A bare number is in Mbit/s."""
    text = form.line(name, RATE_CHARS_MAX)
    if not text or name in form.errors:
        return ""
    if _BARE_NUMBER.fullmatch(text):
        text = f"{text.replace(',', '.')} Mbit/s"
    try:
        rate = parse_rate(text)
    except ValueError:
        rate = None
    if not rate:
        form.refuse(name, gettext_lazy("Write a speed in Mbit/s, such as 40 or 7.5."))
        return ""
    return rate_words(rate)


def _admin_name(form: TypedForm) -> str:
    name = form.line("admin_name", NAME_CHARS_MAX, wanted=gettext_lazy("Write a name, such as Ana."))
    try:
        return read_signed("admin", name).name
    except ValueError as error:
        form.refuse("admin_name", as_sentence(error.args[0]))
        return name


def _invite(form: TypedForm) -> InviteText | None:
    text = form.line("invite", 2 * INVITE_CHARS_MAX)
    if not text or "invite" in form.errors:
        return None
    found = read_invite_text(text)
    if isinstance(found, InviteText):
        return found
    form.refuse(
        "invite",
        gettext_lazy(
            "This is not a whole invite. Copy all of it, from “{beginning}” to its end.",
            beginning="procomu-invite",
        ),
    )
    return None


def _passphrase(form: TypedForm, fields: Mapping[str, str], name: str) -> str:
    """Kept out of the form, which shows again what was typed."""
    passphrase = fields.get("passphrase", "")
    if not is_strong(passphrase, name):
        form.refuse(
            "passphrase",
            gettext_lazy(
                "Write {number} characters or more, and neither your name nor one character again and again.",
                number=PASSPHRASE_CHARS_MIN,
            ),
        )
    elif passphrase != fields.get("passphrase_again", ""):
        form.refuse("passphrase", gettext_lazy("The two are not the same. Write it twice."))
    return passphrase


def country_of(time_zone: str, zone_table: str) -> str:
    """Country of a time zone, from the text of zone.tab(5); empty for a zone of none, such as UTC."""
    for line in zone_table.splitlines():
        columns = line.split("\t")
        if len(columns) >= 3 and not line.startswith("#") and columns[2] == time_zone:
            return columns[0] if _COUNTRY.fullmatch(columns[0]) else ""
    return ""
