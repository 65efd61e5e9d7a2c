"""Changes the machine's network by a plan, and takes the change back, also after a power cut at any moment.

Before anything is changed, a journal on the disk has what was there, and the commands of the way back. A change is
unconfirmed until `confirm` deletes the journal: `service.py` takes it back after `TRIAL_MS`, and `mode.py` at each start.
"""

import base64
import contextlib
import json
import logging
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from node.errors import NodeError
from node.lan.managed_daemon import installed
from node.setup.drop_ins import Command, PlannedFile
from node.setup.network_layout import missing
from node.setup.network_plan import NetworkPlan
from node.synced_files import sync_folder, write_synced
from node.translator import gettext_lazy

log = logging.getLogger(__name__)

JOURNAL = "network-change.json"
_JOURNAL_KEYS = {"bridge", "files", "folders", "undo", "restore"}
COMMAND_S_MAX = 90
"""ifup waits a minute for a DHCP server."""
WORKS_S_MAX = 30
"""Within this time the bridge has its ports, and the radio sends."""
TRIES, TRY_AGAIN_S = 10, 1.0
"""Of commands on the way back: at the start of the machine a network manager may not answer yet."""
_INTERFACES = Path("/sys/class/net")
_UNFINISHED = ".procomu-unfinished"
_SEE_LOG = "see the log of the network manager"
_OUTPUT_BYTES_MAX = 500
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

Run = Callable[[Command], str]
"""Runs a command, and returns what is wrong; an empty text for success."""


def apply(plan: NetworkPlan, state_folder: Path) -> None:
    """Changes the network, and returns when the bridge has its ports and the radio sends. Raises NodeError, with
    everything as before, where that fails, and while an earlier change is unconfirmed."""
    apply_with(plan, state_folder, run_command, lacking)


def apply_with(plan: NetworkPlan, state_folder: Path, run: Run, lacks: Callable[[NetworkPlan], str]) -> None:
    if is_unconfirmed(state_folder):
        raise NodeError(
            gettext_lazy("the change before this one is unconfirmed"),
            gettext_lazy("confirm it, or take it back"),
        )
    for name in plan.ports:
        if not (_INTERFACES / name).exists():
            raise NodeError(*missing(name))
    try:
        _write_journal(plan, state_folder)
    except OSError as error:
        _forget_journal(state_folder)
        raise NodeError(*_unwritable(state_folder, error)) from error
    try:
        _change(plan, run)
        _wait_until_it_works(plan, lacks)
    except (NodeError, OSError) as error:
        take_back_with(state_folder, run)
        what = error.message if isinstance(error, NodeError) else _reason(error)
        raise NodeError(what, gettext_lazy("the network is as before")) from error


def _change(plan: NetworkPlan, run: Run) -> None:
    # All files are written before the first one counts, so that a full disk changes nothing.
    for each in plan.files:
        _stage(each)
    _run_all(plan.prepare, run)
    for each in plan.files:
        path = _target(each.path)
        _unfinished(path).replace(path)
    _sync_folders(_target(each.path) for each in plan.files)
    _run_all(plan.reload, run)


def _run_all(commands: Iterable[Command], run: Run) -> None:
    for command in commands:
        wrong = run(command)
        if wrong and command.is_needed:
            raise NodeError(f"{' '.join(command.words)}: {wrong}", _SEE_LOG)
        if wrong:
            log.info("%s: %s", " ".join(command.words), wrong)


def _wait_until_it_works(plan: NetworkPlan, lacks: Callable[[NetworkPlan], str]) -> None:
    ends = time.monotonic() + WORKS_S_MAX
    while wrong := lacks(plan):
        if time.monotonic() >= ends:
            raise NodeError(wrong, _SEE_LOG)
        time.sleep(0.2)


def lacking(plan: NetworkPlan) -> str:
    """What is not as planned yet; empty when everything is."""
    if not (_INTERFACES / plan.lan).exists():
        return missing(plan.lan)[0]
    for name in plan.ports:
        if (_INTERFACES / name / "master").resolve().name != plan.lan:
            return gettext_lazy("{name} did not become a port of {lan}", name=name, lan=plan.lan)
    if plan.radio and _text(_INTERFACES / plan.radio / "operstate") != "up":
        return gettext_lazy("the radio {name} does not send", name=plan.radio)
    return ""


def confirm(state_folder: Path) -> None:
    """The change stays. Raises NodeError when the disk cannot be written."""
    try:
        (state_folder / JOURNAL).unlink(missing_ok=True)
        _sync_folders([state_folder / JOURNAL])
    except OSError as error:
        raise NodeError(*_unwritable(state_folder, error)) from error


def is_unconfirmed(state_folder: Path) -> bool:
    return (state_folder / JOURNAL).exists()


def take_back(state_folder: Path) -> bool:
    """Everything as before the unconfirmed change; False if there is none. Raises NodeError where a file cannot be put
    back; the journal is left for the next try."""
    return take_back_with(state_folder, run_command)


def take_back_with(state_folder: Path, run: Run) -> bool:
    journal = _read_journal(state_folder)
    if journal is None:
        return False
    for command in _commands(journal["undo"]):
        if wrong := run(command):
            log.info("%s: %s", " ".join(command.words), wrong)
    try:
        for before in journal["files"]:
            _put_back(before)
        for folder in reversed(journal["folders"]):
            if Path(folder).is_dir() and not any(Path(folder).iterdir()):
                Path(folder).rmdir()
        _sync_folders(Path(before["path"]) for before in journal["files"])
    except OSError as error:
        raise NodeError(
            gettext_lazy("the network's files cannot be put back: {english}", english=_reason(error)),
            gettext_lazy("free some space; it is tried again"),
        ) from error
    for command in _commands(journal["restore"]):
        _run_patiently(command, run)
    _delete_bridge(journal["bridge"], run)
    confirm(state_folder)
    return True


def _run_patiently(command: Command, run: Run) -> None:
    for tries_left in reversed(range(TRIES if command.is_needed else 1)):
        wrong = run(command)
        if not wrong:
            return
        if tries_left:
            time.sleep(TRY_AGAIN_S)
    # The files are as before, so the next start of the machine does what the command did not.
    log.log(logging.ERROR if command.is_needed else logging.INFO, "%s: %s", " ".join(command.words), wrong)


def _delete_bridge(name: str, run: Run) -> None:
    """A network manager that was just starting may have made it again."""
    if name and (_INTERFACES / name / "bridge").exists():
        _run_patiently(Command(("ip", "link", "delete", "dev", name)), run)


# --- Files ---------------------------------------------------------------------------------------


def _write_journal(plan: NetworkPlan, state_folder: Path) -> None:
    paths = [_target(each.path) for each in plan.files]
    folders = {folder: None for path in paths for folder in reversed(path.parents) if not folder.exists()}
    journal = {
        "bridge": plan.lan if not (_INTERFACES / plan.lan).exists() else "",
        "files": [_as_it_is(path) for path in paths],
        "folders": list(map(str, folders)),
        "undo": [[list(command.words), command.is_needed] for command in plan.undo],
        "restore": [[list(command.words), command.is_needed] for command in plan.restore],
    }
    state_folder.mkdir(parents=True, exist_ok=True)
    path = state_folder / JOURNAL
    write_synced(_unfinished(path), json.dumps(journal).encode(), 0o600)
    _unfinished(path).replace(path)
    _sync_folders([path])


def _forget_journal(state_folder: Path) -> None:
    """Of a change that has not begun."""
    with contextlib.suppress(OSError):
        (state_folder / JOURNAL).unlink(missing_ok=True)
        _unfinished(state_folder / JOURNAL).unlink(missing_ok=True)


def _read_journal(state_folder: Path) -> Mapping[str, Any] | None:
    path = state_folder / JOURNAL
    try:
        journal = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _unreadable(path, str(error)) from error
    if not isinstance(journal, dict) or journal.keys() != _JOURNAL_KEYS:
        raise _unreadable(path, "it is no journal of the set-up")
    return journal


def _unreadable(path: Path, reason: str) -> NodeError:
    return NodeError(
        f"{path} cannot be read: {reason}", "look at the network's settings yourself, and delete the file"
    )


def _commands(written: list[Any]) -> Iterator[Command]:
    for words, is_needed in written:
        yield Command(tuple(words), is_needed)


def _as_it_is(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {"path": str(path), "content": None}
    status = path.stat()
    content = base64.b64encode(path.read_bytes()).decode()
    owner = [status.st_uid, status.st_gid]
    return {"path": str(path), "content": content, "mode": status.st_mode & 0o7777, "owner": owner}


def _stage(planned: PlannedFile) -> None:
    path = _target(planned.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        before = path.stat()
        owner = before.st_uid, before.st_gid
        write_synced(_unfinished(path), planned.text.encode(), before.st_mode & 0o7777, owner)
    else:
        write_synced(_unfinished(path), planned.text.encode(), planned.mode)


def _put_back(before: Mapping[str, Any]) -> None:
    path = Path(before["path"])
    if before["content"] is None:
        path.unlink(missing_ok=True)
    elif _as_it_is(path) != before:
        user, group = before["owner"]
        write_synced(_unfinished(path), base64.b64decode(before["content"]), before["mode"], (user, group))
        _unfinished(path).replace(path)
    _unfinished(path).unlink(missing_ok=True)


def _unfinished(path: Path) -> Path:
    """Its name begins with a dot: network managers do not read it."""
    return path.with_name(f".{path.name}{_UNFINISHED}")


def _target(path: str) -> Path:
    """The file itself where a person made a symbolic link."""
    return Path(path).resolve()


def _sync_folders(paths: Iterable[Path]) -> None:
    for folder in {path.parent for path in paths}:
        if folder.is_dir():
            sync_folder(folder)


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _unwritable(folder: Path, error: OSError) -> tuple[str, str]:
    return (
        gettext_lazy("{folder} cannot be written: {english}", folder=str(folder), english=_reason(error)),
        gettext_lazy("free some space, and try again"),
    )


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def run_command(command: Command) -> str:
    program = installed(command.words[0])
    if program is None:
        return f"{command.words[0]} is not installed"
    try:
        # Not a pipe: a DHCP client that goes to the background may hold it open.
        with tempfile.TemporaryFile() as output:
            # No shell is involved, and names of interfaces were checked.
            done = subprocess.run(  # noqa: S603
                [program, *command.words[1:]],
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=COMMAND_S_MAX,
                env={**os.environ, "LC_ALL": "C", "PATH": _PATH},
            )
            output.seek(0)
            text = output.read(_OUTPUT_BYTES_MAX).decode(errors="replace").strip()
    except subprocess.TimeoutExpired:
        return f"no answer within {COMMAND_S_MAX} seconds"
    except OSError as error:  # no room for its output, or no memory for another process
        return _reason(error)
    return (text or f"failed with status {done.returncode}") if done.returncode else ""
