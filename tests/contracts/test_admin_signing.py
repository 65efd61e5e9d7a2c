"""What admins sign on the pages: each signature needs the passphrase, and nothing readable of the key stays in the node."""

import asyncio
import html
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mesh.community_record import CommunityAdmin, CommunityRecord, record_fields, sorted_admins
from mesh.community_state import MemberView
from mesh.invite import read_invite_text
from mesh.membership import NODE_ROLE, Membership, membership_fields
from mesh.page_format import Malformed
from mesh.recovery_key import read_recovery_text
from mesh.signed_statement import make_statement
from node.accounts.login_throttle import PASSPHRASE_THROTTLE
from node.app import admin_access
from node.app.admin_keys import ADMIN_KEYS, from_text
from node.app.admin_signing import INVITE_NOTES
from node.app.community import FOLLOW_CHARS_MIN
from node.app.locked_key import unlock_key
from node.errors import StorageTrouble
from node.identity import human_form, key_from_raw, own_node_id
from node.units import NodeId
from tests.contracts.admin_browser import AdminBrowser, admin_browser, field_in
from tests.fakes.admin_pages import waiting_links
from tests.fakes.community_statements import begun
from tests.fakes.neighbours import id_of, key_of
from tests.fakes.statement_store import FakeStatementStore
from tests.fakes.use_cases import KEY, make_passphrases_cheap

PASSPHRASE, LATER = "four plain old words", "five quite different new words"


@pytest.fixture
async def browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AdminBrowser]:
    """Ana is signed in and has a passphrase; two other nodes are in the settings."""
    make_passphrases_cheap(monkeypatch)
    async with admin_browser(tmp_path, is_populated=False) as opened:
        opened.app.node.community._listed = frozenset({own_node_id(KEY), id_of("hills"), id_of("library")})
        await become(opened, "Ana")
        yield opened


async def become(browser: AdminBrowser, name: str) -> None:
    """Another admin signs in by a link and chooses a passphrase."""
    await browser.app.node.archive.save_state(admin_access.SIGN_IN, waiting_links(browser.app.node))
    await browser.app.admin.access.recall()
    browser.session.cookie_jar.clear()
    await browser.sign_in()
    response, page = await browser.send("/passphrase", name=name, passphrase=PASSPHRASE)
    assert 303 == response.status, page


async def signs(browser: AdminBrowser, path: str, **fields: str) -> tuple[int, str]:
    response, page = await browser.send(path, **{"passphrase": PASSPHRASE, **fields})
    return response.status, page


async def ticket(browser: AdminBrowser, path: str) -> str:
    return field_in((await browser.get(path))[1], "ticket")


async def found(browser: AdminBrowser) -> str:
    """The page with the recovery key of a new record."""
    status, page = await signs(browser, "/nodes/record", ticket=await ticket(browser, "/nodes/record"))
    assert 200 == status, page
    return page


def member(browser: AdminBrowser, name: str) -> MemberView:
    view = browser.app.admin.community.member(id_of(name))
    assert view is not None
    return view


def admins(browser: AdminBrowser) -> frozenset[NodeId]:
    state = browser.app.node.community.state
    assert state is not None
    assert state.head is not None
    return state.head.admin_keys


async def own_key(browser: AdminBrowser, name: str = "ana") -> NodeId:
    kept = from_text(await browser.app.node.archive.state(ADMIN_KEYS))
    assert kept is not None
    return kept[name].current.key


# --- the record ---


async def test_the_record_begins_with_the_nodes_of_the_settings_and_a_key_on_paper(
    browser: AdminBrowser,
) -> None:
    page = await found(browser)
    typed = re.search(r'<p class="code" dir="ltr">([^<]+)</p>', page)
    assert typed is not None
    paper = own_node_id(key_from_raw(read_recovery_text(typed[1])))
    state = browser.app.node.community.state
    assert state is not None
    assert state.head is not None
    assert (("Ana",), (paper,)) == (tuple(each.label for each in state.head.admins), state.head.recovery)
    assert {own_node_id(KEY), id_of("hills"), id_of("library")} == state.nodes()
    assert {await own_key(browser)} == admins(browser)


async def test_a_form_sent_twice_makes_one_record_and_shows_the_same_key(browser: AdminBrowser) -> None:
    once = await ticket(browser, "/nodes/record")
    pages = [await signs(browser, "/nodes/record", ticket=once) for _ in range(2)]
    codes = [re.findall(r'<p class="code" dir="ltr">([^<]+)</p>', page) for _, page in pages]
    assert codes[0] == codes[1] != []
    assert 422 == (await signs(browser, "/nodes/record", ticket=await ticket(browser, "/nodes/record")))[0]


async def test_no_second_record_beside_one_that_neighbours_follow(browser: AdminBrowser) -> None:
    theirs = begun("hills")
    browser.app.node.community.offered = lambda: frozenset({theirs.community})  # type: ignore[method-assign]
    status, page = await signs(browser, "/nodes/record", ticket=await ticket(browser, "/nodes/record"))
    assert 422 == status
    assert "follow a community record already" in page
    assert browser.app.node.community.state is None
    page = (await browser.get("/nodes"))[1]
    assert theirs.community[:FOLLOW_CHARS_MIN] in page
    for wrong in ("", theirs.community[: FOLLOW_CHARS_MIN - 1], "0" * FOLLOW_CHARS_MIN):
        response, _ = await browser.send("/nodes/follow", community=wrong)
        assert 404 == response.status
    response, _ = await browser.send("/nodes/follow", community=field_in(page, "community"))
    assert 303 == response.status
    state = browser.app.node.community.state
    assert state is not None
    assert theirs.community == state.id


async def test_of_two_records_that_are_followed_at_once_the_first_one_stays(browser: AdminBrowser) -> None:
    community, ids = browser.app.node.community, ("a" * 64, "b" * 64)
    community.offered = lambda: frozenset(ids)  # type: ignore[method-assign]
    real = community.follow

    async def slow(followed: str) -> None:
        await asyncio.sleep(0.01)
        await real(followed)

    community.follow = slow  # type: ignore[method-assign, assignment]
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(browser.app.admin.signing.follow(each)) for each in ids]
    assert [True, False] == [each.result() is None for each in asked]
    assert community.state is not None
    assert ids[0] == community.state.id


# --- the passphrase ---


async def test_nothing_is_signed_with_a_wrong_passphrase_and_it_counts_as_a_wrong_sign_in(
    browser: AdminBrowser,
) -> None:
    await found(browser)
    wrong = {"id": id_of("hills"), "do": "removed", "passphrase": "four wrong old words"}
    answers = [await signs(browser, "/nodes/node", **wrong) for _ in range(PASSPHRASE_THROTTLE.mistakes + 1)]
    assert {422} == {status for status, _ in answers}
    assert "This is not your passphrase.</p>" in answers[0][1]
    assert "Too many wrong attempts" in answers[-1][1]
    status, page = await signs(browser, "/nodes/node", id=id_of("hills"), do="removed")
    assert (422, True) == (status, "Too many wrong attempts" in page)  # also the right one waits
    assert "active" == member(browser, "hills").state
    await browser.send("/sign-out")
    response, _ = await browser.post("/sign-in", {"name": "Ana", "passphrase": PASSPHRASE})
    assert 429 == response.status


@pytest.mark.parametrize(
    "path", ["/nodes/node", "/nodes/invite", "/nodes/invite/close", "/nodes/key/replace"]
)
async def test_without_a_passphrase_nothing_is_signed(browser: AdminBrowser, path: str) -> None:
    await found(browser)
    state = browser.app.node.community.state
    assert state is not None
    before = state.digest()
    fields = {"id": id_of("hills"), "do": "removed", "uses": "1", "key": id_of("hills"), "passphrase": ""}
    response, _ = await browser.send(path, **fields)
    assert response.status in {404, 422}
    assert before == state.digest()


async def test_an_admin_by_link_alone_signs_nothing(browser: AdminBrowser) -> None:
    await found(browser)
    await browser.app.node.archive.save_state(admin_access.SIGN_IN, waiting_links(browser.app.node))
    await browser.app.admin.recall()
    browser.session.cookie_jar.clear()
    await browser.sign_in()
    assert "choose one first" in (await browser.get("/nodes/invite"))[1]
    status, page = await signs(browser, "/nodes/node", id=id_of("hills"), do="removed")
    assert 422 == status
    assert "choose one first" in page
    assert "active" == member(browser, "hills").state


async def test_what_is_stored_opens_with_the_passphrase_only(browser: AdminBrowser) -> None:
    """The secret part is nowhere, in none of its usual forms."""
    page = await found(browser)
    stored = await browser.app.node.archive.state(ADMIN_KEYS)
    kept = from_text(stored)
    assert kept is not None
    key = unlock_key(kept["ana"].current, PASSPHRASE)
    assert key is not None
    secret, everything = key.private_bytes_raw(), repr(browser.app.node.repository.facts) + page
    for form in (secret.hex(), repr(secret)[2:-1], b64encode(secret).decode(), PASSPHRASE):
        assert form not in everything
    assert unlock_key(kept["ana"].current, "four wrong old words") is None


async def test_after_another_passphrase_the_key_opens_with_that_one(browser: AdminBrowser) -> None:
    await found(browser)
    response, _ = await browser.send("/passphrase", passphrase=LATER, current=PASSPHRASE)
    assert 303 == response.status
    status, _ = await signs(browser, "/nodes/node", id=id_of("hills"), do="suspended", passphrase=LATER)
    assert (200, "suspended") == (status, member(browser, "hills").state)


async def test_after_a_forgotten_passphrase_the_one_of_before_is_asked_for_once(
    browser: AdminBrowser,
) -> None:
    """Such a passphrase is chosen behind a link, and nothing can open the key meanwhile."""
    await found(browser)
    access = browser.app.admin.access
    signed = access.accounts()[0].signed
    token, _ = await access.new_token(signed)
    browser.session.cookie_jar.clear()
    await browser.sign_in(token)
    response, _ = await browser.send("/passphrase", passphrase=LATER)
    assert 303 == response.status
    wish = {"id": id_of("hills"), "do": "suspended", "passphrase": LATER}
    status, page = await signs(browser, "/nodes/node", **wish)
    assert (422, True) == (status, 'name="earlier"' in page)
    status, page = await signs(browser, "/nodes/node", **wish, earlier="four wrong old words")
    assert (422, True) == (status, "does not open your key" in page)
    assert "active" == member(browser, "hills").state
    assert 200 == (await signs(browser, "/nodes/node", **wish, earlier=PASSPHRASE))[0]
    assert 200 == (await signs(browser, "/nodes/node", id=id_of("hills"), do="active", passphrase=LATER))[0]
    assert "active" == member(browser, "hills").state


async def test_passphrases_of_before_cannot_be_guessed_behind_new_signings_in(browser: AdminBrowser) -> None:
    """The present one is right each time, and each signing in makes another browser of it."""
    await found(browser)
    token, _ = await browser.app.admin.access.new_token(browser.app.admin.access.accounts()[0].signed)
    browser.session.cookie_jar.clear()
    await browser.sign_in(token)
    assert 303 == (await browser.send("/passphrase", passphrase=LATER))[0].status
    for number in range(PASSPHRASE_THROTTLE.mistakes):
        browser.session.cookie_jar.clear()
        assert 303 == (await browser.post("/sign-in", {"name": "Ana", "passphrase": LATER}))[0].status
        wish = {"id": id_of("hills"), "do": "suspended", "passphrase": LATER}
        assert 422 == (await signs(browser, "/nodes/node", **wish, earlier=f"four wrong words {number}"))[0]
    status, page = await signs(browser, "/nodes/node", **wish, earlier=PASSPHRASE)
    assert (422, "active") == (status, member(browser, "hills").state)
    assert "Too many wrong attempts" in page


# --- nodes and invites ---


async def test_a_node_is_suspended_removed_and_taken_back(browser: AdminBrowser) -> None:
    await found(browser)
    for state in ("suspended", "removed", "active"):
        page = (await browser.get(f"/nodes/node?id={id_of('hills')}&do={state}"))[1]
        assert "within seconds" in page
        status, page = await signs(browser, "/nodes/node", id=id_of("hills"), do=state)
        assert (200, state) == (status, member(browser, "hills").state)
        assert 'role="status"' in page


@pytest.mark.parametrize(
    ("node", "do"), [("x", "removed"), ("", "removed"), ("hills", "promoted"), ("hills", "")]
)
async def test_an_unknown_node_or_state_is_refused(browser: AdminBrowser, node: str, do: str) -> None:
    await found(browser)
    wish = {"id": id_of(node) if node == "hills" else node, "do": do}
    assert 404 == (await browser.get(f"/nodes/node?id={wish['id']}&do={do}"))[0].status
    assert 404 == (await signs(browser, "/nodes/node", **wish))[0]


async def test_an_invite_is_shown_once_and_can_be_closed(
    browser: AdminBrowser, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    await found(browser)
    once = await ticket(browser, "/nodes/invite")
    status, page = await signs(browser, "/nodes/invite", uses="3", ticket=once)
    assert 200 == status
    text = re.search(r"procomu-invite-1-[A-Za-z0-9_-]+", page)
    assert text is not None
    assert "<svg" in page
    invited = read_invite_text(text[0])
    assert not isinstance(invited, Malformed)
    assert (3, "fd00::7") == (invited.invite.uses, invited.addresses[0].host)
    assert text[0] in (await signs(browser, "/nodes/invite", uses="3", ticket=once))[1]
    (view,) = browser.app.admin.community.overview().invites
    assert invited.invite.key == view.invite.key
    stored = repr(browser.app.node.repository.facts) + (await browser.get("/nodes"))[1] + caplog.text
    assert "procomu-invite-1-" not in stored
    assert human_form(view.invite.key) in caplog.text
    question = (await browser.get(f"/nodes/invite/close?key={view.invite.key}"))[1]
    assert "stay" in question
    assert 200 == (await signs(browser, "/nodes/invite/close", key=view.invite.key))[0]
    (view,) = browser.app.admin.community.overview().invites
    assert "closed" == view.invite.state
    assert 404 == (await signs(browser, "/nodes/invite/close", key="x"))[0]


@pytest.mark.parametrize(
    "fields",
    [{"uses": "0"}, {"uses": "65"}, {"uses": "x"}, {"address": "hills"}, {"address": "10.0.0.1:99999"}],
)
async def test_a_wrong_order_of_an_invite_is_refused_beside_its_field(
    browser: AdminBrowser, fields: dict[str, str]
) -> None:
    await found(browser)
    once = await ticket(browser, "/nodes/invite")
    status, page = await signs(browser, "/nodes/invite", **{"uses": "1", "ticket": once, **fields})
    assert 422 == status
    assert f'id="{next(iter(fields))}-error"' in page
    assert () == browser.app.admin.community.overview().invites
    assert PASSPHRASE not in page


async def test_without_an_address_an_invite_asks_for_one(browser: AdminBrowser) -> None:
    await found(browser)
    browser.app.node.mesh_addresses = ()
    once = await ticket(browser, "/nodes/invite")
    status, page = await signs(browser, "/nodes/invite", uses="1", ticket=once)
    assert (422, True) == (status, 'id="address-error"' in page)
    status, page = await signs(browser, "/nodes/invite", uses="1", ticket=once, address="10.0.0.1")
    assert 200 == status
    text = re.search(r"procomu-invite-1-[A-Za-z0-9_-]+", page)
    assert text is not None
    invited = read_invite_text(text[0])
    assert not isinstance(invited, Malformed)
    assert ["10.0.0.1:7400"] == [str(each) for each in invited.addresses]


async def test_a_full_disk_is_said_and_no_key_is_named_that_is_not_stored(browser: AdminBrowser) -> None:
    archive = browser.app.node.archive
    real = archive.save_state

    async def full(name: str, value: str) -> None:
        if name == ADMIN_KEYS:
            raise StorageTrouble("the disk is full", "delete something")
        await real(name, value)

    archive.save_state = full  # type: ignore[method-assign]
    status, page = await signs(browser, "/nodes/record", ticket=await ticket(browser, "/nodes/record"))
    assert (503, True) == (status, "disk is full" in html.unescape(page).lower())
    assert browser.app.node.community.state is None


# --- keys ---


async def test_a_second_admin_makes_a_key_and_the_first_one_adds_it(browser: AdminBrowser) -> None:
    await found(browser)
    await become(browser, "Pau")
    assert 303 == (await signs(browser, "/nodes/key"))[0]
    assert 422 == (await signs(browser, "/nodes/key"))[0]
    events = browser.app.node.repository.registry.events.values()
    assert ["admin Pau"] == [each.by for each in events if each.kind == "key-made"], (
        "once, not for the refused one"
    )
    pau = await own_key(browser, "pau")
    assert f"procomu community admins --add {pau}" in (await browser.get("/nodes/key"))[1]
    status, page = await signs(browser, "/nodes/node", id=id_of("hills"), do="removed")
    assert (422, "active") == (status, member(browser, "hills").state)
    assert "Only an admin of the community" in page
    browser.session.cookie_jar.clear()
    response, _ = await browser.post("/sign-in", {"name": "Ana", "passphrase": PASSPHRASE})
    assert 303 == response.status
    for wrong in ("x", pau[:-1], id_of("hills") + "a"):
        assert 422 == (await signs(browser, "/nodes/admin", admin=wrong, label="Pau"))[0]
    assert 200 == (await signs(browser, "/nodes/admin", admin=pau, label="Pau"))[0]
    assert {pau, await own_key(browser)} == admins(browser)


async def test_a_key_is_replaced_and_no_node_leaves(browser: AdminBrowser) -> None:
    await found(browser)
    old, state = await own_key(browser), browser.app.node.community.state
    assert state is not None
    nodes = state.nodes()
    assert 200 == (await signs(browser, "/nodes/key/replace"))[0]
    new = await own_key(browser)
    assert (True, {new}, nodes) == (new != old, admins(browser), state.nodes())
    assert 200 == (await signs(browser, "/nodes/node", id=id_of("hills"), do="suspended"))[0]


@pytest.mark.parametrize("told", range(6))
async def test_a_replacement_that_was_interrupted_is_completed(browser: AdminBrowser, told: int) -> None:
    """After each of its statements."""
    await found(browser)
    community, real = browser.app.node.community, browser.app.node.community.take_in
    nodes = community.state.nodes() if community.state is not None else frozenset()

    async def interrupted(statements: list) -> str:
        await real(list(statements)[:told])
        raise StorageTrouble("the power is gone", "start again")

    community.take_in = interrupted  # type: ignore[assignment]
    assert 503 == (await signs(browser, "/nodes/key/replace"))[0]
    community.take_in = real  # type: ignore[method-assign]
    assert 200 == (await signs(browser, "/nodes/key/replace"))[0]
    assert {await own_key(browser)} == admins(browser)
    assert community.state is not None
    assert nodes == community.state.nodes()


async def test_where_a_change_needs_more_votes_one_admin_still_suspends_a_node(browser: AdminBrowser) -> None:
    """And is told how several sign a change of the admins."""
    await become(browser, "Rosa")
    assert 303 == (await signs(browser, "/nodes/key"))[0]
    rosa = CommunityAdmin(await own_key(browser, "rosa"), 1, "Rosa")
    pau = CommunityAdmin(id_of("pau"), 2, "Pau")
    record = CommunityRecord("Vall", 1, sorted_admins([rosa, pau]), 2, (), "")
    first = make_statement("community", record_fields(record), [key_of("pau")])
    statements = [first]
    said = Membership(first.hash, id_of("hills"), "hills", NODE_ROLE, "active", 1)
    statements.append(make_statement("membership", membership_fields(said), [key_of("pau")]))
    community = browser.app.node.community
    await community.follow(first.hash, statements)
    assert community.state is not None
    assert community.state.head is not None
    before = community.state.head_hash
    for path, fields in (
        ("/nodes/admin", {"admin": id_of("nuria"), "label": "Núria"}),
        ("/nodes/key/replace", {}),
    ):
        status, page = await signs(browser, path, **fields)
        assert (422, True) == (status, "--save" in page), path
    assert before == community.state.head_hash
    assert 200 == (await signs(browser, "/nodes/node", id=id_of("hills"), do="suspended"))[0]
    assert "suspended" == member(browser, "hills").state


async def test_a_new_recovery_key_takes_the_place_of_the_one_before(browser: AdminBrowser) -> None:
    await found(browser)
    state = browser.app.node.community.state
    assert state is not None
    assert state.head is not None
    before = state.head.recovery
    once = await ticket(browser, "/nodes/recovery")
    pages = [await signs(browser, "/nodes/recovery", ticket=once) for _ in range(2)]
    codes = {re.findall(r'<p class="code" dir="ltr">([^<]+)</p>', page)[0] for _, page in pages}
    assert 1 == len(codes)
    paper = own_node_id(key_from_raw(read_recovery_text(codes.pop())))
    assert (2, (paper,)) == (state.head.version, state.head.recovery)
    assert before != (paper,)
    assert 422 == (await signs(browser, "/nodes/recovery", ticket="x"))[0]


async def test_a_new_secret_is_named_in_the_next_version(browser: AdminBrowser) -> None:
    await found(browser)
    state = browser.app.node.community.state
    assert state is not None
    assert 422 == (await signs(browser, "/nodes/secret", passphrase="four wrong old words"))[0]
    assert 200 == (await signs(browser, "/nodes/secret"))[0]
    assert state.head is not None
    assert state.head.secret


async def test_an_admin_is_removed_by_another_one_and_no_node_leaves(browser: AdminBrowser) -> None:
    await found(browser)
    ana, state = await own_key(browser), browser.app.node.community.state
    assert state is not None
    nodes = state.nodes()
    status, _ = await signs(browser, "/nodes/admin/remove", key=ana)
    assert (422, {ana}) == (status, admins(browser))  # the own one
    assert 404 == (await signs(browser, "/nodes/admin/remove", key=id_of("hills")))[0]
    await become(browser, "Pau")
    assert 303 == (await signs(browser, "/nodes/key"))[0]
    pau = await own_key(browser, "pau")
    await browser.send("/sign-out")
    await browser.post("/sign-in", {"name": "Ana", "passphrase": PASSPHRASE})
    assert 200 == (await signs(browser, "/nodes/admin", admin=pau, label="Pau"))[0]
    await browser.send("/sign-out")
    await browser.post("/sign-in", {"name": "Pau", "passphrase": PASSPHRASE})
    assert "Remove the admin" in (await browser.get(f"/nodes/admin/remove?key={ana}"))[1]
    assert 200 == (await signs(browser, "/nodes/admin/remove", key=ana))[0]
    assert ({pau}, nodes) == (admins(browser), state.nodes())


async def test_a_key_whose_passphrase_is_forgotten_is_replaced_by_one_that_an_admin_must_add(
    browser: AdminBrowser,
) -> None:
    await found(browser)
    old = await own_key(browser)
    assert 422 == (await signs(browser, "/nodes/key/lost"))[0]  # it can be opened
    assert old == await own_key(browser)
    token, _ = await browser.app.admin.access.new_token(browser.app.admin.access.accounts()[0].signed)
    browser.session.cookie_jar.clear()
    await browser.sign_in(token)
    assert 303 == (await browser.send("/passphrase", passphrase=LATER))[0].status
    assert 303 == (await signs(browser, "/nodes/key/lost", passphrase=LATER))[0]
    new = await own_key(browser)
    assert new != old
    assert {old} == admins(browser)
    assert f"procomu community admins --add {new}" in (await browser.get("/nodes/key"))[1]


async def test_a_note_about_an_invite_is_shown_in_the_list_as_text(browser: AdminBrowser) -> None:
    await found(browser)
    once = await ticket(browser, "/nodes/invite")
    long = {"uses": "1", "ticket": once, "note": "x" * 61}
    assert 422 == (await signs(browser, "/nodes/invite", **long))[0]
    assert 422 == (await signs(browser, "/nodes/invite", **{**long, "note": "mast\u202eloohcs"}))[0]
    assert 200 == (await signs(browser, "/nodes/invite", **{**long, "note": "<b>mast</b> of the school"}))[0]
    page = (await browser.get("/nodes"))[1]
    assert "&lt;b&gt;mast&lt;/b&gt; of the school" in page
    assert "<b>mast" not in page
    await browser.app.node.archive.save_state(INVITE_NOTES, "[damaged")
    assert 200 == (await browser.get("/nodes"))[0].status


async def test_a_record_that_could_not_be_stored_is_made_by_the_same_form_later(
    browser: AdminBrowser,
) -> None:
    """And with the same key, which is stored already."""
    store = browser.app.node.community._store
    assert isinstance(store, FakeStatementStore)
    once, store.is_full = await ticket(browser, "/nodes/record"), True
    assert 503 == (await signs(browser, "/nodes/record", ticket=once))[0]
    assert browser.app.node.community.state is None
    key, store.is_full = await own_key(browser), False
    assert 200 == (await signs(browser, "/nodes/record", ticket=once))[0]
    assert {key} == admins(browser)


async def test_a_recovery_key_that_is_in_force_before_it_is_stored_is_shown_by_the_same_form_later(
    browser: AdminBrowser,
) -> None:
    await found(browser)
    store, state = browser.app.node.community._store, browser.app.node.community.state
    assert isinstance(store, FakeStatementStore)
    once, store.is_full = await ticket(browser, "/nodes/recovery"), True
    for _ in range(2):
        assert 503 == (await signs(browser, "/nodes/recovery", ticket=once))[0]
    store.is_full = False
    status, page = await signs(browser, "/nodes/recovery", ticket=once)
    shown = re.search(r'<p class="code" dir="ltr">([^<]+)</p>', page)
    assert shown is not None, (status, page)
    assert state is not None
    assert state.head is not None
    paper = own_node_id(key_from_raw(read_recovery_text(shown[1])))
    assert (2, (paper,)) == (state.head.version, state.head.recovery)


async def test_what_is_not_stored_is_not_said_to_be_signed(browser: AdminBrowser) -> None:
    await found(browser)
    store = browser.app.node.community._store
    assert isinstance(store, FakeStatementStore)
    store.is_full = True
    for _ in range(2):
        assert 503 == (await signs(browser, "/nodes/node", id=id_of("hills"), do="removed"))[0]
    store.is_full = False
    assert 200 == (await signs(browser, "/nodes/node", id=id_of("hills"), do="removed"))[0]


async def test_a_form_from_before_a_restart_is_not_said_to_have_made_something(browser: AdminBrowser) -> None:
    await found(browser)
    status, page = await signs(browser, "/nodes/recovery", ticket="x")
    assert (422, True, False) == (status, "nothing was issued" in page, "sent before" in page)


HOSTILE = (
    "",
    "\x00",
    "\ud800",
    "\u202e\u2066",
    "<script>",
    "9" * 500,
    "{name}",
)


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_fields_are_refused_by_every_form_and_change_nothing(
    browser: AdminBrowser, value: str
) -> None:
    await found(browser)
    state = browser.app.node.community.state
    assert state is not None
    before, key = state.digest(), await own_key(browser)
    names = ("id", "do", "key", "uses", "address", "note", "ticket", "admin", "label", "community", "earlier")
    fields = {name: value.encode("utf-8", "replace").decode() for name in names}
    for route in browser.routes:
        if not route.path.startswith("/nodes"):
            continue
        if route.method == "GET":
            response, page = await browser.ask("GET", route.path, params=fields)
        elif route.path in {"/nodes/key/replace", "/nodes/secret"}:  # without fields but the passphrase
            status, page = await signs(browser, route.path, **{**fields, "passphrase": fields["note"]})
            assert status == 422, route.path
            continue
        else:
            response, page = await browser.send(route.path, **fields, passphrase=PASSPHRASE)
            assert response.status in {404, 422}, (route.path, page)
        assert response.status in {200, 404, 422}, (route.path, page)
        assert "<script>" not in page
    assert (before, key) == (state.digest(), await own_key(browser))
