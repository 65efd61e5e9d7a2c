"""The set-up after a power cut while it wrote the first files: what is answered then counts, and what people wrote stays."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from node.governance.parse import parse_ruleset
from node.setup import first_files, mode
from node.setup.answers import Answers
from node.setup.first_files import stored_code
from tests.contracts.test_setup_files import MachineFolders, PowerLoss
from tests.fakes.setup import ANSWERS

OTHER = replace(
    ANSWERS, community='Vall "Baixa"', down="", up="", ways=("card",), follows_line=False, admin_name="Pau"
)


@pytest.fixture
def machine(tmp_path: Path) -> MachineFolders:
    return MachineFolders(tmp_path)


async def write(machine: MachineFolders, answers: Answers) -> None:
    (machine.folder / "run").mkdir(exist_ok=True)
    setup = mode.SetupMode(machine.config, machine.folder / "run", machine.folder / "data")
    await asyncio.to_thread(setup.write_files, answers, "br-lan")


@pytest.mark.parametrize("step", range(1, 5))
async def test_after_a_power_cut_other_answers_count(
    machine: MachineFolders, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    written, put = iter(range(1, 7)), first_files.write_file

    def cut(path: Path, text: str, mode: int) -> None:
        put(path, text, mode)
        if next(written) == step:
            raise PowerLoss

    stored_code(machine.config.parent)
    with monkeypatch.context() as patched:
        patched.setattr(first_files, "write_file", cut)
        with pytest.raises(PowerLoss):
            await write(machine, ANSWERS)
    assert not machine.config.exists()
    await write(machine, OTHER)
    ruleset, findings = parse_ruleset(Path(machine.settings().rules.file).read_text())
    assert ruleset is not None, findings
    assert ('Vall "Baixa"', ("card",), None) == (ruleset.community, ruleset.joining.ways, ruleset.uplink)
    assert ["Pau"] == await machine.admins()


async def test_rules_that_people_wrote_stay(machine: MachineFolders) -> None:
    await write(machine, ANSWERS)
    rules = Path(machine.settings().rules.file)
    own = rules.read_text() + "\n# Agreed on Sunday.\n"
    rules.write_text(own)
    machine.config.unlink()
    await write(machine, OTHER)
    assert own == rules.read_text()
