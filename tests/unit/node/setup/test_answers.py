"""The answers of the set-up page: what is proposed, and what is refused and why."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.governance.rules import WAYS
from node.setup.answers import (
    Choices,
    as_typed,
    choices_of,
    country_of,
    proposals,
    read_answers,
    with_download,
)
from node.setup.network_layout import InterfaceFacts, NetworkFacts
from node.units import BitsPerSecond, parse_rate

CHOICES = Choices(
    sides=("eth0", "eth1", "eth2", "wlan0"),
    ports=("eth0", "eth1", "eth2"),
    radios=("wlan0",),
    languages=("en", "ca"),
    default_route="eth0",
    host_name="library",
    country="ES",
)
UPLINK = InterfaceFacts("eth0", "ethernet", "port 1", True, has_default_route=True)
PORT = InterfaceFacts("eth1", "ethernet", "port 2", True)
RADIO = InterfaceFacts("wlan0", "wifi", "built-in radio")
BRIDGE = InterfaceFacts("br-lan", "bridge", "bridge", True)
TYPED = {
    "community": "Vall Alta",
    "admin_name": "Maria",
    "passphrase": "a long walk home",
    "passphrase_again": "a long walk home",
}


def sent(**changed: str) -> dict[str, str]:
    return {**proposals(CHOICES, "ca").values, **TYPED, **changed}


def errors(choices: Choices = CHOICES, **changed: str) -> dict[str, str]:
    answers, view = read_answers(sent(**changed), choices)
    assert (answers is None) == bool(view.errors)
    return dict(view.errors)


def facts(*interfaces: InterfaceFacts) -> NetworkFacts:
    return NetworkFacts(interfaces, manager="networkd")


def test_all_ports_are_offered_and_the_radio_apart() -> None:
    choices = choices_of(facts(UPLINK, PORT, RADIO), ("en",))
    assert ("eth0", "eth1", "wlan0") == choices.sides
    assert (("eth0", "eth1"), ("wlan0",), "eth0") == (choices.ports, choices.radios, choices.default_route)


def test_a_bridge_that_is_there_is_the_lan_and_no_way_to_the_internet() -> None:
    choices = choices_of(facts(UPLINK, PORT, BRIDGE), ("en",))
    assert (("eth0", "eth1"), ("br-lan",)) == (choices.sides, choices.ports)


@pytest.mark.parametrize("name", ["docker0", "br-0123456789ab", "virbr0", "veth12ab34", "lxcbr0"])
def test_networks_of_containers_are_not_offered(name: str) -> None:
    other = replace(BRIDGE, name=name, kind="ethernet" if name.startswith("veth") else "bridge")
    choices = choices_of(facts(UPLINK, PORT, other), ("en",))
    assert (("eth0", "eth1"), ("eth0", "eth1")) == (choices.sides, choices.ports)


def test_with_the_proposals_accepted_two_names_and_a_passphrase_are_enough() -> None:
    fields = sent()
    answers, view = read_answers(fields, CHOICES)
    assert answers is not None, view.errors
    assert ("ca", "library", "Vall Alta") == (answers.language, answers.node_name, answers.community)
    assert ("eth0", ("eth1", "eth2"), "wlan0") == (answers.uplink, answers.lan, answers.radio)
    assert ("Vall Alta", "ES") == (answers.wifi_name, answers.wifi_country)
    assert (WAYS, "", "", False) == (answers.ways, answers.down, answers.up, answers.follows_line)


def test_the_passphrase_is_neither_shown_again_nor_in_a_log() -> None:
    answers, view = read_answers(sent(community=""), CHOICES)
    assert answers is None
    assert "a long walk home" not in str(view)
    answers, _ = read_answers(sent(), CHOICES)
    assert "a long walk home" not in repr(answers)


@pytest.mark.parametrize(
    ("typed", "written"),
    [("40", "40 Mbit/s"), ("7,5", "7.5 Mbit/s"), ("7.5 Mbit/s", "7.5 Mbit/s"), ("800 kbit/s", "800 kbit/s")],
)
def test_a_bare_number_is_in_megabits(typed: str, written: str) -> None:
    answers, view = read_answers(sent(down=typed, up="1"), CHOICES)
    assert answers is not None, view.errors
    assert (written, "1 Mbit/s") == (answers.down, answers.up)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("language", "tlh"),
        ("node_name", ""),
        ("node_name", "x" * 65),
        ("community", " "),
        ("community", "Vall\u202eAlta"),
        ("uplink", ""),
        ("uplink", "eth9"),
        ("uplink", "eth0\n"),
        ("radio", "wlan9"),
        ("wifi_name", "x" * 33),
        ("wifi_name", "ç" * 17),
        ("wifi_country", "Spain"),
        ("wifi_country", "1"),
        ("down", "fast"),
        ("down", "0"),
        ("down", "40"),
        ("up", "8"),
        ("admin_name", ""),
        ("passphrase", "too short"),
        ("passphrase", "abababababab"),
        ("passphrase", "maria the great"),
        ("passphrase", "x" * 129),
        ("passphrase", "not the same"),
    ],
)
def test_each_field_is_refused_beside_it(field: str, value: str) -> None:
    if (field, value) == ("uplink", "eth0\n"):
        assert {} == errors(**{field: value})
        return
    if value == "maria the great":
        assert ["passphrase"] == list(
            errors(passphrase=value, passphrase_again=value, admin_name="Maria the Great")
        )
        return
    wrong = {"down": "up", "up": "down"}.get(field, field) if value in {"40", "8"} else field
    assert [wrong] == list(errors(**{field: value}))


def test_an_interface_that_was_unplugged_meanwhile_is_named() -> None:
    gone = replace(CHOICES, sides=("eth1", "eth2"), ports=("eth1", "eth2"), radios=())
    assert {"uplink", "radio"} == errors(gone).keys()
    assert "eth0" in errors(gone)["uplink"]


def test_nothing_left_for_people_is_refused() -> None:
    alone = replace(CHOICES, sides=("eth0",), ports=("eth0",), radios=())
    assert ["uplink"] == list(errors(alone, radio=""))


def test_without_a_way_nobody_could_join() -> None:
    assert ["way_terms"] == list(errors(**{f"way_{way}": "" for way in WAYS}))


def test_a_radio_may_be_left_out_and_what_is_wrong_of_it_then_does_not_matter() -> None:
    answers, _ = read_answers(sent(radio="", wifi_country="?", wifi_name="x" * 99), CHOICES)
    assert answers is not None
    assert ("", "", "") == (answers.radio, answers.wifi_name, answers.wifi_country)


def test_the_only_interface_with_a_way_out_is_proposed_and_several_without_are_not() -> None:
    assert "" == proposals(replace(CHOICES, default_route=""), "en").value("uplink")
    assert "eth7" == proposals(Choices(("eth7",), ("eth7",), (), ("en",)), "en").value("uplink")


@given(st.dictionaries(st.sampled_from([*sent(), "other"]), st.text(max_size=200)))
def test_any_form_gives_answers_or_errors(fields: dict[str, str]) -> None:
    answers, view = read_answers(fields, CHOICES)
    assert (answers is None) == bool(view.errors)


def test_the_country_of_a_time_zone() -> None:
    table = "# comment\nES\t+4024-00341\tEurope/Madrid\tSpain\nFR\t+4852+00220\tEurope/Paris\nbroken"
    assert ["ES", "FR", "", ""] == [
        country_of(zone, table) for zone in ("Europe/Madrid", "Europe/Paris", "Etc/UTC", "")
    ]


def test_a_form_that_is_shown_again_has_what_was_typed_but_no_passphrase() -> None:
    form = as_typed({**sent(down="fast", way_card="yes"), "csrf_token": "x", "other": "y"})
    assert {"community", "down", "way_card", "uplink"} <= form.values.keys()
    assert not {"passphrase", "passphrase_again", "csrf_token", "other"} & form.values.keys()
    assert not form.errors


@pytest.mark.parametrize(
    ("rate", "shown"), [(38_200_000, "38.2"), (940_000_000, "940"), (512_000, "0.512"), (9_990, "0.00999")]
)
def test_a_measured_speed_is_proposed_in_the_unit_of_the_field(rate: int, shown: str) -> None:
    form = with_download(as_typed({"down": "1", "up": "2"}), BitsPerSecond(rate))
    assert ("2", shown) == (form.value("up"), form.value("down"))
    answers, _ = read_answers(sent(down=shown, up="1"), CHOICES)
    assert answers is not None
    assert parse_rate(answers.down) == rate
