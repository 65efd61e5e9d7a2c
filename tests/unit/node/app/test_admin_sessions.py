"""A link signs in once; a session expires; the stored records reveal no token."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.app import admin_sessions
from node.app.admin_sessions import (
    ADMIN,
    LINK_LIFE,
    LINKS_MAX,
    MARK_CHARS,
    SESSION_LIFE,
    SESSIONS_MAX,
    Signed,
    SignIn,
)
from node.app.issuer_grants import Grant
from node.units import Monotonic

LINK, OTHER_LINK = "link-" + "a" * 20, "link-" + "b" * 20
COOKIE, OTHER_COOKIE = "cookie-" + "a" * 20, "cookie-" + "b" * 20
NOW = Monotonic(1_000_000)


def signed_in() -> SignIn:
    state = admin_sessions.redeem(admin_sessions.offer(SignIn(), LINK, NOW), LINK, COOKIE, NOW)
    assert state is not None
    return state


def test_a_link_makes_an_admin():
    assert ADMIN == admin_sessions.who(signed_in(), COOKIE, NOW)
    assert admin_sessions.who(signed_in(), OTHER_COOKIE, NOW) is None
    assert admin_sessions.who(signed_in(), LINK, NOW) is None


def test_a_link_works_once():
    assert admin_sessions.redeem(signed_in(), LINK, OTHER_COOKIE, NOW) is None


def test_a_link_works_for_ten_minutes():
    offered = admin_sessions.offer(SignIn(), LINK, NOW)
    assert admin_sessions.redeem(offered, LINK, COOKIE, Monotonic(NOW + LINK_LIFE - 1)) is not None
    assert admin_sessions.redeem(offered, LINK, COOKIE, Monotonic(NOW + LINK_LIFE)) is None


def test_an_unknown_link_changes_nothing():
    assert admin_sessions.redeem(admin_sessions.offer(SignIn(), LINK, NOW), OTHER_LINK, COOKIE, NOW) is None
    assert admin_sessions.redeem(SignIn(), "", COOKIE, NOW) is None


def test_a_session_expires_by_itself():
    assert ADMIN == admin_sessions.who(signed_in(), COOKIE, Monotonic(NOW + SESSION_LIFE - 1))
    assert admin_sessions.who(signed_in(), COOKIE, Monotonic(NOW + SESSION_LIFE)) is None


def test_signing_out_ends_only_that_session():
    state = admin_sessions.redeem(
        admin_sessions.offer(signed_in(), OTHER_LINK, NOW), OTHER_LINK, OTHER_COOKIE, NOW
    )
    assert state is not None
    state = admin_sessions.sign_out(state, COOKIE)
    assert admin_sessions.who(state, COOKIE, NOW) is None
    assert ADMIN == admin_sessions.who(state, OTHER_COOKIE, NOW)
    assert state == admin_sessions.sign_out(state, COOKIE)


def test_over_the_limit_the_oldest_link_is_dropped():
    state = admin_sessions.offer(SignIn(), LINK, NOW)
    for number in range(LINKS_MAX):
        state = admin_sessions.offer(state, f"another-link-{number:020}", NOW)
    assert LINKS_MAX == len(state.links)
    assert admin_sessions.redeem(state, LINK, COOKIE, NOW) is None


def test_over_the_limit_the_oldest_session_is_dropped():
    state = signed_in()
    for number in range(SESSIONS_MAX):
        link = f"another-link-{number:020}"
        after = admin_sessions.redeem(
            admin_sessions.offer(state, link, NOW), link, f"another-cookie-{number:020}", NOW
        )
        assert after is not None
        state = after
    assert SESSIONS_MAX == len(state.sessions)
    assert admin_sessions.who(state, COOKIE, NOW) is None


def test_a_restart_signs_nobody_out():
    assert signed_in() == admin_sessions.from_text(admin_sessions.to_text(signed_in(), "boot-1"), "boot-1")


def test_after_a_reboot_nobody_is_signed_in():
    assert SignIn() == admin_sessions.from_text(admin_sessions.to_text(signed_in(), "boot-1"), "boot-2")


def test_no_token_is_ever_stored():
    stored = admin_sessions.to_text(admin_sessions.offer(signed_in(), OTHER_LINK, NOW), "boot-1")
    assert not [token for token in (LINK, OTHER_LINK, COOKIE) if token in stored]


@given(
    st.text()
    | st.builds(json.dumps, st.dictionaries(st.sampled_from(["boot", "links", "sessions"]), st.integers()))
)
def test_a_damaged_record_signs_nobody_in(text):
    assert SignIn() == admin_sessions.from_text(text, "boot-1")


@given(
    st.lists(
        st.lists(st.none() | st.integers() | st.text(max_size=70) | st.just("f" * 64), max_size=3), max_size=3
    )
)
def test_a_modified_record_raises_nothing(passes):
    state = admin_sessions.from_text(json.dumps({"boot": "b", "links": passes, "sessions": passes}), "b")
    assert admin_sessions.who(state, COOKIE, NOW) is None


def test_a_form_token_is_valid_for_its_own_session():
    csrf_token = admin_sessions.csrf_token_for(COOKIE)
    assert admin_sessions.is_csrf_token(COOKIE, csrf_token)
    assert not admin_sessions.is_csrf_token(OTHER_COOKIE, csrf_token)
    assert not admin_sessions.is_csrf_token(COOKIE, "")
    assert not admin_sessions.is_csrf_token(COOKIE, "é" * 64)
    assert COOKIE not in csrf_token


def test_an_issuers_link_makes_an_issuer_also_after_a_restart():
    library = Signed("issuer", "library", Grant())
    state = admin_sessions.redeem(admin_sessions.offer(SignIn(), LINK, NOW, library), LINK, COOKIE, NOW)
    assert state is not None
    assert library == admin_sessions.who(state, COOKIE, NOW)
    assert library == admin_sessions.who(
        admin_sessions.from_text(admin_sessions.to_text(state, "b"), "b"), COOKIE, NOW
    )
    assert "issuer library" == library.label


def test_a_session_says_whether_it_began_with_a_link():
    state = admin_sessions.begin(signed_in(), OTHER_COOKIE, Signed("admin", "Ana"), NOW)
    state = admin_sessions.from_text(admin_sessions.to_text(state, "b"), "b")
    by_link, by_passphrase = (admin_sessions.session_of(state, each, NOW) for each in (COOKIE, OTHER_COOKIE))
    assert (True, False) == (by_link.is_by_link, by_passphrase.is_by_link)
    assert admin_sessions.session_of(state, LINK, NOW) is None


def test_all_links_and_sessions_of_a_name_end_together():
    ana = Signed("admin", "Ana")
    state = admin_sessions.begin(signed_in(), OTHER_COOKIE, ana, NOW)
    state = admin_sessions.offer(state, OTHER_LINK, NOW, ana)
    after = admin_sessions.end_of(state, " ａＮＡ")
    assert admin_sessions.who(after, OTHER_COOKIE, NOW) is None
    assert admin_sessions.redeem(after, OTHER_LINK, OTHER_COOKIE, NOW) is None
    assert ADMIN == admin_sessions.who(after, COOKIE, NOW)


def test_a_stored_role_that_does_not_exist_signs_nobody_in():
    stored = admin_sessions.to_text(signed_in(), "b").replace('"admin"', '"king"')
    assert admin_sessions.who(admin_sessions.from_text(stored, "b"), COOKIE, NOW) is None


@pytest.mark.parametrize(
    ("role", "name", "wanted"),
    [
        ("king", "", "admin or issuer"),
        ("issuer", "", "needs a name"),
        ("issuer", "  ", "needs a name"),
        ("admin", "<b>", "letters"),
        ("issuer", "x" * 41, "at most 40"),
        ("issuer", "two\u202elines", "letters"),
    ],
)
def test_the_role_of_a_link_must_be_given_clearly(role, name, wanted):
    with pytest.raises(ValueError, match=wanted):
        admin_sessions.read_signed(role, name)


def test_an_admin_needs_no_name():
    assert ("admin", "admin Ana") == (
        admin_sessions.read_signed("admin", "").label,
        admin_sessions.read_signed("admin", " Ana ").label,
    )


def test_every_session_is_listed_and_can_be_ended():
    state = admin_sessions.redeem(
        admin_sessions.offer(signed_in(), OTHER_LINK, NOW, Signed("issuer", "library")),
        OTHER_LINK,
        OTHER_COOKIE,
        NOW,
    )
    assert state is not None
    theirs, own = admin_sessions.valid_sessions(state, NOW)
    assert [Signed("issuer", "library"), ADMIN] == [each.signed for each in (theirs, own)]
    assert SESSION_LIFE == own.ends - NOW
    assert (own,) == admin_sessions.valid_sessions(signed_in(), NOW)
    state = admin_sessions.end(state, theirs.hash[:MARK_CHARS])
    assert admin_sessions.who(state, OTHER_COOKIE, NOW) is None
    assert ADMIN == admin_sessions.who(state, COOKIE, NOW)


@given(st.text(max_size=20))
def test_an_unknown_session_id_ends_nothing(mark):
    assert signed_in() == admin_sessions.end(signed_in(), mark)


def test_the_listed_session_id_does_not_sign_in():
    (own,) = admin_sessions.valid_sessions(signed_in(), NOW)
    assert admin_sessions.who(signed_in(), own.hash[:MARK_CHARS], NOW) is None


def test_an_issuers_limits_survive_a_restart():
    library = admin_sessions.read_signed(
        "issuer", "library", groups="guests", lasts="2 days", devices="3", per_day="40"
    )
    state = admin_sessions.offer(admin_sessions.SignIn(), LINK, NOW, library)
    kept = admin_sessions.from_text(admin_sessions.to_text(state, "boot"), "boot")
    signed_in = admin_sessions.redeem(kept, LINK, COOKIE, NOW)
    again = admin_sessions.from_text(admin_sessions.to_text(signed_in, "boot"), "boot")
    assert library == admin_sessions.who(again, COOKIE, NOW)
    assert 40 == library.may_issue.per_day


def test_an_issuer_with_unknown_limits_has_the_default_ones():
    text = admin_sessions.to_text(
        admin_sessions.offer(admin_sessions.SignIn(), LINK, NOW, admin_sessions.Signed("issuer", "library")),
        "boot",
    )
    assert '["day-pass"]' in text
    damaged = admin_sessions.from_text(text.replace('["day-pass"]', "7"), "boot")
    (link,) = damaged.links
    assert Grant() == link.signed.may_issue


def test_an_admin_has_no_limits():
    assert admin_sessions.ADMIN.may_issue is None
    with pytest.raises(ValueError, match="leave the limits out"):
        admin_sessions.read_signed("admin", "", per_day="4")
