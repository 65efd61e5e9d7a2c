"""`procomu-report.sh` for openNDS routers, run by real shells: with a node, and with hostile clients and answers."""

import asyncio
import base64
import hashlib
import os
import re
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from node.gateways.opennds_report import CLIENTS_MAX, NO_NONCE, REPORT_CHARACTERS_MAX
from tests.fakes.fas_fixture import SLOW_RULES, FasFixture, one_life
from tests.fakes.fas_server import fas_server
from tests.fakes.opennds_router import FakeRouter
from tests.fakes.use_cases import AppFixture
from tests.kernel.test_opennds_routers import certificate

FOLDER = Path(__file__).parents[2] / "node" / "gateways" / "opennds"
SCRIPT = FOLDER / "procomu-report.sh"
KEY = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
CUSTOM = base64.b64encode(b"procomu 02aabbccddee 0123456789abcdef0123456789abcdef").decode()
SHELLS = [name for name in ("dash", "busybox") if shutil.which(name)]
APPLETS = (
    "awk",
    "cat",
    "cut",
    "date",
    "grep",
    "head",
    "mkdir",
    "rm",
    "sed",
    "sh",
    "sha256sum",
    "sleep",
    "tr",
    "wget",
)
UCI = """#!/bin/sh
[ "$1 $2" = "-q get" ] || exit 1
sed -n "s/^${{3##*.}}=//p" {folder}/options
"""
NDSCTL = """#!/bin/sh
case $1 in
	json) cat {folder}/json ;;
	deauth) echo "$2" >> {folder}/ended; echo "Client $2 deauthenticated." ;;
esac
"""
WGET = """#!/bin/sh
for word in "$@"; do
	case $word in
		--help) exit 0 ;;
		--post-data=*) printf '%s\\n' "${{word#--post-data=}}" >> {folder}/sent ;;
	esac
done
cat {folder}/answer
"""


def client(token: str = "0badcafe", *, state: str = "Authenticated", **more: str) -> str:
    """As ndsctl of openNDS 10.3 prints it."""
    fields = {
        "gatewayname": "the%20library%20Node%3a1e9f815e6032%20",
        "mac": "86:88:f4:95:e5:e0",
        "session_end": "1796079161",
        "token": token,
        "state": state,
        "custom": CUSTOM,
        "download_rate_limit_threshold": "7000",
        "download_quota": "null",
        "download_this_session": "120",
        "download_session_avg": "4.22",
        "upload_this_session": "7",
        "upload_session_avg": "4.23",
    } | more
    lines = ",\n".join(f'      "{name}":"{value}"' for name, value in fields.items())
    return f'    "86:88:f4:95:e5:e0":{{\n{lines}\n    }}'


def listing(clients: Iterable[str]) -> str:
    found = list(clients)
    return f'{{\n  "client_list_length":"{len(found)}",\n  "clients":{{\n' + ",\n".join(found) + "\n  }\n}\n"


@dataclass
class RouterFolder:
    """A router's folder with programs that the script calls."""

    folder: Path
    shell: str

    def write(self, name: str, text: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(text.format(folder=self.folder))
        path.chmod(0o755)

    def run(self, *how: str) -> subprocess.CompletedProcess[str]:
        argv = [self.shell, "sh"] if self.shell == "busybox" else [self.shell]
        return subprocess.run(
            [*argv, str(SCRIPT), *(how or ("once",))],
            env={
                "PATH": f"{self.folder}/bin:/usr/bin:/bin",
                "PROCOMU_DIR": str(self.folder / "state"),
            },
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    @property
    def ended(self) -> list[str]:
        path = self.folder / "ended"
        return path.read_text().split() if path.exists() else []

    @property
    def sent(self) -> list[dict[str, str]]:
        path = self.folder / "sent"
        lines = path.read_text().splitlines() if path.exists() else []
        return [{k: v[0] for k, v in parse_qs(line, keep_blank_values=True).items()} for line in lines]


@pytest.fixture(params=SHELLS)
def router(request: pytest.FixtureRequest, tmp_path: Path) -> RouterFolder:
    made = RouterFolder(tmp_path, request.param)
    (tmp_path / "bin").mkdir()
    if request.param == "busybox":
        for name in APPLETS:
            os.symlink(shutil.which("busybox") or "", tmp_path / "bin" / name)
        (tmp_path / "bin" / "wget").unlink()
    made.write("uci", UCI)
    made.write("ndsctl", NDSCTL)
    made.write("wget", WGET)
    options(made, "http://127.0.0.1:1", 1)
    (tmp_path / "json").write_text(listing([client()]))
    (tmp_path / "answer").write_text("")
    return made


def options(router: RouterFolder, node: str, level: int, key: str = KEY, path: str = "/gw/x/fas/1/") -> None:
    at = urlsplit(node)
    (router.folder / "options").write_text(
        f"faskey={key}\nfas_secure_enabled={level}\nfasremoteip={at.hostname}\nfasport={at.port}\nfaspath={path}\n"
    )


def answer(
    *tokens: str, word: str = "ok", asked: str = NO_NONCE, after: str = "1" * 32, key: str = KEY
) -> str:
    seal = hashlib.sha256(" ".join((word, asked, after, *tokens, key)).encode()).hexdigest()
    return f"{word} {after} {seal}\n" + "".join(f"end {token}\n" for token in tokens)


def test_it_reports_each_client_and_ends_those_that_the_node_names(router) -> None:
    (router.folder / "json").write_text(listing([client(), client("cafe0001"), client("cafe0002")]))
    (router.folder / "answer").write_text(answer("cafe0001", "0badcafe"))
    assert (router.run().returncode, router.ended) == (0, ["cafe0001", "0badcafe"])
    (sent,) = router.sent
    bare = CUSTOM.rstrip("=")
    assert sent["clients"] == ",".join(f"{t}.120.7.7000.{bare}" for t in ("0badcafe", "cafe0001", "cafe0002"))
    assert sent["name"] == "the%20library%20Node%3a1e9f815e6032%20"
    sealed = " ".join(("report", sent["nonce"], sent["name"], sent["clients"], KEY))
    assert sent["seal"] == hashlib.sha256(sealed.encode()).hexdigest()
    assert (router.folder / "state" / "nonce").read_text() == "1" * 32
    assert not (router.folder / "state" / "lock").exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ok\n",
        "<html>busy</html>\n",
        "$(touch canary)\n",
        "`touch canary`",
        answer("cafe0002"),  # was not reported
        answer("0badcafe", key="0" * 64),
        answer("0badcafe", asked="2" * 32),  # to another report
        answer("0badcafe") + "end cafe0001\n",
        answer("0badcafe").replace("end ", "END "),
        answer("0badcafe").replace("end 0badcafe", "end 0badcafe;touch canary"),
        answer("0badcafe").replace("end 0badcafe", "end $(touch canary)"),
        answer("0badcafe").replace("end 0badcafe", "end *"),
        answer("0badcafe").replace("end 0badcafe", "end 0badcafe x"),
        answer("0badcafe").replace("ok ", "ok  x "),
        answer(word="reboot"),
        "\0" * 5_000 + answer("0badcafe"),
        "ok " * 5_000,
        answer("0badcafe", word="again"),
    ],
)
def test_another_answer_ends_nobody(router, text) -> None:
    (router.folder / "answer").write_text(text)
    assert router.run().returncode == 1
    assert router.ended == []
    assert not list(router.folder.rglob("canary"))
    assert not (router.folder / "state" / "lock").exists()


@pytest.mark.parametrize(
    "hostile",
    [
        client(state="Preauthenticated"),
        client("0BADCAFE"),
        client("0bad"),
        client("$(touch canary)"),
        client("0badcafe.1.1.1"),
        client(download_this_session="-1"),
        client(download_this_session="1e9"),
        client(download_this_session="9" * 40),
        client(upload_this_session=""),
        client(download_rate_limit_threshold="x"),
        client().replace('"token"', '"tok'),
        client().replace("\n    }", ""),
    ],
)
def test_a_client_of_another_form_is_left_out_and_the_others_are_reported(router, hostile) -> None:
    (router.folder / "json").write_text(listing([hostile, client("cafe0001")]))
    (router.folder / "answer").write_text(answer())
    assert router.run().returncode == 0
    (sent,) = router.sent
    tokens = {each.partition(".")[0] for each in sent["clients"].split(",")}
    assert tokens == {"cafe0001"}
    assert not list(router.folder.rglob("canary"))


@pytest.mark.parametrize(
    "custom",
    [
        "",
        "none",
        "$(touch canary)" * 5,
        "A" * 300,
        "A" * 60 + ",cafe0009.1.1.1." + "A" * 60,
        'A" , "token":"cafe0009',
        'x"\n    }\n  }\n}\n',
        'x",\n "state":"Preauthenticated",\n "token":"cafe0009',
    ],
)
def test_a_client_without_a_permission_of_the_node_is_reported_so(router, custom) -> None:
    (router.folder / "json").write_text(listing([client(custom=custom)]))
    (router.folder / "answer").write_text(answer("0badcafe"))
    assert (router.run().returncode, router.ended) == (0, ["0badcafe"])
    assert router.sent[0]["clients"] == "0badcafe.0.0.0.none"
    assert not list(router.folder.rglob("canary"))


def test_lines_in_what_a_client_sent_change_no_counter(router) -> None:
    """`custom` comes before the counters: what it could add does not count."""
    lines = CUSTOM + '",\n "download_this_session":"0",\n "upload_this_session":"0'
    (router.folder / "json").write_text(listing([client(custom=lines)]))
    (router.folder / "answer").write_text(answer())
    assert router.run().returncode == 0
    assert router.sent[0]["clients"].startswith("0badcafe.120.7.7000.")


@pytest.mark.parametrize(
    "said",
    [
        "",
        *(
            pytest.param(each, marks=pytest.mark.thorough)
            for each in ("ndsctl is locked by another process\n", "Error: connect\n", "\x00\x01{")
        ),
    ],
)
def test_without_a_listing_nothing_is_reported(router, said) -> None:
    (router.folder / "json").write_text(said)
    done = router.run()
    assert (done.returncode, router.sent) == (1, [])
    assert "ndsctl" in done.stderr


def test_a_router_without_clients_reports_too(router) -> None:
    (router.folder / "json").write_text(listing([]))
    (router.folder / "answer").write_text(answer())
    assert router.run().returncode == 0
    assert [each["clients"] for each in router.sent] == [""]


def test_many_clients_take_several_reports(router) -> None:
    tokens = [f"{number:08x}" for number in range(2 * CLIENTS_MAX + 3)]
    (router.folder / "json").write_text(listing(map(client, tokens)))
    (router.folder / "answer").write_text(answer())
    assert router.run().returncode == 1, "the second answer is one to the first report"
    first, second = (each["clients"].split(",") for each in router.sent)
    assert [each.partition(".")[0] for each in (*first, *second)] == tokens[: 2 * CLIENTS_MAX]
    assert len(",".join(first)) < REPORT_CHARACTERS_MAX


def test_a_slow_router_is_asked_once_a_minute(router) -> None:
    clock = router.folder / "bin" / "date"
    clock.unlink(missing_ok=True)
    router.write(
        "date", "#!/bin/sh\necho 11 >> {folder}/clock\nawk '{{n += $1}} END {{print n}}' {folder}/clock\n"
    )
    (router.folder / "answer").write_text(answer())
    assert router.run("by cron").returncode == 0
    assert len(router.sent) == 1


def test_the_lock_of_a_killed_script_does_not_stop_the_next(router) -> None:
    (router.folder / "answer").write_text(answer())
    lock = router.folder / "state" / "lock"
    lock.mkdir(parents=True)
    for text in ("999999", "", "$(touch canary)", "1"):
        (lock / "pid").write_text(text)
        (router.folder / "state" / "nonce").write_text(NO_NONCE)
        assert router.run().returncode == 0
        lock.mkdir(parents=True, exist_ok=True)
    assert len(router.sent) == 4
    assert not list(router.folder.rglob("canary"))


def test_https_is_not_used_without_a_check_of_the_certificate(router) -> None:
    options(router, "http://127.0.0.1:1", 4)
    router.write(
        "wget", "#!/bin/sh\n[ $1 = --help ] && echo BusyBox && exit\necho called > {folder}/called\n"
    )
    (router.folder / "bin" / "uclient-fetch").unlink(missing_ok=True)
    assert router.run().returncode == 1
    assert not (router.folder / "called").exists()


def test_options_with_other_characters_are_not_used(router) -> None:
    options(router, "http://127.0.0.1:1", 1, path="/gw/$(touch canary)/")
    (router.folder / "answer").write_text(answer())
    router.run()
    options(router, "http://127.0.0.1:1", 1, key="$(touch canary)")
    assert router.run().returncode == 1
    assert not list(router.folder.rglob("canary"))


def test_the_key_is_in_no_request(router) -> None:
    (router.folder / "answer").write_text(answer())
    router.run()
    assert KEY not in (router.folder / "sent").read_text()


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck_finds_nothing() -> None:
    argv = ["shellcheck", "-x", "-P", str(FOLDER.parents[2]), str(SCRIPT)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


# --- with a node ---------------------------------------------------------------------------------


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[FasFixture]:
    async with one_life(AppFixture(None, tmp_path / "node", rules_text=SLOW_RULES)) as opened:
        yield opened


def online(at: FasFixture, router: FakeRouter, custom: str, **more: str) -> str:
    return listing([client(router.token, custom=custom, gatewayname=router.name, **more)])


async def test_a_node_counts_and_ends_over_a_real_socket(at, router) -> None:
    """With the real wget of the machine, or that of busybox."""
    fake = at.router()
    person = await at.join(fake, 1)
    custom = at.custom(fake, person).replace("=", "%3d").replace("+", "%2b").replace("/", "%2f")
    (router.folder / "json").write_text(online(at, fake, custom, download_rate_limit_threshold="10000"))
    wget = router.folder / "bin" / "wget"
    wget.unlink()
    if router.shell == "busybox":
        os.symlink(shutil.which("busybox") or "", wget)
    async with fas_server(at) as port:
        options(router, f"http://127.0.0.1:{port}", 1, at.faskey, f"/gw/{at.gateway.id}/fas/1/")
        done = await asyncio.to_thread(router.run)
        assert (done.returncode, done.stderr, router.ended) == (0, "", [])
        await at.run.settle()
        assert 127 * 1_024 == at.used(person)
        assert at.people.registry.reports(at.gateway)
        await at.run.loop.block(person.mac, "noise")
        done = await asyncio.to_thread(router.run)
        assert (done.returncode, router.ended) == (0, [fake.token])
        known = at.people.registry.get(at.gateway.id)
        assert known is not None
        assert fake.name == known.called
    assert re.fullmatch(r"[0-9a-f]{32}", (router.folder / "state" / "nonce").read_text())


async def test_a_node_whose_certificate_the_router_does_not_trust_is_told_nothing(at, router) -> None:
    if router.shell == "busybox" or shutil.which("wget") is None:
        pytest.skip("its wget checks no certificate, so that it is not used")
    fake = at.router()
    person = await at.join(fake, 1)
    (router.folder / "json").write_text(online(at, fake, at.custom(fake, person)))
    (router.folder / "bin" / "wget").unlink()
    tls, _ = certificate(router.folder)
    async with fas_server(at, socket.create_server(("127.0.0.1", 0)), tls) as port:
        options(router, f"https://127.0.0.1:{port}", 4, at.faskey, f"/gw/{at.gateway.id}/fas/4/")
        done = await asyncio.to_thread(router.run)
    assert done.returncode == 1
    assert "no valid answer" in done.stderr
    assert not at.people.registry.reports(at.gateway)
    await at.run.settle()
    assert 0 == at.used(person)
