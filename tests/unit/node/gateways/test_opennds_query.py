"""The FAS query of openNDS: vectors, every level, and hostile queries."""

import base64
import hashlib
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import InvalidValue
from node.gateways.opennds_query import (
    QUERY_CHARACTERS_MAX,
    FasKey,
    gateway_hash,
    read_query,
    return_hash,
    safe_url,
)
from tests.fakes.opennds_router import IV, FakeRouter, sealed_text

KEY = FasKey("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")
OTHER_KEY = FasKey("60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752")
VECTOR_KEY = "1234567890" * 4
VECTOR_HID = "d3f6f1b1f0f0a5f1c1f27b1a6c5f2f5c7b8f0a0d9f4a3d1b2c3d4e5f60718293"
LEVELS = range(5)


def test_the_return_hash_has_the_reference_value():
    rhid = "1b68377e32620b9a857adde64abc8ca8eeacdc638b1ec62c3cf490129b094b93"
    assert return_hash(VECTOR_HID, VECTOR_KEY) == rhid
    assert return_hash(f" {VECTOR_HID}\n", f"{VECTOR_KEY} ") == rhid


def test_the_gateway_hash_has_the_reference_value():
    expected = "dd4e21afd21e4e8b69369ae3467a76804e6e6623088c25e278b2c3e0c3ec953b"
    assert gateway_hash("Test%20Node%3a001122334455%20") == expected
    assert gateway_hash("Test Node:001122334455 ") != expected


def test_an_encrypted_query_has_the_reference_value():
    router = FakeRouter(VECTOR_KEY)
    fas = sealed_text(router.text(router.items(hid=VECTOR_HID)), VECTOR_KEY)
    assert len(fas) == 744
    assert fas.startswith("WkRLS3BSKzZvKzhYZmNWY1pP")
    assert (
        hashlib.sha256(fas.encode()).hexdigest()
        == "f0b3469846088e1828b6578c2e02de013b8c09363bf0003e3438fea9a2fd49e8"
    )
    visit = read_query(f"fas={fas}&iv={IV}", FasKey(VECTOR_KEY), 3)
    assert visit is not None
    assert visit.request.hid == VECTOR_HID


@pytest.mark.parametrize("level", LEVELS)
def test_each_level_tells_the_same_of_a_client(level):
    router = FakeRouter(KEY.characters)
    visit = read_query(router.query(level), KEY, level)
    assert visit is not None
    request = visit.request
    assert not visit.is_authenticated
    assert (request.hid, request.client_ip) == (router.hid, router.client_ip)
    assert request.client_mac == ("" if level == 0 else router.client_mac)
    assert request.gateway_hash == router.gateway_hash
    assert (request.gateway_address, request.authdir) == (router.address, "opennds_auth")
    assert request.origin_url == "http://example.com/"
    assert request.token == (router.token if level == 0 else "")
    assert request.level_is_secret == (level in (2, 3))


@pytest.mark.parametrize("level", LEVELS)
def test_the_kept_query_gives_the_same_request_again(level):
    visit = read_query(FakeRouter(KEY.characters).query(level), KEY, level)
    assert visit is not None
    assert read_query(visit.request.query, KEY, level) == visit


@pytest.mark.parametrize("level", LEVELS)
def test_a_client_that_is_online_says_so(level):
    query = FakeRouter(KEY.characters).query(level) + "&status=authenticated"
    visit = read_query(query, KEY, level)
    assert visit is not None
    assert visit.is_authenticated
    again = read_query(visit.request.query, KEY, level)
    assert again is not None
    assert not again.is_authenticated


def test_the_query_inside_the_address_to_return_to_is_found():
    """A client that is online already comes with its query inside `redir`."""
    inner = FakeRouter(KEY.characters).query(1)
    query = f"clientip=192.168.1.50&redir=http%3a%2f%2fnode%2ffas%3f{inner}&status=authenticated"
    visit = read_query(query, KEY, 1)
    assert visit is not None
    assert visit.is_authenticated


def test_a_space_in_base64_is_a_plus():
    """A tilde as the third byte of a triple gives a plus."""
    router = FakeRouter(KEY.characters)
    for shift in ("", "x", "xx"):
        query = router.query(1, originurl=f"http%3a%2f%2fexample.com%2f{shift}~~~>>>")
        if "+" in query:
            break
    assert "+" in query
    assert read_query(query, KEY, 1) == read_query(query.replace("+", " "), KEY, 1)


@pytest.mark.parametrize("level", [2, 3])
def test_another_key_opens_nothing(level):
    assert read_query(FakeRouter(OTHER_KEY.characters).query(level), KEY, level) is None


@pytest.mark.parametrize("level", LEVELS)
def test_the_query_of_another_kind_of_level_is_refused(level):
    kinds = {0: 0, 1: 1, 2: 2, 3: 2, 4: 1}
    router = FakeRouter(KEY.characters)
    for other in LEVELS:
        visit = read_query(router.query(other), KEY, level)
        assert (visit is not None) == (kinds[other] == kinds[level])


HOSTILE = ["", "(null)", "x" * 300, "$(touch%20/tmp/x)", '"><script>']


@pytest.mark.parametrize("name", ["hid", "clientip", "clientmac", "gatewayname", "gatewayaddress"])
@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_a_hostile_or_missing_value_is_refused(name, value, level):
    assert read_query(FakeRouter(KEY.characters).query(level, **{name: value}), KEY, level) is None


@pytest.mark.parametrize(
    "address",
    [
        "203.0.114.7:2050",
        "8.8.8.8:80",
        "127.0.0.1:80",
        "evil.example:80",
        "192.168.1.1",
        "192.168.1.1:99999",
        "192.168.1.1:0",
        "192.168.1.1:80@evil.example",
        "0.0.0.0:80",
        "224.0.0.1:80",
    ],
)
@pytest.mark.parametrize("level", LEVELS)
def test_nobody_is_sent_to_an_address_that_is_no_router(address, level):
    assert read_query(FakeRouter(KEY.characters, address=address).query(level), KEY, level) is None


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("http://example.com/a?b=c", True),
        ("https://[2001:db8::1]/", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("//example.com/", False),
        ("http://user@example.com/", False),
        ("http:\\\\example.com", False),
        ("http://example.com/ x", False),
        ("http://[bad/", False),
        ("http://" + "a" * 2_000, False),
        ("", False),
    ],
)
def test_only_web_addresses_are_kept(url, kept):
    assert safe_url(url) == (url if kept else "")


def test_the_first_of_two_values_counts():
    """`cpi_query` comes from the person and stands after what tells who they are."""
    visit = read_query(
        FakeRouter(KEY.characters).query(1, cpi_query="x, hid=" + "0" * 64 + ", clientmac=00:00:00:00:00:01"),
        KEY,
        1,
    )
    assert visit is not None
    assert visit.request.hid == FakeRouter(KEY.characters).hid
    assert visit.request.client_mac == "aa:bb:cc:dd:ee:ff"


def test_a_changed_encrypted_query_is_refused():
    """There is no MAC, but a changed block becomes noise, and noise is no text."""
    router = FakeRouter(KEY.characters)
    fas = router.query(3).split("&")[0].removeprefix("fas=")
    sealed = base64.b64decode(base64.b64decode(fas))
    for place in range(0, len(sealed), 7):
        changed = bytearray(sealed)
        changed[place] ^= 0x01
        again = base64.b64encode(base64.b64encode(bytes(changed))).decode()
        assert read_query(f"fas={again}&iv={IV}", KEY, 3) is None


@given(query=st.text(max_size=600), level=st.sampled_from(LEVELS))
def test_no_text_raises(query, level):
    for prefix in ("", "fas=", "authaction=http://192.168.1.1:2050/opennds_auth/?"):
        read_query(prefix + query, KEY, level)


@given(
    items=st.dictionaries(
        st.sampled_from(list(FakeRouter("").items())), st.text(st.characters(codec="ascii"), max_size=80)
    ),
    level=st.sampled_from(LEVELS),
)
def test_what_is_read_is_always_well_formed(items, level):
    visit = read_query(FakeRouter(KEY.characters).query(level, **items), KEY, level)
    if visit is not None:
        request = visit.request
        assert len(request.hid) == 64
        assert set(request.hid) <= set("0123456789abcdef")
        assert request.origin_url == "" or request.origin_url.startswith(("http://", "https://"))
        assert all(" " <= character <= "~" for character in request.query)


@given(cut=st.integers(0, 2_000), level=st.sampled_from(LEVELS))
def test_a_truncated_query_is_refused_or_complete(cut, level):
    router = FakeRouter(KEY.characters)
    visit = read_query(router.query(level)[:cut], KEY, level)
    assert visit is None or visit.request.hid in (
        router.hid,
        hashlib.sha256(router.token[:cut].encode()).hexdigest(),
    )


def test_a_long_query_is_refused_before_it_is_decoded():
    router = FakeRouter(KEY.characters)
    assert read_query(router.query(1) + "&x=" + "y" * QUERY_CHARACTERS_MAX, KEY, 1) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "short",
        "1234567890" * 4,
        "0" * 64,
        "0123456789abcdef" * 4,
        "abcdefghijklmnopqrstuvwxyzabcdefgh",
        "ab" * 40,
        KEY.characters[:31],
        KEY.characters[:63] + "'",
        KEY.characters[:40] + "é",
        "x" * 200,
        KEY.characters + "\n",
        "aabbccdd" * 8,
    ],
)
def test_a_key_that_can_be_guessed_is_refused(text):
    with pytest.raises(InvalidValue, match="write faskey"):
        FasKey.parse(text)


def test_random_keys_are_taken():
    for _ in range(200):
        text = secrets.token_hex(32)
        assert FasKey.parse(text).characters == text


def test_a_key_is_not_printed():
    assert KEY.characters not in repr(KEY)
    assert KEY.characters not in str(KEY)
