"""Output of the command line, line by line."""

import json
from dataclasses import asdict, replace
from typing import Any

import pytest

from mesh.ports import PeerView
from node import console
from node.accounts.vouchers import Batch
from node.app.admin_vouchers import batch_line
from node.app.adoption_views import DraftView, TrialView, WaitingView
from node.app.status import FlowsRow, OnlineRow, Overview
from node.cli import output
from node.cli.terminal import Terminal
from node.console import DeviceRow
from node.doctor.diagnoses import Diagnosis
from node.errors import Finding
from node.governance.change_sentences import ChangeSentence
from node.governance.rule_history import RuleVersion
from node.units import AccountId, BitsPerSecond, Bytes, Milliseconds, NodeId, Rates

PLAIN = Terminal(coloured=False)


def mbit(down: float, up: float) -> Rates:
    return Rates(BitsPerSecond(int(down * 1e6)), BitsPerSecond(int(up * 1e6)))


def online(account: str, tier: str, devices: int, rate: Rates, used: int) -> OnlineRow:
    ceiling, rule = ("3 Mbit/s down, 1 Mbit/s up", "guest-top") if tier == "guest" else ("", "equal-share")
    could_have = mbit(3, 1.5) if tier == "guest" else mbit(15.7, 3.2)
    sentence = "A limit, as a sentence."
    return OnlineRow(
        AccountId(account), tier, devices, rate, Bytes(used), 100, ceiling, rule, sentence, could_have
    )


OVERVIEW = Overview(
    community="Vall Alta",
    node="library",
    node_id=NodeId("jti2obo7s42bttgbrrfzndpkjeli5fmjclrhrsy5ffdgk4zf4esq"),
    uplink=mbit(40, 8),
    uplink_rate=mbit(24.1, 2.3),
    uplink_known=None,
    waiting=2,
    online=(
        online("ana", "member", 3, mbit(14.2, 1.1), 41_200_000_000),
        online("school", "member", 12, mbit(6.9, 0.9), 18_750_000_000),
        online("guest-7k3m9q2w4x1z", "guest", 1, mbit(3, 0.31), 1_400_000_000),
    ),
    peers=(
        PeerView(NodeId("h" * 51 + "q"), "hills", "trusted", ("fe80::2%mesh0", "10.77.9.1"), 2),
        PeerView(NodeId("s" * 51 + "a"), "", "stranger", ("fe80::666%mesh0",), 41),
    ),
    sentences=("People share 36.8 Mbit/s download and 7.3 Mbit/s upload of the line.",),
    warnings=("Nothing keeps this node's clock right. Let it reach an NTP server.",),
    flows=FlowsRow(2_310, 65_536, 1_024, "Kitchen tablet (02:00:00:00:00:0b) of ana", 214),
)


def as_answered(**members: Any) -> dict[str, Any]:
    """The value after a round trip through the console's socket."""
    return json.loads(json.dumps(members, default=console._plain))


MEMORY = {
    "sentence": "92 MB of memory may be used (memory.high of its control group): room for 2000 connections"
}


def test_the_status_fits_one_screen():
    expected = """\
Vall Alta · library  jti2obo7s42bttgbrrfzndpkjeli5fmjclrhrsy5ffdgk4zf4esq

uplink  down  ████████████░░░░░░░░  24.1 Mbit/s of 40 Mbit/s
        up    █████▊░░░░░░░░░░░░░░  2.3 Mbit/s of 8 Mbit/s
online  3 accounts with 16 devices; 2 devices not online yet
flows   2,310 of 65,536 connections, 1,024 per device; most: Kitchen tablet (02:00:00:00:00:0b) of ana, 214

ACCOUNT             TIER    DEVICES  DOWNLOAD NOW  UPLOAD NOW     COULD HAVE NOW  THIS MONTH  SHARE  LIMITED BY
ana                 member        3   14.2 Mbit/s  1.1 Mbit/s  15.7 / 3.2 Mbit/s     41.2 GB    100  equal-share
school              member       12    6.9 Mbit/s  900 kbit/s  15.7 / 3.2 Mbit/s     18.7 GB    100  equal-share
guest-7k3m9q2w4x1z  guest         1      3 Mbit/s  310 kbit/s     3 / 1.5 Mbit/s      1.4 GB    100  guest-top

NODE   STATE     LAST SEEN  ADDRESSES                ID
hills  trusted     2 s ago  fe80::2%mesh0 10.77.9.1  hhhhhhhhhhhhhhhh…
?      stranger   41 s ago  fe80::666%mesh0          ssssssssssssssss…

92 MB of memory may be used (memory.high of its control group): room for 2000 connections

! Nothing keeps this node's clock right. Let it reach an NTP server."""
    assert expected == "\n".join(output.status(as_answered(overview=OVERVIEW, memory=MEMORY), PLAIN))


def test_without_a_shared_uplink_the_ceiling_is_shown():
    view = as_answered(overview=replace(OVERVIEW, uplink=None), memory=MEMORY)
    shown = "\n".join(output.status(view, PLAIN))
    assert "COULD HAVE NOW" not in shown
    assert "310 kbit/s  3 Mbit/s down, 1 Mbit/s up      1.4 GB    100  guest-top" in shown
    view = as_answered(overview=replace(OVERVIEW, online=(replace(OVERVIEW.online[0], could_have=None),)))
    assert "1.1 Mbit/s               -" in "\n".join(output.status({**view, "memory": MEMORY}, PLAIN))


def test_connections_are_shown_with_the_device_that_has_the_most():
    view = as_answered(overview=replace(OVERVIEW, flows=FlowsRow()), memory=MEMORY)
    assert not any(line.startswith("flows") for line in output.status(view, PLAIN)), "nothing is known yet"
    view["overview"]["flows"] = {
        "entries": 1_234,
        "size": 262_144,
        "per_device": 1_024,
        "heaviest": "Radio (02:00:00:00:00:01) of ana",
        "heaviest_flows": 700,
        "warnings": [],
    }
    expected = (
        "flows   1,234 of 262,144 connections, 1,024 per device; most: Radio (02:00:00:00:00:01) of ana, 700"
    )
    assert expected in output.status(view, PLAIN)


def test_nodes_that_were_removed_are_named_as_those_that_may_still_hold_copies():
    names = tuple(f"node {number}" for number in range(output.REMOVED_NODES_MAX + 2))
    said = "Removed nodes, which may still hold copies of what they received: "
    for removed, shown in ((("hills",), "hills."), (names, f"{', '.join(names[:-2])} and 2 more.")):
        view = as_answered(overview=replace(OVERVIEW, removed_nodes=removed), memory=MEMORY)
        assert said + shown in output.status(view, PLAIN)


def test_an_uplink_of_unknown_speed_is_shown_as_such():
    view = as_answered(overview=OVERVIEW, memory=MEMORY)
    view["overview"] |= {"uplink": None, "online": [], "peers": [], "warnings": []}
    lines = output.status(view, PLAIN)
    assert (
        "uplink  24.1 Mbit/s download, 2.3 Mbit/s upload  (its speed is not stated in the rules, so it is not shared)"
        in lines
    )
    assert "All is well." == lines[-1]


def test_a_measured_uplink_says_how_its_speed_is_known():
    view = as_answered(overview=OVERVIEW, memory=MEMORY)
    assert "measured" not in "\n".join(output.status(view, PLAIN))
    for knowledge, says in output.UPLINK_KNOWN.items():
        view["overview"]["uplink_known"] = knowledge
        assert f"        {says}" in output.status(view, PLAIN)


def test_what_the_line_carried_in_its_slowest_tenth_is_shown_beside_it():
    view = as_answered(overview=OVERVIEW, memory=MEMORY)
    assert "slowest" not in "\n".join(output.status(view, PLAIN))
    known = {"down": BitsPerSecond(6_029_312), "up": BitsPerSecond(950_272)}
    view = as_answered(overview=replace(OVERVIEW, uplink_slowest=known), memory=MEMORY)
    lines = output.status(view, PLAIN)
    assert lines[4] == "        in its slowest tenth of the last 14 days: 6 Mbit/s down, 950 kbit/s up"


def test_devices_are_shown_with_their_usage_and_limits():
    row = DeviceRow(
        "02:00:00:00:00:0a",
        "admitted",
        "ana",
        1_500_000,
        20_000,
        9_600_000,
        0,
        12_000,
        "guest-top",
        "Ana's phone",
        "voucher",
    )
    waiting = DeviceRow("02:00:00:00:00:0b", "waiting", None, 0, 0, 0, 0, None, "")
    expected = """\
DEVICE NAME STATE ACCOUNT JOINED BY DOWNLOADED UPLOADED DOWNLOAD NOW UPLOAD NOW LEFT LIMITED BY
02:00:00:00:00:0a  Ana's phone  admitted  ana      voucher  1.5 MB  20 kB  9.6 Mbit/s  0 bit/s  3 h 20 min  guest-top
02:00:00:00:00:0b  -            waiting   -        -           0 B    0 B     0 bit/s  0 bit/s           -  -"""
    shown = "\n".join(output.devices(as_answered(devices=[row, waiting]), PLAIN))
    assert expected.split() == shown.split()
    assert ["No devices are here."] == output.devices({"devices": []}, PLAIN)


DAY_PASS = Batch(3, "day-pass", Milliseconds(86_400_000), 2, "2027-03-01", "admin console", "fair\x1b[2J")


def test_fresh_codes_stand_alone_on_their_lines():
    answer = as_answered(batch=DAY_PASS, codes=["7K3M-9Q2W-4X1Z", "0000-0000-0000"])
    expected = """\
7K3M-9Q2W-4X1Z
0000-0000-0000

Batch 3: 2 vouchers for day-pass, 1 day on 2 devices.
Print or copy the codes now: the node does not keep them."""
    assert expected == "\n".join(output.vouchers_issued(answer, PLAIN))


def test_batches_are_shown_with_the_states_of_their_vouchers():
    row = {"batch": DAY_PASS, **dict(batch_line(DAY_PASS, {"ended": 1, "used": 3, "unused": 20}).counts)}
    shown = output.batches(as_answered(batches=[row]), PLAIN)
    assert 2 == len(shown)
    assert ["UNUSED", "USED", "ENDED", "REVOKED"] == shown[0].split()[-5:-1]
    assert ["20", "3", "1", "0"] == shown[1].split()[-5:-1]
    assert "day-pass, 1 day on 2 devices" in shown[1]
    assert "\x1b" not in shown[1]
    assert "procomu vouchers issue" in output.batches({"batches": []}, PLAIN)[0]


def test_a_revocation_and_its_undo_are_reported():
    assert ["3 vouchers are revoked."] == output.revoked({"changed": 3, "back": False}, PLAIN)
    assert ["1 voucher is valid again."] == output.revoked({"changed": 1, "back": True}, PLAIN)


def test_passphrases_and_cards_are_shown_with_their_validity():
    first, second = output.passphrase({"account": "ana", "passphrase": "abcd-efgh-jkmn"}, PLAIN)
    assert ("abcd-efgh-jkmn", True) == (first, "of ana" in second)
    answer = {"account": "ana", "address": "http://x/?card=y", "last_day": "2028-03-01"}
    first, second = output.card(answer, PLAIN)
    assert ("http://x/?card=y", True) == (first, "2028-03-01" in second)
    assert "All cards made so far for ana are invalid" in output.void_cards({"account": "ana"}, PLAIN)[0]


def test_why_begins_with_the_answer():
    answer = {
        "account": "ana",
        "tier": "member",
        "at": "fri 21:00",
        "explain": ["You get half.", " share 50  busy"],
    }
    assert ["ana, member, fri 21:00", "You get half.", " share 50  busy"] == output.why(answer, PLAIN)


def test_rules_in_force_and_why_the_newer_file_is_refused():
    answer = as_answered(
        community="Vall Alta",
        version=3,
        decision="D-3",
        file="/etc/procomu/rules.toml",
        sentences=["Everyone has a lifeline."],
        exceptions=["guest-top <- guest-night"],
        findings=[Finding("E01", 4, "No unit.", "add one")],
    )
    assert [
        "Vall Alta, version 3, decided by D-3",
        "  Everyone has a lifeline.",
        "",
        "Exceptions:",
        "  guest-top <- guest-night",
        "",
        "The newer /etc/procomu/rules.toml has errors, so the rules above stay in force:",
        "line 4  E01  No unit.",
        "    fix: add one",
    ] == output.rules(answer, PLAIN)


def test_both_fingerprints_of_the_rules_in_force_are_shown():
    said = dict.fromkeys(("sentences", "exceptions", "findings"), ())
    answer = as_answered(
        **said, community="Vall", version=3, decision="D-3", file="r", fingerprint="12ab", meaning="34cd"
    )
    assert ["Vall, version 3, decided by D-3", "text 12ab, meaning 34cd"] == output.rules(answer, PLAIN)


@pytest.mark.parametrize(
    ("meanings", "said"),
    [(["a", "a"], ["Both say the same: only comments, layout or order differ."]), (["a", "b"], [])],
)
def test_a_comparison_says_whether_both_say_the_same(meanings, said):
    answer = as_answered(
        verdict="Nothing changes.", is_nothing=True, accounts=3, changes=[], meanings=meanings
    )
    assert ["Nothing changes.", *said] == output.comparison(answer, PLAIN)


def test_a_comparison_is_shown_with_an_example_below_each_change():
    change = ChangeSentence("ceiling", "Guests: less.", "", "For example Friday 21:00.", "Rule: guest-top.")
    answer = as_answered(
        verdict="2 things change.",
        is_nothing=False,
        accounts=None,
        changes=[asdict(change), asdict(ChangeSentence("unit", "Another unit."))],
    )
    assert [
        "2 things change.",
        "",
        "  Guests: less.",
        "    For example Friday 21:00. Rule: guest-top.",
        "",
        "  Another unit.",
        "",
        "No members file was found, so accounts are not counted.",
    ] == output.comparison(answer, PLAIN)


def test_peers_are_shown_with_their_full_ids():
    lines = output.peers(as_answered(node="n" * 52, peers=OVERVIEW.peers), PLAIN)
    assert f"this node  {'n' * 52}" == lines[0]
    assert lines[3].endswith("h" * 51 + "q")
    assert "No other node found." == output.peers({"node": "n", "peers": []}, PLAIN)[-1]


def test_a_link_says_how_long_it_works():
    assert ["http://x/", "It signs in once as issuer library, within 10 min."] == output.admin_link(
        {"url": "http://x/", "expires_seconds": 600, "who": "issuer library"}, PLAIN
    )


def test_a_change_is_one_line_also_with_a_hostile_name():
    said = {"event": "admitted", "at": "12:00:00", "text": "evil\nname\x1b[2J"}
    assert "12:00:00  admitted  evil?name?[2J" == output.event(said, PLAIN)
    assert "  left  mac=02" == output.event({"event": "left", "mac": "02"}, PLAIN)


def test_findings_are_counted_and_warnings_are_no_errors():
    error, look = Finding("E01", 2, "No unit.", "add one"), Finding("W05", 0, "One only.", "look")
    assert (
        "rules.toml has 1 error; nothing was changed."
        == output.findings("rules.toml", [error, look], PLAIN)[-1]
    )
    assert (
        "rules.toml can be used, and 1 thing needs attention."
        == output.findings("rules.toml", [look], PLAIN)[-1]
    )
    assert ["rules.toml can be used."] == output.findings("rules.toml", [], PLAIN)


def test_the_doctor_counts_what_must_be_fixed():
    ok = Diagnosis("disk", "ok", "85 GB free")
    warn = Diagnosis("clock", "warn", "1970", "never set", "timedatectl set-ntp true")
    fail = Diagnosis("dnsmasq", "fail", "not installed", "no addresses", "apt-get install dnsmasq-base")
    assert [
        "✓ disk     85 GB free",
        "! clock    1970",
        "    never set",
        "    fix: timedatectl set-ntp true",
        "✗ dnsmasq  not installed",
        "    no addresses",
        "    fix: apt-get install dnsmasq-base",
        "",
        "1 thing must be fixed before the node can work.",
    ] == output.diagnoses([ok, warn, fail], PLAIN)
    assert "The node can work; 1 thing needs attention." == output.diagnoses([ok, warn], PLAIN)[-1]


def test_time_spans_in_a_unit_that_is_precise_enough():
    assert ["59 s", "59 min", "3 h 20 min", "47 h", "1 day", "2 days", "2 days 12 h"] == [
        output.span(seconds) for seconds in (59, 3599, 12_000, 169_200, 86_400, 172_800, 216_059)
    ]


# --- adoption of rules ---

TRIAL = TrialView(7, "admin Ana", 540)
WAITING = WaitingView(8, "admin Ana", "2026-12-01 06:00", ("admin Ana",), 0, 1, 2, 8)


def test_the_status_says_which_rules_are_on_trial_and_which_wait():
    answer = as_answered(overview=OVERVIEW, memory=MEMORY, rules_trial=TRIAL, rules_waiting=WAITING)
    said = output.status(answer, PLAIN)
    assert "Version 7 of the rules is on trial: without 'procomu rules confirm' it ends in 9 min." == said[1]
    assert "Version 8 of the rules waits until 2026-12-01 06:00." == said[2]
    assert "Of 8 members, 1 objects; 2 are enough to stop it." == said[3]


@pytest.mark.parametrize(
    ("missing", "due", "said"),
    [
        (1, "", "Version 7 waits for approval: 1 more admin must approve it."),
        (
            2,
            "2026-12-01 06:00",
            "2 more admins must approve it, and it comes into force at 2026-12-01 06:00.",
        ),
        (
            0,
            "2026-12-01 06:00",
            "Version 7 waits for approvals, and it comes into force at 2026-12-01 06:00.",
        ),
    ],
)
def test_a_proposal_says_how_many_approvals_are_missing(missing, due, said):
    waiting = WaitingView(7, "admin Ana", due, ("admin Ana",), missing)
    answer = as_answered(
        outcome="proposed", number=7, put_back=0, in_force=5, findings=(), trial=None, waiting=waiting
    )
    assert said in "\n".join(output.adoption(answer, "rules.toml", PLAIN))
    status = output._adoption_now(as_answered(rules_trial=None, rules_waiting=waiting), PLAIN)
    assert ("must approve it" in status[0], due in status[0]) == (missing > 0, True)


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ("trial", "on trial: without 'procomu rules confirm' the rules from before come back in 9 min."),
        ("scheduled", "waits until 2026-12-01 06:00."),
        ("confirmed", "is confirmed and stays in force."),
        ("ended", "The trial of version 7 is over: version 5 is in force."),
        ("withdrawn", "is withdrawn: it does not come into force."),
        ("draft", "it changes nothing. Withdraw it with 'procomu rules withdraw 7'."),
        ("same", "Version 7 is in force already; nothing was changed."),
    ],
)
def test_what_came_of_an_adoption_is_one_sentence(outcome, said):
    warned = (Finding("W02", 3, "It has no effect.", "remove it"),)
    answer = as_answered(
        outcome=outcome, number=7, put_back=0, in_force=5, findings=warned, trial=TRIAL, waiting=WAITING
    )
    lines = output.adoption(answer, "draft.toml", PLAIN)
    assert said in lines[-1]
    assert "W02" in lines[0]


def test_the_version_that_was_put_back_is_named():
    answer = as_answered(
        outcome="trial", number=7, put_back=3, in_force=7, findings=(), trial=TRIAL, waiting=None
    )
    (said,) = output.adoption(answer, "", PLAIN)
    assert said.startswith("Version 7, with the rules of version 3, is in force on trial")


def test_confirming_what_is_confirmed_does_not_say_that_it_is_in_force_during_another_trial():
    answer = as_answered(outcome="same", number=6, findings=(), trial=TRIAL, waiting=None)
    said = "Version 6 is confirmed already, and version 7 is on trial; nothing was changed."
    assert [said] == output.adoption(answer, "", PLAIN)


def test_refused_rules_are_shown_with_their_errors():
    answer = as_answered(
        outcome="refused", number=0, findings=(Finding("E03", 3, "Too slow.", "raise it"),), trial=None
    )
    assert "draft.toml has 1 error; nothing was changed." == output.adoption(answer, "draft.toml", PLAIN)[-1]


def test_the_log_of_rules_says_what_became_of_each_version():
    versions = [
        {
            **asdict(RuleVersion(9, "2026-11-29T10:00:00+01:00", "admin Ana", "ab12", put_back=2)),
            "became": "in force",
        },
        {**asdict(RuleVersion(2, "2026-11-01T09:00:00+01:00", "the node's start", "ab12")), "became": ""},
    ]
    drafts = [DraftView(11, "admin Ana", "2026-11-30T10:00", 1, 8, ("I work at\x1b[31m night.",))]
    answer = as_answered(versions=versions, damaged=3, waiting=WAITING, drafts=drafts)
    said = "\n".join(output.rules_log(answer, PLAIN))
    assert "\x1b" not in said
    for part in (
        "Version 11 is a draft. Of 8 members, 1 objects.",
        "night.",
        "Version 8 waits. Of 8 members, 1 objects; 2 are enough to stop it.",
        "2026-11-29 10:00",
        "admin Ana",
        "ab12 = version 2",
        "in force",
        "replaced",
        "Record 3 is missing",
    ):
        assert part in said
