"""What an openNDS router is told: limits, the return address and the entries of authmon."""

import base64
import hashlib
import re
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.gateways.opennds_grant import (
    NUMBER_MAX,
    GatewayLimits,
    authmon_entry,
    gateway_limits,
    return_address,
    sealed_custom,
)
from node.gateways.opennds_query import FasKey, read_query, return_hash
from tests.fakes.opennds_router import FakeRouter

KEY = FasKey("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")
MARK = ("02aabbccddee", "0123456789abcdef" * 2)
AMOUNTS = st.none() | st.integers(0, 2**70)
NUMBERS = st.integers(0, NUMBER_MAX)
LIMITS = st.builds(GatewayLimits, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS)


@given(session_s=AMOUNTS, up=AMOUNTS, down=AMOUNTS, left=AMOUNTS)
def test_a_limit_is_never_lost_and_never_less_than_it_may_be(session_s, up, down, left):
    limits = gateway_limits(session_s=session_s, upload_bits_s=up, download_bits_s=down, left_bytes=left)
    for amount, number, unit in [
        (session_s, limits.session_minutes, 60),
        (up, limits.upload_kbit_s, 1_000),
        (down, limits.download_kbit_s, 1_000),
        (left, limits.upload_kbytes, 1_024),
        (left, limits.download_kbytes, 1_024),
    ]:
        assert (number == 0) == (amount is None)
        if amount is not None:
            assert number * unit >= min(amount, NUMBER_MAX * unit)
            assert (number - 1) * unit <= amount


def test_somebody_who_has_nothing_left_is_not_without_a_limit():
    limits = gateway_limits(session_s=0, upload_bits_s=0, download_bits_s=0, left_bytes=0)
    assert limits.numbers == (1, 1, 1, 1, 1)


def test_the_binauth_line_has_seconds():
    assert GatewayLimits(60, 500, 5_000, 1, 2).binauth_line == "3600 500 5000 1 2"


@given(limits=LIMITS, raw=st.binary(max_size=120), seed=st.binary(max_size=20))
def test_an_entry_has_only_the_characters_that_are_safe_in_a_shell(limits, raw, seed):
    rhid = hashlib.sha256(seed).hexdigest()
    custom = base64.b64encode(raw).decode()
    entry = authmon_entry(rhid, limits, custom)
    assert re.fullmatch(r"[0-9A-Za-z%]+", entry)
    assert unquote(entry).split() == [rhid, *map(str, limits.numbers), *custom.split()]


@pytest.mark.parametrize("rhid", ["", "$(reboot)", "A" * 64, "0" * 63, "0" * 64 + "\n", "0" * 64 + ";"])
def test_another_rhid_is_a_mistake(rhid):
    with pytest.raises(AssertionError):
        authmon_entry(rhid, GatewayLimits())


@pytest.mark.parametrize("custom", ["$(reboot)", "a b", "a;b", "`x`", "a\n", "A" * 257])
def test_another_custom_text_is_a_mistake(custom):
    with pytest.raises(AssertionError):
        authmon_entry("0" * 64, GatewayLimits(), custom)


@pytest.mark.parametrize("numbers", [(-1, 0), (2**31, 0)])
def test_a_number_that_the_router_cannot_keep_is_a_mistake(numbers):
    with pytest.raises(AssertionError):
        GatewayLimits(*numbers)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_the_return_address_lets_this_client_in_at_this_router(level):
    router = FakeRouter(KEY.characters)
    visit = read_query(router.query(level), KEY, level)
    assert visit is not None
    custom = sealed_custom(GatewayLimits(60, 1, 2, 3, 4), MARK, visit.request.hid, KEY)
    address = return_address(visit.request, custom, KEY, "http://node/fas?x=1&y=2")
    parts = urlsplit(address)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "http://192.168.1.1:2050/opennds_auth/"
    fields = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert fields["tok"] == (router.token if level == 0 else return_hash(router.hid, KEY.characters))
    assert fields["redir"] == "http://node/fas?x=1&y=2"
    assert base64.b64decode(fields["custom"]).decode().startswith("procomu 60 1 2 3 4 ")


def test_the_key_is_in_nothing_that_leaves():
    visit = read_query(FakeRouter(KEY.characters).query(1), KEY, 1)
    assert visit is not None
    custom = sealed_custom(GatewayLimits(), MARK, visit.request.hid, KEY)
    address = return_address(visit.request, custom, KEY, "http://node/")
    assert KEY.characters not in unquote(address)
    assert KEY.characters.encode() not in base64.b64decode(custom)


@given(limits=LIMITS)
def test_the_custom_text_fits_and_is_of_one_client(limits):
    one, other = (sealed_custom(limits, MARK, each * 64, KEY) for each in "ab")
    assert len(one) <= 256
    assert one != other
