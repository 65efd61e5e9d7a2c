"""What the set-up writes: whole or not at all whenever the power is cut, and a first admin who can sign in."""

import asyncio
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from node.accounts.appearance import Appearance
from node.app.admin_access import ACCOUNTS
from node.app.admin_accounts import from_text
from node.backup.offline import FileChanges
from node.config import NodeConfig, parse_config
from node.errors import NodeError
from node.governance.parse import parse_ruleset
from node.keyring import open_keyring
from node.setup import first_files, mode
from node.setup.answers import Answers
from node.setup.first_files import CODE_FILE, FirstFiles, create_first_files, known_code, stored_code
from node.storage.database import Store
from node.storage.repository import StoredArchive, StoredRepository
from node.web.certificate_files import admin_certificate_file
from tests.fakes.setup import ANSWERS, PASSPHRASE


class PowerLoss(BaseException):
    """Nothing catches it, as nothing runs after a power cut."""


@dataclass
class MachineFolders:
    """A machine's folders."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "etc" / "node.toml"

    def write(self, answers: Answers = ANSWERS) -> str:
        """What the set-up does when the new network was confirmed."""
        (self.folder / "run").mkdir(exist_ok=True)
        setup = mode.SetupMode(self.config, self.folder / "run", self.folder / "data")
        return setup.write_files(answers, "br-lan")

    def settings(self) -> NodeConfig:
        config, findings = parse_config(self.config.read_text())
        assert config is not None, findings
        return config

    @contextmanager
    def database(self) -> Iterator[Store]:
        config = self.settings()
        keys = open_keyring(Path(config.community.key_file), Path(config.node.key_file))
        store = Store(
            Path(config.node.data_dir) / "procomu.db",
            keys=Path(config.node.key_file).parent,
            key=keys.key_for("database journal"),
        )
        try:
            yield store
        finally:
            store.close()

    async def admins(self) -> list[str]:
        with self.database() as store:
            state = from_text(await StoredArchive(store).state(ACCOUNTS))
        return [each.signed.name for each in state.accounts if each.signed.role == "admin"]


@pytest.fixture
def machine(tmp_path: Path) -> MachineFolders:
    return MachineFolders(tmp_path)


def test_the_answers_are_in_the_files(machine: MachineFolders) -> None:
    machine.write()
    config = machine.settings()
    assert ("library", "Vall Alta", "ca") == (config.node.name, config.community.name, config.portal.language)
    assert ("br-lan", "eth0", True) == (config.lan.interface, config.uplink.interface, config.admin.lan)
    ruleset, findings = parse_ruleset(Path(config.rules.file).read_text())
    assert ruleset is not None, findings
    assert ("terms", "voucher") == ruleset.joining.ways
    assert ruleset.uplink is not None
    assert ruleset.measured is not None
    assert PASSPHRASE not in "".join(
        path.read_text(errors="replace") for path in machine.folder.rglob("*") if path.is_file()
    )


def test_the_fingerprint_is_that_of_the_node_and_stays(machine: MachineFolders) -> None:
    fingerprint = machine.write()
    file = admin_certificate_file(machine.settings())
    file.look()
    assert "" != fingerprint == file.fingerprint


async def test_the_first_admin_is_stored(machine: MachineFolders) -> None:
    await asyncio.to_thread(machine.write)
    assert ["Maria"] == await machine.admins()


@pytest.mark.parametrize(
    ("radio", "stored"), [("wlan0", (Appearance(wifi_name="Vall Oberta", by="admin Maria"),)), ("", ())]
)
async def test_the_name_of_its_own_wifi_is_stored_for_sheets_and_cards(
    machine: MachineFolders, radio: str, stored: tuple[Appearance, ...]
) -> None:
    await asyncio.to_thread(machine.write, replace(ANSWERS, radio=radio, wifi_name="Vall Oberta"))
    with machine.database() as store:
        assert stored == (await StoredRepository(store).recall()).registry.appearance


@pytest.mark.parametrize("step", range(1, 7))
@pytest.mark.parametrize("is_written", [False, True], ids=["before", "after"])
async def test_after_a_power_cut_a_node_has_no_settings_or_is_complete(
    machine: MachineFolders, monkeypatch: pytest.MonkeyPatch, step: int, is_written: bool
) -> None:
    stored_code(machine.config.parent)
    left, write = [step], first_files.write_file

    def cut(path: Path, text: str, mode: int) -> None:
        left[0] -= 1
        if left[0] == 0 and not is_written:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_name(f".{path.name}.new").write_text(text[: len(text) // 2])
            raise PowerLoss
        write(path, text, mode)
        if left[0] == 0:
            raise PowerLoss

    with monkeypatch.context() as patched:
        patched.setattr(first_files, "write_file", cut)
        try:
            await asyncio.to_thread(machine.write)
        except PowerLoss:
            if machine.config.exists():
                assert ["Maria"] == await machine.admins()
                return
    await asyncio.to_thread(machine.write)
    assert ["Maria"] == await machine.admins()
    assert [] == [path for path in machine.config.parent.iterdir() if path.name.endswith(".new")]
    assert known_code(machine.config.parent) is None


def test_modes_are_what_they_must_be_whatever_the_umask_is(machine: MachineFolders) -> None:
    before = os.umask(0o077)
    try:
        machine.write()
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in machine.config.parent.iterdir()}
    assert {"node.toml": 0o644, "rules.toml": 0o644, "members.toml": 0o640, "community.key": 0o600} == modes


def test_the_code_stays_the_same_until_the_node_is_set_up(tmp_path: Path) -> None:
    code = stored_code(tmp_path)
    assert code == stored_code(tmp_path) == known_code(tmp_path)
    assert 0o600 == stat.S_IMODE((tmp_path / CODE_FILE).stat().st_mode)
    (tmp_path / CODE_FILE).write_text("damaged")
    assert known_code(tmp_path) is None
    assert code != stored_code(tmp_path)


def test_half_a_speed_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    settings = {
        "node.name": "a",
        "community.name": "b",
        "lan.interface": "br-lan",
        "uplink.interface": "eth0",
    }
    with pytest.raises(NodeError, match="two speeds"):
        create_first_files(FirstFiles(tmp_path / "node.toml", settings, down="40 Mbit/s"))
    assert [] == list(tmp_path.iterdir())


def test_an_interrupted_reset_is_finished_before_anything_is_asked(machine: MachineFolders) -> None:
    machine.write()
    left = machine.config.with_name("rules.toml")
    FileChanges("reset", (left,)).commit(machine.config)
    assert 0 == mode.main(machine.config, machine.folder / "run", machine.folder / "data")
    assert not left.exists()
