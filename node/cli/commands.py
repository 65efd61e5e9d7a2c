"""Implementation of each command: reads files, asks the running node, and prints lines of text or JSON.

What only some commands need is imported when they run: the rules take as long to import as everything else here, and the
daemon six times as long.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from node import console
from node.cli import output
from node.cli.arguments import CONFIG_DEFAULT, EXIT_NO, EXIT_WRONG_USE, EXIT_YES, RUN_DIR_DEFAULT
from node.cli.terminal import Terminal
from node.config import NodeConfig, parse_config
from node.errors import Finding, InvalidFile, NodeError

FILE_BYTES_MAX = 1_000_000
ROOT = Path(__file__).parents[2]
"""Of the checkout; where the node is installed, the folder of its packages."""
_AT = re.compile(
    r"(mon|tue|wed|thu|fri|sat|sun|\d{4}-\d\d-\d\d) ([01]?\d|2[0-3]):[0-5]\d(, ?(everyone busy|alone))?",
    re.ASCII,
)
_Shown = Callable[[Mapping[str, Any], Terminal], list[str]]


def version() -> str:
    """Number and commit, such as "0.1.0 (238c5c8f)". `deploy/package` writes both into what it builds; a checkout has
    the number in pyproject.toml, and its commit in git."""
    with contextlib.suppress(OSError):
        return (ROOT / "node" / "release").read_text().strip()
    with contextlib.suppress(OSError):
        number = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
        return f"{number[1] if number else 'unknown'} ({_commit()})"
    return "unknown"


def _commit() -> str:
    words = ["git", "-C", str(ROOT), "-c", f"safe.directory={ROOT}", "rev-parse", "--short=8", "HEAD"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=5, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return "unknown commit"
    return done.stdout.strip() or "unknown commit"


@dataclass(frozen=True, slots=True)
class CommandContext:
    """Parsed arguments of a command, and where its output goes."""

    asked: Mapping[str, Any]
    terminal: Terminal
    out: TextIO

    @property
    def wants_json(self) -> bool:
        return bool(self.asked.get("json"))

    @property
    def config_path(self) -> Path:
        return Path(self.asked["config"])

    def answer(self, as_json: Mapping[str, Any], lines: list[str]) -> None:
        """Prints JSON or text, as asked for."""
        text = json.dumps(as_json, ensure_ascii=False) if self.wants_json else "\n".join(lines)
        print(text, file=self.out, flush=True)


def read_config(path: Path) -> NodeConfig:
    """Parses the settings. Raises InvalidFile with all errors."""
    config, findings = parse_config(read_file(path))
    if config is None:
        raise InvalidFile(str(path), findings)
    return config


def read_file(path: Path) -> str:
    """Reads a UTF-8 file. Raises InvalidFile when that is not possible."""
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
        if len(content) > FILE_BYTES_MAX:
            raise InvalidFile(
                str(path), (_about(f"it is larger than {FILE_BYTES_MAX} bytes.", "give a smaller file"),)
            )
        return content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        said = Finding("file-text", line, "this is not text in UTF-8.", "save the file as UTF-8")
        raise InvalidFile(str(path), (said,)) from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        fix = "give the path of a file that exists and can be read ('procomu init' makes a new node's files)"
        raise InvalidFile(str(path), (_about(f"it cannot be read: {reason}.", fix),)) from error


def _about(message: str, fix: str) -> Finding:
    return Finding("file-unreadable", 0, message, fix)


def ask_node(context: CommandContext, question: Mapping[str, Any], shown: _Shown) -> int:
    """Prints the answer of the running node. Raises NodeError where it is no."""
    return tell(context, answer_to(context, question), shown)


def answer_to(
    context: CommandContext, question: Mapping[str, Any], timeout_s: float = 10.0
) -> Mapping[str, Any]:
    """What the running node answers. Raises NodeError where it is no."""
    answer = console.ask(read_config(context.config_path).node.console_socket, question, timeout_s)
    if not answer.get("ok"):
        raise NodeError(str(answer.get("message")), str(answer.get("fix")))
    return answer


def tell(context: CommandContext, answer: Mapping[str, Any], shown: _Shown) -> int:
    """Prints the answer as JSON, or as the lines of `shown`."""
    context.answer(answer, [] if context.wants_json else shown(answer, context.terminal))
    return EXIT_YES


@contextlib.contextmanager
def new_file(path: str) -> Iterator[BinaryIO]:
    """A new file with mode 0600, created before the secrets that it will hold; removed when writing fails.
    Raises NodeError."""
    try:
        file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    except OSError as error:
        raise NodeError(f"{path} cannot be created: {error.strerror}", "name another file") from error
    try:
        with file:
            yield file
    except BaseException:
        Path(path).unlink(missing_ok=True)
        raise


def run(context: CommandContext) -> int:
    with without_certificate_authorities():
        # A path that was typed wrong must not make this machine a DHCP server.
        if context.config_path == Path(CONFIG_DEFAULT) and not context.config_path.exists():
            from node.setup import mode  # noqa: PLC0415

            return mode.main(context.config_path)
        # The daemon imports every other package; no other command should wait for that.
        from node import daemon_process  # noqa: PLC0415

    return daemon_process.main(context.config_path, version())


@contextlib.contextmanager
def without_certificate_authorities() -> Iterator[None]:
    """Inside, OpenSSL finds no CA certificates of the system.

    aiohttp loads them when imported (`aiohttp.connector`) and keeps 2 MB. A node trusts keys, and
    `node.web.certificate_files`, which does read CA certificates, needs these two variables unchanged;
    so they are set during the import only, not in the systemd unit.
    """
    names = ("SSL_CERT_FILE", "SSL_CERT_DIR")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    os.environ.update(dict.fromkeys(names, os.devnull))
    try:
        yield
    finally:
        for name in names:
            del os.environ[name]
        os.environ.update(kept)


def init(context: CommandContext) -> int:
    from node.backup.offline import finish_changes  # noqa: PLC0415
    from node.cli.init import InitOptions, complete, create_files  # noqa: PLC0415
    from node.setup.network_facts import look_at_interfaces  # noqa: PLC0415

    finish_changes(context.config_path)
    asked = context.asked
    if asked["print"] is not None:
        return _print_code(context)
    wishes = InitOptions(
        name=asked["name"],
        community=asked["community"],
        lan=asked["lan"],
        uplink=asked["uplink"],
        down=asked["down"],
        up=asked["up"],
        data_dir=Path(asked["data_dir"]) if asked["data_dir"] else None,
        config=context.config_path,
    )
    seen = look_at_interfaces()
    is_asked = sys.stdin.isatty() and context.out.isatty() and not context.wants_json and not asked["yes"]
    begun = create_files(complete(wishes, seen, input) if is_asked else wishes, seen)
    context.answer({"ok": True, **asdict(begun)}, begun.lines(context.terminal))
    return EXIT_YES


def _print_code(context: CommandContext) -> int:
    """A sheet with the set-up code."""
    from node.cli.printing import check_language, code_sheet  # noqa: PLC0415
    from node.setup.first_files import stored_code  # noqa: PLC0415

    if context.config_path.exists():
        raise NodeError(
            "this node is set up already", "'procomu admin link' prints a link to the admin pages"
        )
    lang = check_language(context.asked["language"] or "")
    with new_file(context.asked["print"]) as page:
        code = stored_code(context.config_path.parent)
        page.write(code_sheet(code, lang))
    lines = [f"{context.asked['print']} is ready: open it in a browser and print it."]
    context.answer({"ok": True, "file": context.asked["print"], "code": code}, lines)
    return EXIT_YES


def _not_set_up(config: Path) -> None:
    """Raises NoRunningNode while the node waits for its set-up in a browser."""
    from node.setup.first_files import known_code  # noqa: PLC0415
    from node.setup.setup_code import shown_code  # noqa: PLC0415

    code = None if config.exists() else known_code(config.parent)
    if code is not None:
        raise console.NoRunningNode(
            "this node is not set up yet",
            f"connect a device to one of its free network ports, open http://10.77.0.1/ there, and enter {shown_code(code)}",
        )


def status(context: CommandContext) -> int:
    _not_set_up(context.config_path)
    return ask_node(context, {"ask": "status"}, output.status)


def why(context: CommandContext) -> int:
    at = context.asked["at"]
    if at is not None and not _AT.fullmatch(at.strip().lower()):
        print(
            'procomu why: --at is a day and a time, such as --at "fri 21:00" or --at "2026-12-25 21:00"',
            file=sys.stderr,
        )
        return EXIT_WRONG_USE
    return ask_node(
        context, {"ask": "why", "who": context.asked["who"], "at": at and at.strip().lower()}, output.why
    )


def devices(context: CommandContext) -> int:
    return ask_node(context, {"ask": "devices"}, output.devices)


def vouchers_issue(context: CommandContext) -> int:
    asked = context.asked
    question = {
        "ask": "vouchers-issue",
        "count": asked["count"] or "24",
        "group": asked["group"] or "day-pass",
        "lasts": asked["lasts"] or "1 day",
        "devices": asked["devices"] or "0",
        "note": asked["note"] or "",
    }
    if asked["print"] is None:
        return ask_node(context, question, output.vouchers_issued)
    from node.cli.printing import sheet, sheet_layout  # noqa: PLC0415

    layout = sheet_layout(
        per_page=asked["per_page"] or "", network=asked["wifi"] or "", lang=asked["language"] or ""
    )
    with new_file(asked["print"]) as page:
        answer = answer_to(context, question)
        # The codes are printed first, so that they are not lost if the page cannot be written.
        code = tell(context, answer, output.vouchers_issued)
        page.write(sheet(answer, layout))
    if not context.wants_json:
        context.out.write(f"{asked['print']} is ready: open it in a browser and print it on A4 paper.\n")
    return code


def vouchers_list(context: CommandContext) -> int:
    return ask_node(context, {"ask": "vouchers-list"}, output.batches)


def vouchers_revoke(context: CommandContext) -> int:
    question = {"ask": "vouchers-revoke", "which": context.asked["which"], "back": context.asked["back"]}
    return ask_node(context, question, output.revoked)


def members_passphrase(context: CommandContext) -> int:
    return ask_node(context, {"ask": "members-passphrase", "who": context.asked["who"]}, output.passphrase)


def members_card(context: CommandContext) -> int:
    question = {"ask": "members-card", "who": context.asked["who"]}
    if context.asked["print"] is None:
        return ask_node(context, question, output.card)
    from node.cli.printing import card_picture  # noqa: PLC0415

    with new_file(context.asked["print"]) as picture:
        answer = answer_to(context, question)
        picture.write(card_picture(answer))
    return tell(context, answer, output.card)


def members_void_cards(context: CommandContext) -> int:
    return ask_node(context, {"ask": "members-void-cards", "who": context.asked["who"]}, output.void_cards)


def admin_link(context: CommandContext) -> int:
    words = ("name", "groups", "lasts", "devices", "per_day")
    question = {
        "role": context.asked["role"] or "admin",
        **{word: context.asked[word] or "" for word in words},
    }
    return ask_node(context, {"ask": "admin-link", **question}, output.admin_link)


def watch(context: CommandContext) -> int:
    socket = read_config(context.config_path).node.console_socket
    for event in console.watch(socket):
        at = datetime.now(UTC).astimezone().strftime("%H:%M:%S")
        context.answer(event, [output.event({"at": at, **event}, context.terminal)])
    raise console.NoRunningNode("the node has stopped", "start it again with 'procomu run'")


def doctor(context: CommandContext) -> int:
    from node.doctor.diagnoses import diagnose, is_well  # noqa: PLC0415
    from node.doctor.facts import acknowledge_losses, gather  # noqa: PLC0415

    if context.asked["acknowledge"]:
        acknowledge_losses(context.config_path)
    diagnoses = diagnose(gather(context.config_path))
    well = is_well(diagnoses)
    as_json = {"ok": well, "diagnoses": [asdict(diagnosis) for diagnosis in diagnoses]}
    context.answer(as_json, output.diagnoses(diagnoses, context.terminal))
    return EXIT_YES if well else EXIT_NO


def cleanup(context: CommandContext) -> int:
    cleanup_kernel(context.config_path)
    context.answer({"ok": True}, ["Nothing of the node is left in the kernel."])
    return EXIT_YES


def cleanup_kernel(config_path: Path) -> None:
    """Kernel cleanup needs no settings. Without them the node's DNS and DHCP servers and its LAN addresses are looked
    for where they are by default."""
    from node.enforcement.kernel import LinuxKernel  # noqa: PLC0415
    from node.lan import managed_daemon  # noqa: PLC0415
    from node.lan.dnsmasq import remove_added_addresses  # noqa: PLC0415

    run_dir = Path(RUN_DIR_DEFAULT)
    with contextlib.suppress(InvalidFile):
        run_dir = Path(read_config(config_path).node.run_dir)
    for name in ("dns-fallback", "captive-dns", "dnsmasq", "setup-dnsmasq", "radvd"):
        managed_daemon.end(run_dir / f"{name}.pid", run_dir / f"{name}.conf")
    remove_added_addresses(run_dir)
    kernel = LinuxKernel()
    try:
        kernel.remove()
    finally:
        kernel.close()


COMMANDS: Mapping[str, Callable[[CommandContext], int]] = {
    "init": init,
    "run": run,
    "status": status,
    "why": why,
    "devices": devices,
    "vouchers issue": vouchers_issue,
    "vouchers list": vouchers_list,
    "vouchers revoke": vouchers_revoke,
    "members passphrase": members_passphrase,
    "members card": members_card,
    "members void-cards": members_void_cards,
    "admin link": admin_link,
    "watch": watch,
    "doctor": doctor,
    "cleanup": cleanup,
}
