"""The set-up with an invite: a member lets the node in, and what is written makes it a node of that community."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from mesh.community_service import CommunityService
from mesh.invite import invite_text
from node.app.file_standing import NEWCOMER, STATE
from node.config import parse_config
from node.errors import NodeError
from node.identity import key_from_pem, own_node_id
from node.keyring import open_keyring
from node.secret_file import SECRETS_FILE, SecretFile
from node.setup import mode
from node.setup.answers import Answers
from node.storage.database import Store
from node.storage.repository import StoredArchive, StoredStatements
from tests.contracts.test_mesh_lobby import SECRET, invited, member
from tests.contracts.test_setup import opened
from tests.contracts.test_setup_files import ANSWERS
from tests.fakes.neighbours import id_of
from tests.fakes.secret_store import FakeSecretStore
from tests.fakes.setup import CODE, SetupFixture
from tests.lab.setup_client import shown


def mode_in(folder: Path) -> mode.SetupMode:
    (folder / "run").mkdir(exist_ok=True)
    return mode.SetupMode(folder / "etc" / "node.toml", folder / "run", folder / "data")


async def test_a_node_that_was_invited_has_the_secret_the_record_and_a_neighbour(tmp_path: Path) -> None:
    async with member() as square:
        setup = mode_in(tmp_path)
        answers = replace(ANSWERS, invite=invited(square))
        await setup.join(answers)
        await setup.join(answers)  # as when the form is sent again
        await asyncio.to_thread(setup.write_files, answers, "br-lan")
        port = square.mesh.listening_port
    config, findings = parse_config((tmp_path / "etc" / "node.toml").read_text())
    assert config is not None, findings
    assert SECRET.hex() == Path(config.community.key_file).read_text().strip()
    (peer,) = config.mesh.peers
    assert ("::1", port, id_of("square")) == (peer.address, peer.port, peer.node)
    own = own_node_id(key_from_pem(Path(config.node.key_file).read_bytes()))
    store = Store(
        Path(config.node.data_dir) / "procomu.db",
        keys=Path(config.node.key_file).parent,
        key=open_keyring(Path(config.community.key_file), Path(config.node.key_file)).key_for(
            "database journal"
        ),
    )
    try:
        service = CommunityService(
            own=own, listed=(), store=StoredStatements(store), secret=SECRET, secret_store=FakeSecretStore()
        )
        assert {own, id_of("square")} == service.roster()
        assert NEWCOMER == await StoredArchive(store).state(STATE)
    finally:
        store.close()


async def test_a_node_that_joins_its_own_community_again_keeps_the_secrets_that_only_it_has(
    tmp_path: Path,
) -> None:
    async with member() as square:
        setup = mode_in(tmp_path)
        answers = replace(ANSWERS, invite=invited(square))
        secrets = SecretFile(tmp_path / "data" / SECRETS_FILE)
        (tmp_path / "data").mkdir()
        secrets.write([bytes(range(32))])
        await setup.join(answers)
        await asyncio.to_thread(setup.write_files, answers, "br-lan")
    assert [bytes(range(32))] == secrets.load()


async def test_when_nobody_lets_it_in_nothing_is_written_and_the_page_says_why(tmp_path: Path) -> None:
    async with member() as square:
        invite = invited(square)
    setup = mode_in(tmp_path)
    with pytest.raises(NodeError, match="No node of that community lets this one in: no member answers"):
        await setup.join(replace(ANSWERS, invite=invite))
    assert not (tmp_path / "etc" / "community.key").exists()


async def test_the_link_of_an_invite_is_in_the_form_after_the_code_and_a_damaged_one_is_refused() -> None:
    async with opened() as browser:
        _, page = await browser.get("/?invite=procomu-invite-1-AbC")
        assert "procomu-invite-1-AbC" == shown(page)["invite"]
        response, _ = await browser.post("/claim", {"code": CODE, "invite": "procomu-invite-1-AbC"})
        assert "/?invite=procomu-invite-1-AbC" == response.headers["Location"]
        _, page = await browser.get(response.headers["Location"])
        assert "procomu-invite-1-AbC" == shown(page)["invite"]
        response, page = await browser.answer(invite="procomu-invite-1-AbC")
        assert (422, True) == (response.status, "This is not a whole invite" in page)


async def test_an_invite_is_used_before_the_plan_is_shown_and_its_trouble_is_shown() -> None:
    asked: list[Answers] = []

    async def refuse(answers: Answers) -> None:
        asked.append(answers)
        raise NodeError("No node of that community lets this one in", "ask an admin")

    fixture = SetupFixture()
    fixture.service._join = refuse
    async with member() as square:
        invite = invited(square)
    async with opened(fixture) as browser:
        await browser.claim()
        word = invite_text(invite.seed, invite.statement, invite.invite, invite.addresses)
        response, page = await browser.answer(invite=word)
        assert (422, True) == (response.status, "lets this one in" in page)
        assert [invite] == [each.invite for each in asked]
        assert "asking" == fixture.service.phase
