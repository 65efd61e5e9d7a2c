"""The README of the admin server lists its routes and the roles that may request them."""

import re

from node.admin.server import AdminServer
from node.app.admin_accounts import PAIRING_DAYS
from node.app.admin_sessions import LINK_LIFE, SESSION_LIFE
from node.app.idempotency import SHOWN_MS
from tests.docs.generated import ROOT
from tests.fakes.use_cases import AppFixture

README = (ROOT / "node/admin/README.md").read_text()


def test_every_route_is_listed_with_its_roles(tmp_path):
    listed = {
        (method, path): {role.strip() for role in roles.split(",")}
        for method, path, roles in re.findall(
            r"^\| (GET|POST) `([^`]+)` \|.*\| ([a-z, ]+) \|$", README, re.MULTILINE
        )
    }
    routes = AdminServer(AppFixture(folder=tmp_path).use_cases().admin, address="127.0.0.1", port=0).routes
    assert {(route.method, route.path): set(route.roles) for route in routes} == listed


def test_the_times_in_the_readme_are_those_of_the_code():
    assert (10, 12, 15) == (LINK_LIFE // 60_000, SESSION_LIFE // 3_600_000, SHOWN_MS // 60_000)
    for said in ("ten minutes", "twelve hours", "15 minutes", f"{PAIRING_DAYS} days"):
        assert said in README
