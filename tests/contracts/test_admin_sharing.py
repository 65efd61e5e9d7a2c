"""The pages on which admins share the rules and the members with all nodes, or take those of the community."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mesh.community_record import CommunityAdmin, CommunityRecord, record_fields, sorted_admins
from mesh.file_version import Decision, FileName, text_hash
from mesh.signed_statement import make_statement
from node.app.adoption_views import AdoptionOutcome
from node.app.locked_key import unlock_key
from node.identity import own_node_id
from tests.contracts.admin_browser import AdminBrowser, admin_browser, field_in
from tests.contracts.test_admin_signing import become, found, signs
from tests.fakes.admin_pages import ISSUER_LINK, MEMBERS, RULES
from tests.fakes.file_versions import signed, version_of
from tests.fakes.neighbours import id_of, key_of
from tests.fakes.use_cases import KEY, make_passphrases_cheap

FASTER = RULES.replace("3 Mbit/s", "4 Mbit/s")
SLOWER = RULES.replace("3 Mbit/s", "2 Mbit/s")


@pytest.fixture
async def browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AdminBrowser]:
    """Ana is signed in and has a passphrase; the settings list another node."""
    make_passphrases_cheap(monkeypatch)
    async with admin_browser(tmp_path, is_populated=False) as opened:
        opened.app.node.community._listed = frozenset({own_node_id(KEY), id_of("hills")})
        opened.app.node.community._nodes = opened.app.node.community._listed
        await become(opened, "Ana")
        yield opened


async def page(browser: AdminBrowser, path: str) -> str:
    response, text = await browser.get(path)
    assert 200 == response.status, path
    return text


async def share(browser: AdminBrowser, file: FileName, query: str = "", **fields: str) -> tuple[int, str]:
    form = await page(browser, f"/{file}/share{query}")
    hidden = {"hash": field_in(form, "hash")}
    if "version=" in query:
        hidden["version"] = field_in(form, "version")
    return await signs(browser, f"/{file}/share", **hidden, **fields)


async def confirmed(browser: AdminBrowser, text: str) -> AdoptionOutcome:
    return await browser.app.adoption.adopt(text, "admin Ana", is_trial=False)


def kind(browser: AdminBrowser, file: FileName = "rules") -> str:
    return browser.app.shared_files.standing(file).kind


async def from_elsewhere(browser: AdminBrowser, text: str, admin: str = "pau") -> str:
    """A version that the other side of a split signed after the first one."""
    community = browser.app.node.community
    assert community.state is not None
    first = community.state.file("rules").held
    version = version_of(community.state.id, "rules", text, decision=Decision("Pau <b>", "<i>why</i>"))
    assert not first or version.number == 1
    made = signed(version, admin)
    assert "" == await community.take_in([made])
    return made.hash


async def two_admins(browser: AdminBrowser, threshold: int) -> None:
    """Ana, with the key that she made, and Pau."""
    assert 303 == (await signs(browser, "/nodes/key"))[0]
    ana = (await browser.app.admin.signing.own_key(browser.app.admin.access.accounts()[0].signed)).key
    admins = sorted_admins(
        CommunityAdmin(key, 1, label) for key, label in ((ana, "Ana"), (id_of("pau"), "Pau"))
    )
    record = CommunityRecord("Vall", 1, admins, threshold, (), "")
    # As if both had signed: the votes of one are enough for the version that a test begins with.
    one = CommunityRecord("Vall", 1, (CommunityAdmin(id_of("pau"), 1, "Pau"),), 1, (), "")
    first = make_statement("community", record_fields(one), [key_of("pau")])
    both = {**record_fields(record), "version": 2, "previous": first.hash, "threshold": 1}
    second = make_statement("community", both, [key_of("pau")])
    await browser.app.node.community.follow(first.hash, (first, second))
    if threshold > 1:
        third = {**both, "version": 3, "previous": second.hash, "threshold": threshold}
        ours = browser.app.node.community.state
        assert ours is not None
        keys = await browser.app.admin.signing._keys.of("Ana")
        assert keys is not None
        key = unlock_key(keys.current, "four plain old words")
        assert key is not None
        made = make_statement("community", third, [key_of("pau"), key])
        assert "" == await browser.app.node.community.take_in([made])


async def test_a_node_that_is_alone_says_nothing_and_one_with_others_says_what_comes_first(
    browser: AdminBrowser,
) -> None:
    assert "On all nodes" in await page(browser, "/rules")
    for file in ("rules", "members"):
        text = await page(browser, f"/{file}/shared")
        assert "Share with all nodes" not in text
        assert 'href="/nodes"' in text
        assert "follows no community record" in text
    browser.app.node.community._nodes = frozenset({own_node_id(KEY)})
    for path in ("/rules", "/members"):
        assert "On all nodes" not in await page(browser, path)


@pytest.mark.parametrize("file", ["rules", "members"])
async def test_the_first_sharing_is_one_button_and_a_passphrase(
    browser: AdminBrowser, file: FileName
) -> None:
    await found(browser)
    assert f'href="/{file}/share"' in await page(browser, f"/{file}")
    status, text = await share(browser, file, reason="decided in May")
    assert 303 == status, text
    assert "same" == kind(browser, file)
    text = await page(browser, f"/{file}/shared?shared")
    assert "the other nodes take it within seconds" in text
    assert "Decided by \u2068Ana\u2069 on 24 November 2026" in text
    assert "decided in May" in text
    assert "This node has what the community signed." in await page(browser, f"/{file}")
    assert 303 == (await share(browser, file))[0]
    assert browser.app.node.community.state is not None
    assert 1 == len(browser.app.node.community.state.file_names())


async def test_nothing_is_signed_without_the_right_passphrase_or_for_a_text_that_is_gone(
    browser: AdminBrowser,
) -> None:
    await found(browser)
    assert 422 == (await share(browser, "rules", passphrase="four wrong old words"))[0]
    form = await page(browser, "/rules/share")
    await confirmed(browser, FASTER)
    status, text = await signs(browser, "/rules/share", hash=field_in(form, "hash"))
    assert (404, True) == (status, "replaced meanwhile" in text)
    assert 422 == (await share(browser, "rules", reason="turned \u202e around"))[0]
    assert 422 == (await share(browser, "rules", reason="x" * 201))[0]
    for query in ("?use=unknown", "?version=99", "?version=2", f"?use={'0' * 32}"):
        assert 404 == (await browser.get(f"/members/share{query}"))[0].status
    state = browser.app.node.community.state
    assert state is not None
    assert not state.file_names()


async def test_rules_changed_here_are_not_shared_until_an_admin_signs_and_the_others_can_be_taken(
    browser: AdminBrowser,
) -> None:
    await found(browser)
    await share(browser, "rules")
    await confirmed(browser, FASTER)
    await browser.app.shared_files.look()
    assert "differs" == kind(browser)
    assert "Differs from what the community signed: share it, or take theirs." in await page(
        browser, "/rules"
    )
    shared = await page(browser, "/rules/shared")
    assert "3 Mbit/s" in shared
    assert "4 Mbit/s" in shared
    response, _ = await browser.send("/rules/take", version="unknown")
    assert 409 == response.status
    response, _ = await browser.send("/rules/take", version=field_in(shared, "version"))
    assert 303 == response.status
    assert (RULES, "same") == (browser.app.loop.active_ruleset.text, kind(browser))
    assert "this node has what the community signed" in await page(browser, "/rules/shared?taken")


async def test_of_two_versions_of_a_split_one_is_chosen_and_both_are_compared(browser: AdminBrowser) -> None:
    await two_admins(browser, 1)
    await from_elsewhere(browser, SLOWER)
    await from_elsewhere(browser, RULES)
    assert "split" == kind(browser)
    text = await page(browser, "/rules/shared")
    assert 2 == text.count("Use this one</a>")
    assert "<b>" not in text
    assert "<i>why" not in text
    assert "Pau &lt;b&gt;" in text
    assert "on this node" in text
    assert "choose one" in await page(browser, "/rules")
    status, text = await share(browser, "rules", f"?use={text_hash(SLOWER)}")
    assert 303 == status, text
    assert (SLOWER, "same") == (browser.app.loop.active_ruleset.text, kind(browser))
    newest = browser.app.adoption.versions()[0]
    assert ("active", "Ana") == (newest.state, newest.by)


async def test_rules_that_need_two_votes_wait_for_the_other_admin(browser: AdminBrowser) -> None:
    await two_admins(browser, 2)
    status, text = await share(browser, "rules")
    assert 303 == status, text
    assert "not shared" == kind(browser)
    assert "needs one more vote" in await page(browser, "/rules/shared?waits")
    assert 303 == (await share(browser, "members"))[0]
    assert "same" == kind(browser, "members")
    await from_elsewhere(browser, FASTER)
    assert "Sign it too" in await page(browser, "/rules/shared")
    assert 303 == (await share(browser, "rules", f"?use={text_hash(FASTER)}"))[0]
    assert text_hash(FASTER) == browser.app.shared_files.standing("rules").view.heads[0].version.hash


async def test_an_earlier_version_is_shared_from_the_history_and_one_that_nobody_decided_is_not(
    browser: AdminBrowser,
) -> None:
    await found(browser)
    await confirmed(browser, FASTER)
    await share(browser, "rules")
    await browser.app.adoption.draft(SLOWER, "admin Ana")
    history = await page(browser, "/rules/history")
    assert 1 == history.count("/rules/share?version=")
    assert 303 == (await share(browser, "rules", "?version=1"))[0]
    assert (RULES, "same") == (browser.app.loop.active_ruleset.text, kind(browser))
    draft = next(each.number for each in browser.app.adoption.versions() if each.is_draft)
    assert 404 == (await browser.get(f"/rules/share?version={draft}"))[0].status


async def test_a_version_that_does_not_pass_the_checks_is_shown_with_its_finding(
    browser: AdminBrowser,
) -> None:
    await two_admins(browser, 1)
    await share(browser, "rules")
    state = browser.app.node.community.state
    assert state is not None
    held = state.file("rules").heads[0].version
    wrong = version_of(state.id, "rules", "[ruleset]\nversion = <b>\n", held)
    await browser.app.node.community.take_in([signed(wrong, "pau")])
    await browser.app.shared_files.look()
    text = await page(browser, "/rules/shared")
    assert "is not in force on this node" in text
    assert "<b>" not in text
    assert RULES == browser.app.loop.active_ruleset.text


async def test_issuers_see_none_of_it(browser: AdminBrowser) -> None:
    browser.session.cookie_jar.clear()
    await browser.sign_in(ISSUER_LINK)
    for path in ("/rules/shared", "/members/shared", "/rules/share", "/members/share"):
        assert 403 == (await browser.get(path))[0].status


async def test_members_shared_elsewhere_replace_those_here(browser: AdminBrowser) -> None:
    await two_admins(browser, 1)
    await share(browser, "members")
    state = browser.app.node.community.state
    assert state is not None
    held = state.file("members").heads[0].version
    more = version_of(state.id, "members", MEMBERS + '[[account]]\nid = "dora"\n', held)
    await browser.app.node.community.take_in([signed(more, "pau")])
    await browser.app.shared_files.look()
    assert "dora" in {unit.account for unit in browser.app.loop.member_directory.units}
    assert "dora" in await page(browser, "/members")


async def test_a_file_that_is_too_large_is_refused_with_what_to_do(browser: AdminBrowser) -> None:
    await found(browser)
    noise = "".join(f"# {text_hash(str(number))}\n" for number in range(2_000))
    browser.app.files.members.write_text(MEMBERS + noise)
    await browser.app.files.look(browser.app.loop, browser.app.adoption.record, "an edit of the file")
    status, text = await share(browser, "members")
    assert (422, True) == (status, "too large to share" in text)
    assert "not shared" == kind(browser, "members")


async def test_rules_on_trial_are_not_shared_and_the_form_says_so(browser: AdminBrowser) -> None:
    await found(browser)
    await browser.app.adoption.adopt(FASTER, "admin Ana")
    assert "confirm them first" in await page(browser, "/rules/share")
    assert 303 == (await share(browser, "rules"))[0]
    state = browser.app.node.community.state
    assert state is not None
    assert [text_hash(RULES)] == [each.version.hash for each in state.file("rules").heads]


async def test_a_form_that_is_sent_twice_or_by_two_admins_at_once_signs_one_version(
    browser: AdminBrowser,
) -> None:
    await found(browser)
    hidden = {"hash": field_in(await page(browser, "/rules/share"), "hash")}
    async with asyncio.TaskGroup() as group:
        both = [group.create_task(signs(browser, "/rules/share", **hidden)) for _ in range(2)]
    assert [303, 303] == [each.result()[0] for each in both]
    state = browser.app.node.community.state
    assert state is not None
    assert 1 == len(state.file_names())
