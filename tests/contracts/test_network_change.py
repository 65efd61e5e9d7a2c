"""The change of the network on a real file system: made, confirmed, taken back, and cut off at every step."""

import contextlib
import errno
import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.errors import NodeError
from node.setup import network_change
from node.setup.drop_ins import Command, PlannedFile
from node.setup.network_change import JOURNAL, apply_with, confirm, is_unconfirmed, take_back_with
from node.setup.network_plan import NetworkPlan
from tests.examples import examples

STEPS_MAX = 40


class CutOff(BaseException):
    """Nothing of the program runs after it."""


class ChangedMachine:
    """Its files, the commands that ran, and what a command answers."""

    def __init__(self, folder: Path) -> None:
        self.etc, self.state = folder / "etc", folder / "state"
        self.etc.mkdir(parents=True)
        self.commands: list[str] = []
        self.wrong: dict[str, str] = {}
        self.before_each: Callable[[], None] = lambda: None

    def run(self, command: Command) -> str:
        self.before_each()
        words = " ".join(command.words)
        self.commands.append(words)
        return self.wrong.get(words, "")

    def files(self) -> dict[str, tuple[bytes, int]]:
        return {
            str(path.relative_to(self.etc)): (path.read_bytes(), path.stat().st_mode)
            for path in sorted(self.etc.rglob("*"))
            if path.is_file()
        }

    def folders(self) -> list[Path]:
        return sorted(path for path in self.etc.rglob("*") if path.is_dir())

    def plan(self, files: dict[str, str] | None = None) -> NetworkPlan:
        chosen = {"a.network": "new a", "sub/b": "new b"} if files is None else files
        return NetworkPlan(
            lan="br-of-a-test",
            sentences=(),
            files=tuple(PlannedFile(str(self.etc / name), text, 0o600) for name, text in chosen.items()),
            prepare=(Command(("prepare",)),),
            reload=(Command(("reload",)), Command(("optional",), is_needed=False)),
            undo=(Command(("undo",), is_needed=False),),
            restore=(Command(("restore",)),),
        )

    def apply(self, plan: NetworkPlan | None = None, lacks: str = "") -> None:
        apply_with(plan or self.plan(), self.state, self.run, lambda _: lacks)

    def take_back(self) -> bool:
        return take_back_with(self.state, self.run)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ChangedMachine:
    # The steps are counted all the same; a disk that is really synced a thousand times takes half a minute.
    monkeypatch.setattr(network_change.os, "fsync", lambda _: None)
    monkeypatch.setattr(network_change, "TRY_AGAIN_S", 0.0)
    monkeypatch.setattr(network_change, "WORKS_S_MAX", 0.0)
    made = ChangedMachine(tmp_path)
    (made.etc / "a.network").write_text("old a")
    (made.etc / "a.network").chmod(0o640)
    (made.etc / "other").write_text("of somebody else")
    return made


def test_a_change_is_made_and_confirmed(machine: ChangedMachine) -> None:
    machine.apply()
    assert ["prepare", "reload", "optional"] == machine.commands
    files = machine.files()
    assert (b"new a", 0o100640) == files["a.network"], "a file keeps its mode"
    assert (b"new b", 0o100600) == files["sub/b"]
    assert {"a.network", "sub/b", "other"} == set(files)
    assert is_unconfirmed(machine.state)
    confirm(machine.state)
    confirm(machine.state)
    assert not is_unconfirmed(machine.state)
    assert not machine.take_back()
    assert files == machine.files()


def test_a_change_is_taken_back_byte_for_byte(machine: ChangedMachine) -> None:
    before, folders = machine.files(), machine.folders()
    machine.apply()
    machine.commands.clear()
    assert machine.take_back()
    assert ["undo", "restore"] == machine.commands
    assert (before, folders) == (machine.files(), machine.folders())
    assert not is_unconfirmed(machine.state)


def test_a_second_change_waits_for_the_first_one(machine: ChangedMachine) -> None:
    machine.apply()
    files = machine.files()
    with pytest.raises(NodeError, match="unconfirmed"):
        machine.apply(machine.plan({"a.network": "newer"}))
    assert files == machine.files()


@pytest.mark.parametrize("command", ["prepare", "reload"])
def test_a_command_that_fails_ends_the_change(machine: ChangedMachine, command: str) -> None:
    before, folders = machine.files(), machine.folders()
    machine.wrong[command] = "no such connection"
    with pytest.raises(NodeError, match=f"{command}: no such connection"):
        machine.apply()
    assert (before, folders) == (machine.files(), machine.folders())
    assert "restore" == machine.commands[-1]
    assert not is_unconfirmed(machine.state)


def test_an_optional_command_may_fail(machine: ChangedMachine) -> None:
    machine.wrong["optional"] = "not this time"
    machine.apply()
    assert is_unconfirmed(machine.state)


def test_a_bridge_that_does_not_come_ends_the_change(machine: ChangedMachine) -> None:
    before = machine.files()
    with pytest.raises(NodeError, match="eth1 is missing") as raised:
        machine.apply(lacks="eth1 is missing")
    assert "the network is as before" == raised.value.fix
    assert before == machine.files()


def test_a_port_that_was_pulled_out_changes_nothing(machine: ChangedMachine) -> None:
    before = machine.files()
    with pytest.raises(NodeError, match="there is no interface eth-pulled any longer"):
        machine.apply(replace(machine.plan(), ports=("eth-pulled",)))
    assert (before, []) == (machine.files(), machine.commands)
    assert not machine.state.exists()


def test_a_command_on_the_way_back_is_tried_again(machine: ChangedMachine) -> None:
    """A network manager that has just been started does not answer yet."""
    machine.apply()
    machine.commands.clear()
    machine.wrong["restore"] = "not running yet"
    machine.before_each = lambda: machine.commands.count("restore") == 3 and machine.wrong.clear()
    assert machine.take_back()
    assert 4 == machine.commands.count("restore")


def test_a_command_that_never_works_does_not_prevent_the_way_back(machine: ChangedMachine) -> None:
    before = machine.files()
    machine.apply()
    machine.wrong["restore"] = "never"
    assert machine.take_back()
    assert before == machine.files()
    assert not is_unconfirmed(machine.state)


@pytest.mark.parametrize("step", range(STEPS_MAX))
def test_a_full_disk_at_any_step_changes_nothing(
    machine: ChangedMachine, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    before, folders = machine.files(), machine.folders()
    with monkeypatch.context() as patched:
        interrupted_at(
            patched, machine, step, OSError(errno.ENOSPC, "No space left on device"), only_writes=True
        )
        with contextlib.suppress(NodeError):
            machine.apply()
    if not is_unconfirmed(machine.state):
        assert (before, folders) == (machine.files(), machine.folders())


def test_a_full_disk_is_named(machine: ChangedMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    interrupted_at(monkeypatch, machine, 0, full, only_writes=True)
    with pytest.raises(NodeError, match="no space left on device") as raised:
        machine.apply()
    assert "free some space, and try again" == raised.value.fix


@pytest.mark.parametrize("step", range(STEPS_MAX))
def test_a_power_cut_at_any_step_is_taken_back(
    machine: ChangedMachine, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    before, folders = machine.files(), machine.folders()
    with monkeypatch.context() as patched:
        interrupted_at(patched, machine, step, CutOff())
        with contextlib.suppress(CutOff):
            machine.apply()
    machine.take_back()
    assert (before, folders) == (machine.files(), machine.folders())
    assert [] == list(machine.state.glob("*.json")) if machine.state.exists() else True


@pytest.mark.parametrize("step", range(STEPS_MAX))
def test_a_power_cut_on_the_way_back_is_no_harm(
    machine: ChangedMachine, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    before, folders = machine.files(), machine.folders()
    machine.apply()
    with monkeypatch.context() as patched:
        interrupted_at(patched, machine, step, CutOff())
        with contextlib.suppress(CutOff):
            machine.take_back()
    machine.take_back()
    assert (before, folders) == (machine.files(), machine.folders())
    assert not is_unconfirmed(machine.state)


def interrupted_at(
    patched: pytest.MonkeyPatch,
    machine: ChangedMachine,
    step: int,
    by: BaseException,
    *,
    only_writes: bool = False,
) -> None:
    """The step with this number, of those that change something on the disk or run a command, does not happen."""
    steps = iter(range(10_000))

    def count() -> None:
        if next(steps) == step:
            raise by

    def counted(original: Callable) -> Callable:
        def call(*args, **kwargs):
            count()
            return original(*args, **kwargs)

        return call

    os = network_change.os
    names = ("fsync", "open") if only_writes else ("fsync", "open", "fchmod", "fchown")
    for name in names:
        patched.setattr(os, name, counted(getattr(os, name)))
    if not only_writes:
        for name in ("replace", "unlink", "mkdir", "rmdir"):
            patched.setattr(Path, name, counted(getattr(Path, name)))
        patched.setattr(machine, "before_each", count)


def test_the_steps_are_all_tried(machine: ChangedMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests above have more steps than a change and its way back."""
    with monkeypatch.context() as patched:
        interrupted_at(patched, machine, STEPS_MAX, CutOff())
        machine.apply()
    with monkeypatch.context() as patched:
        interrupted_at(patched, machine, STEPS_MAX, CutOff())
        machine.take_back()


NAMES = st.sampled_from(["a", "b", "sub/a", "sub/deeper/a", "interfaces"])
TEXTS = st.text(max_size=40)
FILES = st.dictionaries(NAMES, TEXTS, max_size=5)


@settings(
    max_examples=examples(80), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(here=FILES, planned=FILES, step=st.integers(0, STEPS_MAX))
def test_any_files_come_back(
    tmp_path_factory: pytest.TempPathFactory, here: dict[str, str], planned: dict[str, str], step: int
) -> None:
    machine = ChangedMachine(tmp_path_factory.mktemp("machine"))
    for name, text in here.items():
        (machine.etc / name).parent.mkdir(parents=True, exist_ok=True)
        (machine.etc / name).write_bytes(text.encode())
    before, folders = machine.files(), machine.folders()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(network_change.os, "fsync", lambda _: None)
        interrupted_at(patched, machine, step, CutOff())
        with contextlib.suppress(CutOff):
            machine.apply(machine.plan(planned))
    machine.take_back()
    assert (before, folders) == (machine.files(), machine.folders())


def test_a_symbolic_link_stays_one(machine: ChangedMachine, tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.write_text("old")
    (machine.etc / "link").symlink_to(real)
    machine.apply(machine.plan({"link": "new"}))
    assert "new" == real.read_text()
    machine.take_back()
    assert "old" == real.read_text()
    assert (machine.etc / "link").is_symlink()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b'{"files": 3}'])
def test_a_journal_that_cannot_be_read_is_named(machine: ChangedMachine, content: bytes) -> None:
    machine.state.mkdir()
    (machine.state / JOURNAL).write_bytes(content)
    with pytest.raises(NodeError, match=JOURNAL):
        machine.take_back()
    assert [] == machine.commands


def test_the_journal_has_no_secret_that_others_can_read(machine: ChangedMachine) -> None:
    machine.apply()
    journal = machine.state / JOURNAL
    assert 0o100600 == journal.stat().st_mode
    assert {"bridge", "files", "folders", "undo", "restore"} == json.loads(journal.read_text()).keys()


def test_without_room_for_its_output_a_command_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    assert "no such file or directory" in network_change.run_command(Command(("true",)))


def test_commands_run_without_a_shell_and_say_what_is_wrong() -> None:
    assert "" == network_change.run_command(Command(("true",)))
    assert "failed with status 1" == network_change.run_command(Command(("false",)))
    assert "is not installed" in network_change.run_command(Command(("no-such-program",)))
    wrong = network_change.run_command(Command(("ls", "/no such folder; true")))
    assert "No such file" in wrong


def test_a_program_in_the_background_does_not_hold_the_command_up() -> None:
    assert "" == network_change.run_command(Command(("sh", "-c", "sleep 30 & echo $! >/dev/null")))
