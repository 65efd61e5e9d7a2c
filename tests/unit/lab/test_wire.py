"""How the demo's client reads a page, and how the window rewrites addresses."""

from tests.lab.agreement import MEMBERS, RULES
from tests.lab.picture import as_svg
from tests.lab.window import View, _inward, _outward
from tests.lab.wire import PageForm, forms

PAGE = """<form method="get" action="/search"><input name="q"></form>
<form method="post" action="/join"><input type="hidden" name="token" value="abc">
<input type="checkbox" name="agree" value="yes" required><button>Go online</button></form>"""


def test_a_client_without_scripts_sends_the_hidden_field_and_the_checkbox():
    assert [PageForm("/join", {"token": "abc", "agree": "yes"})] == forms(PAGE)


def test_the_window_translates_between_the_portals_name_and_this_machines():
    view = View(None, "10.77.0.1", 80, "login.procomu.lan", ("http://10.77.0.1",))  # type: ignore[arg-type]
    asked = b"POST /join HTTP/1.1\r\nHost: 127.0.0.1:4000\r\nOrigin: http://127.0.0.1:4000\r\n\r\n"
    inside = _inward(asked, "127.0.0.1:4000", view.host)
    expected = b"Host: login.procomu.lan\r\nOrigin: http://login.procomu.lan\r\nConnection: close\r\n\r\n"
    assert b"POST /join HTTP/1.1\r\n" + expected == inside
    answer = b"HTTP/1.1 303 See Other\r\nLocation: http://10.77.0.1/me\r\n\r\n"
    assert b"Location: http://127.0.0.1:4000/me" in _outward(answer, "127.0.0.1:4000", view)


def test_the_villages_own_files_have_no_error():
    from node.governance.members import parse_members
    from node.governance.parse import parse_ruleset

    member_directory, findings = parse_members(MEMBERS)
    assert () == findings
    assert member_directory is not None
    assert () == tuple(finding for finding in parse_ruleset(RULES)[1] if finding.is_error)


def test_a_picture_shows_the_text_without_its_colour_codes():
    svg = as_svg(["\x1b[32mphone\x1b[0m <online>"])
    assert 'style="fill:#56d364" xml:space="preserve">phone</tspan>' in svg
    assert "&lt;online&gt;" in svg
    assert "\x1b" not in svg
