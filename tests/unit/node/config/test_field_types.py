"""Field types: a value is parsed, or refused with a reason."""

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mesh.page_format import is_text
from node.config import field_types
from node.config.model import ListenAddress

KINDS = [kind for kind in vars(field_types).values() if isinstance(kind, field_types.FieldType)]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=60), st.lists, max_leaves=6
)


@given(ANYTHING)
def test_any_value_is_read_or_refused_with_a_reason(value):
    for kind in KINDS:
        assert why_refused(kind, value) != ""


def why_refused(kind: field_types.FieldType, value: object) -> str | None:
    try:
        kind.read(value)
    except ValueError as refused:
        return str(refused)
    return None


@pytest.mark.parametrize("name", ["br-lan", "wlan0", "eth0.12", "a" * 15])
def test_valid_linux_interface_names_are_accepted(name):
    assert name == field_types.INTERFACE.read(name)


@pytest.mark.parametrize("name", ["", "a" * 16, "eth0;reboot", 'x"', "a/b", "два"])
def test_a_name_with_special_meaning_for_the_kernel_is_refused(name):
    with pytest.raises(ValueError, match="cannot be the name"):
        field_types.INTERFACE.read(name)


def test_addresses_are_kept_in_their_shortest_spelling():
    assert "fd00::1" == field_types.ADDRESS.read("FD00:0:0::0001")


@given(st.text(max_size=field_types.NAME_CHARS_MAX))
@example("Cafe\u0301")
@example("\u0958" * field_types.NAME_CHARS_MAX)
def test_a_name_that_is_accepted_is_one_that_other_nodes_can_read(text):
    with contextlib.suppress(ValueError):
        assert is_text(field_types.NAME.read(text))


def test_a_name_is_read_in_either_spelling_of_an_accent():
    assert "Caf\u00e9" == field_types.NAME.read("Cafe\u0301")


def test_a_name_with_a_line_break_is_refused():
    with pytest.raises(ValueError, match="one line"):
        field_types.NAME.read("a\nb")


def test_a_list_that_is_too_long_is_refused():
    with pytest.raises(ValueError, match="5000 are allowed"):
        field_types.INTERFACES.read([f"eth{n}" for n in range(5001)])


@pytest.mark.parametrize(
    ("port", "is_one"), [(0, False), (1, True), (65_535, True), (65_536, False), (-1, False)]
)
def test_ports_go_from_1_to_65535(port, is_one):
    assert is_one == (why_refused(field_types.PORT, port) is None)


def test_a_text_is_kept_unchanged_and_has_no_unprintable_characters():
    assert "Two\nlines" == field_types.TEXT.read(" Two\nlines ")
    assert "cannot be shown" in why_refused(field_types.TEXT, "a\x1b[2Jb")
    assert "cannot be shown" in why_refused(field_types.TEXT, "a\u202eb")


def test_a_path_must_be_absolute():
    assert "/etc/x" == str(field_types.PATH.read("/etc/x"))
    assert why_refused(field_types.PATH, "etc/x") is not None


def test_a_server_listens_at_an_address_with_a_port_or_nowhere():
    listen = field_types.LISTEN.read
    assert ListenAddress("0.0.0.0", 2080) == listen("0.0.0.0:2080")
    assert ListenAddress("::", 2080) == listen("[::]:2080")
    assert None is listen("none")


@pytest.mark.parametrize(
    "text", ["", "2080", "0.0.0.0", "::2080", "host:80", "0.0.0.0:0", "0.0.0.0:٣", "0.0.0.0:99999"]
)
def test_another_text_is_no_such_address(text):
    with pytest.raises(ValueError, match=r"."):
        field_types.LISTEN.read(text)


def test_a_host_is_a_name_or_an_address():
    read = field_types.HOST_OR_NONE.read
    assert ["vall.example.org", "fd00::1", "192.0.2.7", ""] == [
        read(each) for each in ("Vall.example.org.", "FD00::1", "192.0.2.7", "none")
    ]


@pytest.mark.parametrize("text", ["", "a b", "x\n", "http://x", "[::1]", "x:80"])
def test_another_text_is_no_host(text):
    with pytest.raises(ValueError, match=r"."):
        field_types.HOST_OR_NONE.read(text)
