"""The command line of the emulated board, and what its image is given."""

import tomllib
from pathlib import Path

import pytest

from tests.vm.board import (
    FIRMWARE,
    HOUSEHOLDS,
    LAN,
    MACHINES,
    WAN,
    Image,
    by_firmware,
    files,
    qemu,
)


def test_the_board_writes_on_its_own_disk_only(tmp_path: Path) -> None:
    argv = qemu("amd64", tmp_path / "disk.img", [])
    disks = [word for word in argv if word.startswith("file=")]
    assert [f"file={tmp_path}/disk.img,format=raw,if=none,id=disk,cache=writeback"] == disks
    assert "-nodefaults" in argv
    assert ["setpriv", "--pdeathsig", "KILL", "--"] == argv[:4]


def test_its_ports_are_in_the_slots_after_which_its_settings_name_them(tmp_path: Path) -> None:
    argv = qemu("arm64", tmp_path / "disk.img", [])
    cards = dict(
        word.removeprefix("virtio-net-pci,netdev=").split(",", 1)
        for word in argv
        if word.startswith("virtio-net-pci")
    )
    assert {"wan": WAN, "lan": LAN} == {
        name: f"enp0s{int(card.rpartition('addr=')[2], 16)}" for name, card in cards.items()
    }


@pytest.mark.parametrize("arch", MACHINES)
def test_the_firmware_has_variables_of_its_own(
    arch: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, variables = tmp_path / "code", tmp_path / "variables"
    variables.write_bytes(b"as shipped")
    monkeypatch.setitem(FIRMWARE, arch, (code, variables))
    own = tmp_path / "own"
    own.mkdir()
    words = by_firmware(arch, own)
    assert f"if=pflash,format=raw,unit=0,readonly=on,file={code}" in words
    assert f"if=pflash,format=raw,unit=1,file={own}/variables.fd" in words
    assert b"as shipped" == (own / "variables.fd").read_bytes()


def test_the_image_s_kernel_is_that_of_its_description() -> None:
    text = "Procomú 0.1.0 (0.1.0 (0123abcd))\nDebian 13 for amd64, Linux 6.12.118+deb13-amd64\n"
    assert "6.12.118+deb13-amd64" == Image(Path("a.img"), Path("a.linux"), text).linux


def test_the_image_is_given_settings_that_can_be_read_and_keys_that_only_root_can(tmp_path: Path) -> None:
    made = files(tmp_path)
    node = tomllib.loads((made / "etc/procomu/node.toml").read_text())
    assert (WAN, "br-lan") == (node["uplink"]["interface"], node["lan"]["interface"])
    members = tomllib.loads((made / "etc/procomu/members.toml").read_text())
    assert list(HOUSEHOLDS) == [account["id"] for account in members["account"]]
    for key in ("etc/procomu/community.key", "var/lib/procomu/node.key"):
        assert 0o600 == (made / key).stat().st_mode & 0o777
