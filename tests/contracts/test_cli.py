"""The command line as people type it: files, exit codes, and a node that answers or does not."""

import asyncio
import json
import re
import stat
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from node.accounting.intervals import INTERVAL_S, IntervalUsage
from node.accounts.vouchers import Batch
from node.app.adoption_views import TrialView
from node.cli import commands, main
from node.cli.commands import ROOT
from node.config import parse_config
from node.config.model import SiteInfo
from node.console import Answer, Broadcast, Console, NoRunningNode, ask
from node.errors import Finding, NodeError
from node.export.formats import FORMATS
from node.identity import is_node_id
from node.storage.interval_tables import save_intervals
from node.storage.losses import LOSSES, MARKER, Loss, Marker, write_loss, write_marker
from node.storage.migrations import migrate
from node.storage.opening import connect as connect_database
from node.units import AccountId, Bytes, Usage, parse_duration
from tests.fakes.node_graphs import a_node_graph
from tests.unit.node.cli.test_output import OVERVIEW

GOOD = '[ruleset]\ncommunity = "Vall Alta"\nversion = 1\ndecision = "D-1"\n'
BAD = GOOD + '\n[[rule]]\nid = "a"\nceiling = "3"\nwho = "tier:guest"\nby = "D-1"\nportt = 80\n'

LIMIT = '[[rule]]\nid = "top"\nceiling = "{} Mbit/s down, 1 Mbit/s up"\nwho = "tier:guest"\nby = "D-1"\n'


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of a new node on a machine with two interfaces."""
    for name in ("lan0", "up0"):
        (tmp_path / "machine/sys/class/net" / name / "bridge").mkdir(parents=True)
    monkeypatch.setattr("node.setup.network_facts.MACHINE", tmp_path / "machine")
    path = tmp_path / "etc" / "node.toml"
    words = ["--name", "library", "--lan", "lan0", "--uplink", "up0", "--data-dir", str(tmp_path / "data")]
    assert 0 == main(["--config", str(path), "init", *words])
    text = path.read_text().replace('# run_dir = "/run/procomu"', f'run_dir = "{tmp_path}/run"')
    path.write_text(text)
    return path


def said_in_json(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def refuse(_question: dict[str, Any]) -> dict[str, Any]:
    raise NodeError("nobody here is called ben", "'procomu devices' lists who is here")


def issued(asked: dict[str, Any]) -> dict[str, Any]:
    lasts, devices = parse_duration(asked["lasts"]), int(asked["devices"])
    return {
        "batch": Batch(1, asked["group"], lasts, devices, "2027-03-01", "admin console", asked["note"]),
        "codes": [f"0000-0000-00{number:02}" for number in range(int(asked["count"]))],
        "place": SiteInfo("Vall Alta", "library", "login.vall.example", zones=("hills",)),
    }


def adopted(outcome: str) -> dict[str, Any]:
    found = (Finding("E01", 10, "portt is not a key.", "remove it"),) if outcome == "refused" else ()
    return {
        "outcome": outcome,
        "number": 2,
        "put_back": 0,
        "in_force": 2,
        "findings": found,
        "trial": TrialView(2, "admin", 600),
    }


ANSWERS = {
    "status": lambda _: {"overview": OVERVIEW, "memory": {"sentence": "Room for many."}},
    "why": lambda asked: (
        {
            "account": asked["who"],
            "tier": "member",
            "at": asked["at"] or "now",
            "explain": ["You get an equal share."],
        }
        if asked["who"] != "ben"
        else refuse(asked)
    ),
    "rules": lambda _: {"text": GOOD + LIMIT.format(3), "node_names": ["library", "mill"]},
    "peers": lambda _: {"node": "n" * 52, "peers": OVERVIEW.peers},
    "devices": lambda _: {"devices": []},
    "rules-adopt": lambda asked: adopted("refused" if "portt" in asked["text"] else "trial"),
    "rules-confirm": lambda asked: adopted("same" if asked["version"] else "confirmed"),
    "rules-rollback": lambda asked: adopted("trial" if asked["version"] else "ended"),
    "rules-draft": lambda asked: adopted("refused" if "portt" in asked["text"] else "draft"),
    "rules-withdraw": lambda _: adopted("withdrawn"),
    "rules-log": lambda _: {"versions": [], "damaged": 0},
    "vouchers-issue": lambda asked: issued(asked) if asked["count"] != "961" else refuse(asked),
    "vouchers-list": lambda _: {"batches": []},
    "vouchers-revoke": lambda asked: {"changed": 24, "back": asked["back"]},
    "members-passphrase": lambda asked: {"account": asked["who"], "passphrase": "abcd-efgh-jkmn"},
    "members-card": lambda asked: {
        "account": asked["who"],
        "card": "PROCOMU1.x.y",
        "address": "http://login.vall.example/?card=PROCOMU1.x.y",
        "last_day": "2028-03-01",
    },
    "members-void-cards": lambda asked: {"account": asked["who"]},
    "admin-link": lambda asked: {
        "url": "http://127.0.0.1:2081/sign-in?token=t",
        "expires_seconds": 600,
        "who": f"{asked['role']} {asked['name']}".strip(),
    },
}


@contextmanager
def node_running(config: Path, answers: Mapping[str, Answer] = ANSWERS) -> Iterator[None]:
    """A node that answers from another thread, as from another process."""
    settings, _ = parse_config(config.read_text())
    assert settings is not None
    path = settings.node.console_socket
    runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
    loop = runner.get_loop()
    running = loop.create_task(Console(path, answers, Broadcast()).run())

    async def until_cancelled() -> None:
        with suppress(asyncio.CancelledError):
            await running

    def serve() -> None:
        with runner:  # it closes the connections, too
            runner.run(until_cancelled())

    thread = Thread(target=serve)
    thread.start()
    while not is_listening(path):
        time.sleep(0.005)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(running.cancel)
        thread.join()


def is_listening(path: str) -> bool:
    """Whether a query is answered: a connection that asks nothing may still be on its way in when the node stops."""
    try:
        return bool(ask(path, {"ask": ""}))
    except NoRunningNode:
        return False


def test_a_new_node_gets_keys_that_only_it_can_read(config, tmp_path):
    for key in (tmp_path / "data" / "node.key", config.parent / "community.key"):
        assert 0o600 == stat.S_IMODE(key.stat().st_mode)
    assert 32 == len(bytes.fromhex((config.parent / "community.key").read_text()))
    settings, findings = parse_config(config.read_text())
    assert settings is not None, findings
    assert ("library", "lan0", "up0") == (
        settings.node.name,
        settings.lan.interface,
        settings.uplink.interface,
    )


def test_init_a_second_time_overwrites_nothing(config, tmp_path, capsys):
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert 0 == main(["--config", str(config), "init", "--json"])
    said = said_in_json(capsys)
    assert ([], 5, True) == (said["made"], len(said["kept"]), is_node_id(said["node"]))
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_settings_with_errors_are_reported_before_any_file_is_made(tmp_path, capsys):
    config = tmp_path / "node.toml"
    config.write_text("[node]\nnmae = 1\n")
    assert 2 == main(["--config", str(config), "init"])
    assert "did you mean name?" in capsys.readouterr().err
    assert [config] == list(tmp_path.iterdir())


def test_rules_without_errors_are_shown_as_sentences(config, capsys):
    rules = config.parent / "draft.toml"
    rules.write_text(GOOD)
    assert 0 == main(["rules", "check", str(rules), "--config", str(config)])
    said = capsys.readouterr().out
    assert "Every household always has at least" in said
    assert f"{rules} can be used." in said


def test_the_rules_of_a_new_node_are_valid(config):
    assert 0 == main(["rules", "check", str(config.parent / "rules.toml"), "--config", str(config)])


@pytest.mark.parametrize("verb", ["check", "compare", "preview"])
def test_every_error_of_a_rule_file_is_reported_with_line_and_fix(config, capsys, verb):
    rules = config.parent / "draft.toml"
    rules.write_text(BAD)
    assert 1 == main(["rules", verb, str(rules), "--config", str(config)])
    said = capsys.readouterr().out
    assert ("line 8" in said, "line 11" in said, said.count("fix: ")) == (True, True, 2)
    assert 1 == main(["rules", verb, str(rules), "--config", str(config), "--json"])
    said = said_in_json(capsys)
    assert (False, [8, 11]) == (said["ok"], [finding["line"] for finding in said["findings"]])
    assert all(
        {"code", "line", "message", "fix", "parameters"} <= finding.keys() for finding in said["findings"]
    )
    assert all(said["findings"][0]["parameters"].values())


def test_a_rule_for_a_node_that_is_not_known_is_noticed_where_the_names_are_known(config, capsys):
    draft = config.parent / "draft.toml"
    draft.write_text(GOOD + LIMIT.format(3) + 'at = "node:libary"\n')
    words = ["rules", "check", str(draft), "--json", "--config", str(config)]

    def codes() -> list[str]:
        return [each["code"] for each in said_in_json(capsys)["findings"]]

    assert 0 == main(words)
    assert "W20" in codes(), "of a node that is alone"
    config.write_text(config.read_text().replace("[community]", f'[community]\nnodes = ["{"a" * 52}"]', 1))
    assert 0 == main(words)
    assert "W20" not in codes(), "the other node may have that name"
    assert 0 == ask_for(config, "rules", "check", str(draft), "--json")
    assert "W20" in codes(), "the running node knows the other one's name"
    draft.write_text(GOOD + LIMIT.format(3) + 'at = "node:mill"\n')
    assert 0 == ask_for(config, "rules", "check", str(draft), "--json")
    assert "W20" not in codes()


def test_a_file_without_the_line_of_this_node_is_refused_on_this_node_only(config, tmp_path, capsys):
    draft = config.parent / "draft.toml"
    lines = "".join(f'[uplink.{name}]\ndown = "9 Mbit/s"\nup = "9 Mbit/s"\n' for name in ("river", "mill"))
    draft.write_text(GOOD.partition("[uplink.main]")[0] + lines)

    def checked(answer: int, settings: Path) -> list[str]:
        assert answer == main(["rules", "check", str(draft), "--json", "--config", str(settings)])
        return [each["code"] for each in said_in_json(capsys)["findings"] if each["code"][0] == "E"]

    assert [] == checked(0, tmp_path / "no.toml"), "no node, no line of its own"
    assert ["E13"] == checked(1, config), "it does not say which line it is at"
    interface = 'interface = "up0"'
    config.write_text(config.read_text().replace(interface, f'{interface}\nname = "mill"', 1))
    assert [] == checked(0, config)
    config.write_text(config.read_text().replace('name = "mill"', 'name = "mil"', 1))
    assert ["E13"] == checked(1, config)
    assert 1 == main(["rules", "check", str(draft), "--config", str(config)])
    assert "did you mean mill?" in capsys.readouterr().out


def test_a_draft_is_compared_with_the_rules_in_force(config, capsys):
    draft = config.parent / "draft.toml"
    draft.write_text(f"# a comment\n{GOOD}{LIMIT.format(5)}")
    assert 0 == ask_for(config, "rules", "compare", str(draft))
    changed = "Guests: at most 5 Mbit/s download instead of 3 Mbit/s download."
    assert changed in capsys.readouterr().out
    assert 0 == ask_for(config, "rules", "compare", str(draft), "--json")
    said = said_in_json(capsys)
    assert (False, True, [changed]) == (
        said["is_nothing"], said["is_complete"], [each["text"] for each in said["changes"]]
    )  # fmt: skip
    draft.write_text(f"{GOOD}# the same\n{LIMIT.format(3)}")
    assert 0 == ask_for(config, "rules", "compare", str(draft))
    assert capsys.readouterr().out.startswith("Nothing changes for anybody.\n")


def test_without_a_running_node_a_draft_is_compared_with_the_rules_last_in_force(config, tmp_path, capsys):
    draft = config.parent / "draft.toml"
    draft.write_text(GOOD + LIMIT.format(5))
    words = ["rules", "compare", str(draft), "--config", str(config)]
    assert 3 == main(words)
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data" / "adopted.rules.toml").write_text(GOOD + LIMIT.format(4))
    assert 0 == main(words)
    assert "instead of 4 Mbit/s download" in capsys.readouterr().out


def test_two_rule_files_are_compared_without_a_node(tmp_path, capsys):
    old, new = tmp_path / "old.toml", tmp_path / "new.toml"
    old.write_text(GOOD + LIMIT.format(3))
    new.write_text(GOOD)
    words = ["rules", "compare", str(new), "--with", str(old), "--config", str(tmp_path / "no.toml")]
    assert 0 == main(words)
    said = capsys.readouterr().out
    assert "Guests: no speed limit instead of at most 3 Mbit/s download and 1 Mbit/s upload." in said
    assert "No members file was found" in said


def test_a_file_with_errors_is_not_compared(tmp_path, capsys):
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text(GOOD)
    bad.write_text(BAD)
    assert 1 == main(["rules", "compare", str(bad), "--with", str(good)])
    assert "line 8" in capsys.readouterr().out
    assert 2 == main(["rules", "compare", str(good), "--with", str(bad)])
    assert "line 8" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"#" * 2_000_000])
def test_a_file_that_cannot_be_read_is_a_usage_error(tmp_path, content, capsys):
    path = tmp_path / "rules.toml"
    if content is not None:
        path.write_bytes(content)
    assert 2 == main(["rules", "check", str(path)])
    assert "Fix: " in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["why", "ana"],
        ["rules", "show"],
        ["rules", "confirm"],
        ["rules", "rollback"],
        ["rules", "withdraw", "7"],
        ["rules", "log"],
        ["devices"],
        ["peers"],
        ["admin", "link"],
        ["vouchers", "issue"],
        ["vouchers", "list"],
        ["members", "card", "ana"],
        ["watch"],
    ],
)
def test_without_a_running_node_the_exit_code_is_3(config, words, capsys):
    assert 3 == main(["--config", str(config), *words])
    assert "procomu run" in capsys.readouterr().err
    assert 3 == main(["--config", str(config), *words, "--json"])
    assert not said_in_json(capsys)["ok"]


def test_settings_with_errors_are_a_usage_error_and_all_are_reported(tmp_path, capsys):
    config = tmp_path / "node.toml"
    config.write_text("[node]\nnmae = 1\n[portl]\n")
    assert 2 == main(["--config", str(config), "status"])
    said = capsys.readouterr().err
    assert ("did you mean name?" in said, "did you mean [portal]?" in said) == (True, True)


def test_a_running_node_is_queried(config, capsys):
    with node_running(config):
        assert 0 == main(["--config", str(config), "status"])
        assert "Vall Alta · library" in capsys.readouterr().out
        assert 0 == main(["--config", str(config), "why", "ana", "--at", "Fri 21:00"])
        assert "ana, member, fri 21:00\nYou get an equal share.\n" == capsys.readouterr().out
        assert 0 == main(["--config", str(config), "admin", "link", "--json"])
        assert 600 == said_in_json(capsys)["expires_seconds"]
        assert 0 == main(["--config", str(config), "peers"])
        assert 0 == main(["--config", str(config), "devices"])


def ask_for(config: Path, *words: str) -> int:
    with node_running(config):
        return main(["--config", str(config), *words])


def test_rules_are_adopted_and_a_file_with_errors_exits_with_1(config, capsys):
    draft = config.parent / "draft.toml"
    draft.write_text(GOOD)
    assert 0 == ask_for(config, "rules", "adopt", str(draft), "--at", "2026-12-01 06:00")
    assert "come back in 10 min." in capsys.readouterr().out
    draft.write_text(BAD)
    assert 1 == ask_for(config, "rules", "adopt", str(draft), "--json")
    said = said_in_json(capsys)
    assert (False, "refused", "E01") == (said["ok"], said["outcome"], said["findings"][0]["code"])
    assert 2 == main(["--config", str(config), "rules", "adopt", str(draft.with_name("none.toml"))])
    draft.write_text("#" * 700_000)
    assert 1 == ask_for(config, "rules", "adopt", str(draft))
    assert "is longer than 262144 bytes" in capsys.readouterr().err
    assert 1 == ask_for(config, "rules", "draft", str(draft))
    assert "is longer than 262144 bytes" in capsys.readouterr().err
    draft.write_text(BAD)
    assert 1 == ask_for(config, "rules", "draft", str(draft))
    draft.write_text(GOOD)
    capsys.readouterr()
    more = ["draft", str(draft)], ["withdraw", "7"]
    for words in (["confirm"], ["confirm", "1"], ["rollback"], ["rollback", "1"], ["log"], *more):
        assert 0 == ask_for(config, "rules", *words, "--json")
        assert said_in_json(capsys)["ok"]


def test_issuing_vouchers_prints_the_codes_and_nothing_else(config, capsys):
    assert 0 == ask_for(config, "vouchers", "issue", "--json")
    said = said_in_json(capsys)
    assert (24, "day-pass", 86_400_000, 0) == (
        len(said["codes"]),
        *(said["batch"][name] for name in ("group", "lasts_ms", "devices_max")),
    )


@pytest.mark.parametrize(
    ("lang", "said"), [("en", "type the code"), ("ca", 'lang="ca"'), ("ar", 'dir="rtl"')]
)
def test_a_voucher_sheet_is_readable_by_its_owner_only(config, tmp_path, capsys, lang, said):
    sheet = tmp_path / "sheet.html"
    words = ["--count", "25", "--devices", "3", "--print", str(sheet), "--language", lang, "--wifi", "Obert"]
    assert 0 == ask_for(config, "vouchers", "issue", *words)
    told = capsys.readouterr().out
    codes = [line for line in told.splitlines() if line.startswith("0000-")]
    page = sheet.read_text()
    assert f"{sheet} is ready" in told
    assert 25 == len(codes) == sum(code in page for code in codes) == page.count('class="square"')
    assert 3 == page.count('class="paper"')
    assert "Obert" in page
    assert said in page
    assert 0o600 == stat.S_IMODE(sheet.stat().st_mode)


def test_an_existing_sheet_is_not_overwritten_and_nothing_is_issued(config, tmp_path, capsys):
    sheet = tmp_path / "sheet.html"
    sheet.write_text("old codes")
    assert 1 == ask_for(config, "vouchers", "issue", "--print", str(sheet))
    assert "another file" in capsys.readouterr().err
    assert "old codes" == sheet.read_text()


@pytest.mark.parametrize("words", [["--count", "961"], ["--language", "xx"]])
def test_without_vouchers_there_is_no_sheet(config, tmp_path, capsys, words):
    sheet = tmp_path / "sheet.html"
    assert 1 == ask_for(config, "vouchers", "issue", "--print", str(sheet), *words)
    assert "fix: " in capsys.readouterr().err
    assert not sheet.exists()


def test_vouchers_are_listed_revoked_and_restored(config, capsys):
    assert 0 == ask_for(config, "vouchers", "list")
    assert 0 == ask_for(config, "vouchers", "revoke", "1")
    assert 0 == ask_for(config, "vouchers", "revoke", "1", "--back")
    said = capsys.readouterr().out
    assert ("are revoked." in said, "are valid again." in said) == (True, True)


def test_a_member_gets_a_passphrase_and_a_card_with_its_qr_code(config, tmp_path, capsys):
    assert 0 == ask_for(config, "members", "passphrase", "ana")
    assert "abcd-efgh-jkmn\n" in capsys.readouterr().out
    picture = tmp_path / "ana.svg"
    assert 0 == ask_for(config, "members", "card", "ana", "--print", str(picture))
    assert "?card=PROCOMU1.x.y\n" in capsys.readouterr().out
    assert "<svg" in picture.read_text()
    assert 0 == ask_for(config, "members", "card", "ana", "--json")
    assert "2028-03-01" == said_in_json(capsys)["last_day"]
    assert 0 == ask_for(config, "members", "void-cards", "ana")


def test_an_unknown_member_is_an_error_with_what_to_do(config, capsys):
    with node_running(config):
        assert 1 == main(["--config", str(config), "why", "ben"])
    assert (
        "✗ nobody here is called ben\n  fix: 'procomu devices' lists who is here\n" == capsys.readouterr().err
    )


def test_an_invalid_time_is_a_usage_error(config, capsys):
    assert 2 == main(["--config", str(config), "why", "ana", "--at", "someday"])
    assert '--at "fri 21:00"' in capsys.readouterr().err


def test_output_that_is_not_a_terminal_has_no_colour(config):
    done = run_apart(["--config", str(config), "rules", "check", str(config.parent / "rules.toml")])
    assert (0, False) == (done.returncode, "\x1b" in done.stdout)


def test_checking_rules_imports_no_web_server_and_no_keys(config):
    """A check in an editor's hook must be quick on a small board."""
    code = (
        "import sys; from node.cli import main; "
        f"main(['rules', 'check', {str(config.parent / 'rules.toml')!r}]); "
        "print([n for n in ('aiohttp', 'jinja2', 'cryptography', 'zeroconf', 'sqlite_utils') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert "[]" == done.stdout.splitlines()[-1]


def test_the_doctor_checks_a_machine_without_settings(tmp_path, capsys):
    assert 1 == main(["--config", str(tmp_path / "none.toml"), "doctor", "--json"])
    said = said_in_json(capsys)
    assert ("settings", "fail") in [(each["name"], each["verdict"]) for each in said["diagnoses"]]


def test_the_doctor_reports_interfaces_that_do_not_exist(config, capsys):
    assert 1 == main(["--config", str(config), "doctor"])
    said = capsys.readouterr().out
    assert "✗ interface lan0" in said
    assert "✓ node key" in said
    assert "✓ rules" in said


def test_the_doctor_reports_keys_that_others_may_read_and_a_damaged_database(config, tmp_path, capsys):
    (tmp_path / "data" / "node.key").chmod(0o644)
    (config.parent / "community.key").write_text("not a key")
    (tmp_path / "data" / "procomu.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    assert 1 == main(["--config", str(config), "doctor", "--json"])
    verdicts = {each["name"]: each["verdict"] for each in said_in_json(capsys)["diagnoses"]}
    assert ("fail", "fail", "fail") == tuple(
        verdicts[name] for name in ("node key", "community key", "database")
    )


def test_the_doctor_reports_a_rule_that_ends_within_a_month(config, capsys):
    rules, last = config.parent / "rules.toml", datetime.now(UTC).date() + timedelta(days=10)
    ending = f'expires = "{last}"\n'
    rules.write_text(rules.read_text() + LIMIT.format(3) + ending)
    main(["--config", str(config), "doctor", "--json"])
    (told,) = [each for each in said_in_json(capsys)["diagnoses"] if "W18" in each["wrong"]]
    assert ("rules", "warn") == (told["name"], told["verdict"])
    rules.write_text(rules.read_text().replace(ending, f'expires = "{last + timedelta(days=40)}"\n'))
    main(["--config", str(config), "doctor", "--json"])
    assert "W18" not in capsys.readouterr().out


def test_the_doctor_reports_a_database_loss_until_it_is_acknowledged(config, tmp_path, capsys):
    lost = Loss("2026-11-28 13:40", "was empty", "Lost are counts of bytes since 2026-11-28 03:00.")
    write_loss(tmp_path / "data" / LOSSES, lost)
    main(["--config", str(config), "doctor", "--json"])
    told = [each for each in said_in_json(capsys)["diagnoses"] if each["wrong"] == lost.text]
    assert ["procomu doctor --acknowledge, after reading it"] == [each["fix"] for each in told]
    main(["--config", str(config), "doctor", "--acknowledge"])
    assert lost.text not in capsys.readouterr().out
    assert not (tmp_path / "data" / LOSSES).exists()


def test_the_doctor_reports_a_missing_database(config, tmp_path, capsys):
    write_marker(tmp_path / "data" / MARKER, Marker(1, "2026-01-01 12:00", 2))
    for data in (None, b""):
        if data is not None:
            (tmp_path / "data" / "procomu.db").write_bytes(data)
        main(["--config", str(config), "doctor"])
        assert "it is gone or empty; there has been one since 2026-01-01 12:00" in capsys.readouterr().out


def run_apart(words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "node", *words], capture_output=True, text=True, check=False, timeout=60
    )


def test_the_version_is_known_without_an_installation(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    number = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert re.fullmatch(rf"procomu {re.escape(number)} \(\w+\)\n", capsys.readouterr().out)


def test_an_installed_node_has_the_version_that_was_written_into_it(tmp_path, monkeypatch):
    (tmp_path / "node").mkdir()
    (tmp_path / "node/release").write_text("2.0.1 (0123abcd)\n")
    monkeypatch.setattr(commands, "ROOT", tmp_path)
    assert "2.0.1 (0123abcd)" == commands.version()
    (tmp_path / "node/release").unlink()
    assert "unknown" == commands.version()


def test_a_checkout_without_git_still_has_a_number(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "2.0.1"\n')
    monkeypatch.setattr(commands, "ROOT", tmp_path)
    assert "2.0.1 (unknown commit)" == commands.version()


def test_a_sheet_with_the_setup_code_is_printed_and_nothing_else_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, sheet = tmp_path / "etc" / "node.toml", tmp_path / "sheet.html"
    words = ["--config", str(config), "init", "--print", str(sheet), "--language", "ca", "--json"]
    assert 0 == main(words)
    code = said_in_json(capsys)["code"]
    page = sheet.read_text()
    assert f"{code[:4]}-{code[4:]}" in page
    assert "http://10.77.0.1/" in page
    assert "<svg" in page
    assert 'lang="ca"' in page
    assert 0o600 == stat.S_IMODE(sheet.stat().st_mode)
    assert ["setup-code"] == [path.name for path in config.parent.iterdir()]
    # The sheet stays right.
    assert 0 == main([*words[:4], str(tmp_path / "again.html"), "--json"])
    assert code == said_in_json(capsys)["code"]
    assert 3 == main(["--config", str(config), "status", "--json"])
    assert f"{code[:4]}-{code[4:]}" in said_in_json(capsys)["fix"]


def test_no_sheet_is_printed_for_a_node_that_is_set_up(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 1 == main(["--config", str(config), "init", "--print", str(tmp_path / "sheet.html")])
    assert "set up already" in capsys.readouterr().err
    assert not (tmp_path / "sheet.html").exists()


def test_without_settings_at_another_path_nothing_is_served(tmp_path: Path) -> None:
    """A path that was typed wrong must not make this machine a DHCP server."""
    words = [sys.executable, "-m", "node", "run", "--config", str(tmp_path / "nodr.toml")]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT, timeout=60)
    assert (2, "") == (done.returncode, done.stdout)
    assert "cannot be read" in done.stderr
    assert [] == list(tmp_path.iterdir())


def _used_in_an_hour(folder: Path, *accounts: str) -> None:
    """Five minutes of the last hour, in which each account had 8 Mbit/s."""
    begun = (int(time.time()) // INTERVAL_S - 2) * INTERVAL_S
    used = IntervalUsage(Usage(Bytes(300_000_000), Bytes(1_000_000)), False)
    folder.mkdir(exist_ok=True)
    with closing(connect_database(folder / "procomu.db")) as db:
        migrate(db)
        save_intervals(db, {begun: {AccountId(account): used for account in accounts}})


def test_a_draft_is_replayed_with_what_accounts_used(config, tmp_path, capsys):
    draft = config.parent / "draft.toml"
    draft.write_text(GOOD + LIMIT.format(2))
    words = ["rules", "preview", str(draft), "--config", str(config)]
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data" / "adopted.rules.toml").write_text(GOOD)
    _used_in_an_hour(tmp_path / "data", "guest-1")
    assert 1 == main(words)
    said = capsys.readouterr().err
    assert "nothing is kept to preview rules with" in said
    assert "add [preview]" in said
    _used_in_an_hour(tmp_path / "data", *(f"guest-{number}" for number in range(9)))
    assert 0 == main(words)
    assert ": 9.\n" in capsys.readouterr().out
    assert 0 == main([*words, "--json"])
    said = said_in_json(capsys)
    assert (True, 9, 9) == (said["ok"], said["replay"]["accounts"], said["replay"]["low"]["affected"])
    assert "guest-" not in json.dumps(said["replay"])
    draft.write_text(BAD)
    assert 1 == main(words)
    assert "line 8" in capsys.readouterr().out


def test_a_preview_is_of_the_line_of_this_node(config, tmp_path, capsys):
    lines = '[uplink.{}]\ndown = "200 Mbit/s"\nup = "5 Mbit/s"\n'
    head = GOOD + lines.format("main")
    draft = config.parent / "draft.toml"
    draft.write_text(head + LIMIT.format(2) + 'uplink = "mill"\n' + lines.format("mill"))
    _used_in_an_hour(tmp_path / "data", *(f"guest-{number}" for number in range(9)))
    (tmp_path / "data" / "adopted.rules.toml").write_text(head + lines.format("mill"))

    def affected() -> int:
        assert 0 == main(["rules", "preview", str(draft), "--config", str(config), "--json"])
        return said_in_json(capsys)["replay"]["low"]["affected"]

    assert 0 == affected()
    interface = 'interface = "up0"'
    config.write_text(config.read_text().replace(interface, f'{interface}\nname = "mill"', 1))
    assert 9 == affected()
    (tmp_path / "data" / "adopted.rules.toml").write_text(head)
    assert 9 == affected(), "also where the rules in force do not have its line yet"


def test_a_preview_warns_of_rules_that_would_have_touched_many(config, tmp_path, capsys):
    draft = config.parent / "draft.toml"
    draft.write_text(GOOD + LIMIT.format(2))
    _used_in_an_hour(tmp_path / "data", *(f"guest-{number}" for number in range(9)))
    (tmp_path / "data" / "adopted.rules.toml").write_text(GOOD)
    words = ["rules", "preview", str(draft), "--config", str(config)]
    assert 0 == main(words)
    said = capsys.readouterr().out
    assert "W03" in said
    assert "top would have changed the speed of 9 of the 9 accounts" in said
    assert 0 == main([*words, "--json"])
    (finding,) = said_in_json(capsys)["findings"]
    assert ("W03", 5) == (finding["code"], finding["line"])


def test_rules_that_are_only_observed_are_counted(config, tmp_path, capsys):
    words = ["rules", "observe", "--config", str(config)]
    (tmp_path / "data").mkdir(exist_ok=True)
    adopted = tmp_path / "data" / "adopted.rules.toml"
    adopted.write_text(GOOD)
    assert 0 == main(words)
    assert "No rule is only observed." in capsys.readouterr().out
    observed = LIMIT.format(2) + 'observe = true\nexpires = "2099-12-31"\n'
    adopted.write_text(GOOD + observed)
    _used_in_an_hour(tmp_path / "data", "guest-1")
    assert 1 == main(words)
    assert "add [preview]" in capsys.readouterr().err
    _used_in_an_hour(tmp_path / "data", *(f"guest-{number}" for number in range(9)))
    assert 0 == main(words)
    said = capsys.readouterr().out
    assert "Observed only; nobody has more or less by it: " in said
    assert "Would have limited 9 of 9 active accounts" in said
    assert 0 == main([*words, "--json"])
    (rule,) = said_in_json(capsys)["rules"]
    assert (["top"], 9, 9, 300 * 9) == (rule["rules"], rule["accounts"], rule["low"], rule["low_s"])
    assert "guest-" not in json.dumps(rule)


def test_without_a_database_nothing_can_be_replayed(config, tmp_path, capsys):
    draft = config.parent / "draft.toml"
    draft.write_text(GOOD)
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data" / "adopted.rules.toml").write_text(GOOD)
    assert 1 == main(["rules", "preview", str(draft), "--config", str(config)])
    assert "start the node once" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["netjson", "meshviewer", "nodelist"])
def test_the_network_is_printed_for_other_programs(config, tmp_path, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    document = {"label": "Família", "nodes": [], "links": []}
    asked = []

    def export(question: Mapping[str, Any]) -> Mapping[str, Any]:
        asked.append(question["format"])
        return {"document": json.dumps(document)}

    with node_running(config, {"export": export}):
        capsys.readouterr()
        assert 0 == main(["--config", str(config), "export", name])
        assert document == json.loads(capsys.readouterr().out)
        assert 0 == main(["--config", str(config), "export", name, "--json"])
        assert document == said_in_json(capsys)
        assert 2 == main(["--config", str(config), "export", name, "--format", "json"])
        assert "tables of the database" in capsys.readouterr().err
    assert [name, name] == asked
    assert 3 == main(["--config", str(config), "export", name])
    assert not (tmp_path / name).exists()


def test_the_network_is_printed_as_xml_and_read_again_without_a_node(config, tmp_path, capsys):
    document = FORMATS["cnml"].write(a_node_graph())
    with node_running(config, {"export": lambda _question: {"document": document}}):
        capsys.readouterr()
        assert 0 == main(["--config", str(config), "export", "cnml"])
        assert document == capsys.readouterr().out
        assert 0 == main(["--config", str(config), "export", "cnml", "--json"])
        assert {"ok": True, "document": document} == said_in_json(capsys)
    zone = tmp_path / "zone.cnml"
    zone.write_text(document)
    assert 0 == main(["--config", str(config), "export", "netjson", "--from", str(zone)])
    found = json.loads(capsys.readouterr().out)
    assert ("static", "Vall Alta", 3) == (found["protocol"], found["label"], len(found["nodes"]))
    assert 1 == main(["--config", str(config), "export", "netjson", "--from", str(tmp_path / "none")])
    assert "cannot be read" in capsys.readouterr().err
    assert 2 == main(["--config", str(config), "export", str(tmp_path / "t"), "--from", str(zone)])
    assert "formats of networks" in capsys.readouterr().err
