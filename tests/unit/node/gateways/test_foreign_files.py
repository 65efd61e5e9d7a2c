"""Vouchers, hotspots and users of other portals: what would come in, and what hostile files do."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import InvalidValue
from node.gateways.foreign_files import (
    FILE_BYTES_MAX,
    LASTS_MAX_S,
    LASTS_MIN_S,
    NAME_CHARACTERS_MAX,
    ROWS_MAX,
    ForeignFile,
    ForeignRow,
    ForeignVoucher,
    SkippedRow,
    read_foreign,
)

NOW_S = 1_800_000_000
DAY_S = 86_400
KINDS = st.sampled_from(["pirania", "opnsense", "wifidog"])

OPNSENSE = """username,password,vouchergroup,validity
"IgJw@Pqf","MLi+Sb7Ak#","Wifi day pass","86400"
"a,mCxbya","LcnCb#g/di","Wifi day pass","86400"
":;Pc\\N#s","Y\\HuG9vAN$","Wifi week","604800"
"""


def pirania(**changes: object) -> dict[str, object]:
    """As pirania's list gives one."""
    return {
        "id": "pasgab",
        "name": "ana-1",
        "code": "QHSEZZ",
        "duration_m": 1_440,
        "creation_date": NOW_S - DAY_S,
        "permanent": False,
        "is_active": False,
        "author_node": "ql-graciela",
    } | changes


def read_pirania(*rows: object) -> ForeignFile:
    return read_foreign("pirania", json.dumps(rows).encode(), now_s=NOW_S)


def test_opnsense_vouchers_come_in_with_their_validity():
    found = read_foreign("opnsense", OPNSENSE.encode(), now_s=NOW_S)
    assert found.skipped == ()
    assert {lasts: [each.name for each in vouchers] for lasts, vouchers in found.by_duration.items()} == {
        DAY_S: ["IgJw@Pqf", "a,mCxbya"],
        7 * DAY_S: [":;Pc\\N#s"],
    }


def test_an_opnsense_voucher_that_has_expired_does_not_come_in():
    text = f"username,password,vouchergroup,validity,expirytime\na,b,c,86400,{NOW_S}\nd,e,f,86400,0\n"
    found = read_foreign("opnsense", text.encode(), now_s=NOW_S)
    assert found.vouchers == (ForeignVoucher("d", DAY_S),)
    assert found.skipped == (SkippedRow(2, "ended"),)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, DAY_S),
        ({"duration_m": None, "permanent": True}, LASTS_MAX_S),
        ({"mac": "aa:bb:cc:dd:ee:ff", "activation_date": NOW_S - DAY_S // 2}, DAY_S // 2),
        ({"mac": "aa:bb:cc:dd:ee:ff", "activation_date": NOW_S - DAY_S // 2 + 1}, DAY_S // 2 + 3_600),
        ({"activation_date": NOW_S - 2 * DAY_S}, "ended"),
        ({"activation_deadline": NOW_S - 1}, "ended"),
        ({"activation_deadline": NOW_S + 1}, DAY_S),
        ({"duration_m": 0}, "ended"),
        ({"duration_m": 10**9}, "too-long"),
        ({"duration_m": -1}, "unreadable"),
        ({"duration_m": "1440"}, "unreadable"),
        ({"duration_m": True}, "unreadable"),
        ({"duration_m": 1e400}, "unreadable"),
        ({"name": None}, "unreadable"),
        ({"code": 5}, "unreadable"),
    ],
)
def test_a_pirania_voucher_comes_in_with_the_time_that_is_left(changes, expected):
    found = read_pirania(pirania(**changes))
    if isinstance(expected, int):
        assert found.vouchers == (ForeignVoucher("ana-1", expected),)
    else:
        assert found.skipped == (SkippedRow(1, expected),)
        assert found.vouchers == ()


def test_the_files_of_piranias_folder_can_be_joined():
    rows = {"pasgab": pirania(), "other": pirania(id="other", code="ABCDEF")}
    by_id = read_foreign("pirania", json.dumps(rows).encode(), now_s=NOW_S)
    listed = read_foreign("pirania", json.dumps({"vouchers": list(rows.values())}).encode(), now_s=NOW_S)
    assert by_id == listed
    assert len(by_id.vouchers) == 2


def test_a_file_that_names_a_voucher_twice_brings_it_once():
    found = read_pirania(pirania(), pirania())
    assert len(found.vouchers) == 1
    assert found.skipped == (SkippedRow(2, "repeated"),)


def test_the_mark_is_that_of_the_rows_and_not_of_their_order_or_of_the_day():
    one, other = pirania(), pirania(id="other", code="ABCDEF")
    mark = read_pirania(one, other).mark
    assert mark == read_pirania(other, one).mark
    assert mark == read_foreign("pirania", json.dumps([one, other]).encode(), now_s=NOW_S + DAY_S).mark
    assert mark != read_pirania(one).mark


def test_hotspots_and_users_of_wifidog():
    text = (
        'kind,id,name\nhotspot,001217DA42D2,"Café ""Laïka"""\nuser,7,ana\nuser,7,again\nother,8,x\nuser,,y\n'
    )
    found = read_foreign("wifidog", text.encode(), now_s=NOW_S)
    assert found.hotspots == (ForeignRow("001217DA42D2", 'Café "Laïka"'),)
    assert found.users == (ForeignRow("7", "ana"),)
    assert found.skipped == (
        SkippedRow(4, "repeated"),
        SkippedRow(5, "unreadable"),
        SkippedRow(6, "unreadable"),
    )


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("pirania", b""),
        ("pirania", b"7"),
        ("pirania", b"[" * 100_000),
        ("pirania", b"\xff\xfe"),
        ("pirania", b'"' * 10),
        ("opnsense", b""),
        ("opnsense", b"a,b\n1,2\n"),
        ("opnsense", b'username,validity\n"a"b,5\n'),
        ("wifidog", b"id,kind,name\n"),
        ("wifidog", b"x" * (FILE_BYTES_MAX + 1)),
        ("opnsense", b"username,validity\n" + b"a,600\n" * (ROWS_MAX + 1)),
        ("pirania", b"[" + b"1," * ROWS_MAX + b"1]"),
    ],
)
def test_another_file_is_refused_with_what_to_do(kind, raw):
    with pytest.raises(InvalidValue, match="; "):
        read_foreign(kind, raw, now_s=NOW_S)


@given(
    kind=KINDS,
    raw=st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")),
)
def test_no_file_is_another_error(kind, raw):
    heads = {
        "opnsense": b"username,password,validity,expirytime\n",
        "wifidog": b"kind,id,name\n",
        "pirania": b"[",
    }
    for each in (raw, heads[kind] + raw, raw + b"]"):
        try:
            found = read_foreign(kind, each, now_s=NOW_S)
        except InvalidValue:
            continue
        assert all(LASTS_MIN_S <= voucher.lasts_s <= LASTS_MAX_S for voucher in found.vouchers)
        for row in (*found.vouchers, *found.hotspots, *found.users):
            assert row.name.isprintable()
            assert len(row.name) <= NAME_CHARACTERS_MAX
