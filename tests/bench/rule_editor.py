"""How long one request of the rule editor takes: each rule is opened, and checked with another number in its form."""

import asyncio
import html
import re
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from aiohttp import ClientSession, CookieJar

from node.governance.allowance import Unit
from node.governance.rule_blanks import blank_of, blanks_of, effect_of
from node.governance.rule_edit import RuleDraft, read_draft
from tests.bench.figures import quantile
from tests.fakes.admin_pages import LINK, admin_app, catalogues, open_admin_server

_HIDDEN = re.compile(r'<input type="hidden" name="(csrf_token|replacing)" value="([^"]*)"')


def editor_p95_ms(text: str, units: Sequence[Unit]) -> float:
    """Processor time of all that one request takes: the page's form is read, filled in, checked, compared and rendered, for
    the members `units`. Raises ValueError when an answer is not what it should be."""
    catalogues()  # read once
    with TemporaryDirectory() as folder:
        taken = asyncio.run(_requests(Path(folder), text, units))
    return round(quantile(taken, 0.95), 1)


async def _requests(folder: Path, text: str, units: Sequence[Unit]) -> list[float]:
    draft = read_draft(text)
    if not isinstance(draft, RuleDraft):
        raise ValueError(f"the rules of the bench cannot be read: {draft}")
    async with (
        admin_app(folder, rules=text, members=_members(units)) as app,
        open_admin_server(app.admin) as server,
        ClientSession(cookie_jar=CookieJar(unsafe=True)) as session,
    ):
        assert server.bound is not None
        address = f"http://127.0.0.1:{server.bound[1]}"

        async def posted(path: str, fields: dict[str, str]) -> str:
            async with session.post(address + path, data=fields) as response:
                page = await response.text()
            if response.status != 200:
                raise ValueError(f"{path} answers {response.status}")
            return page

        await posted("/sign-in", {"token": LINK})
        async with session.get(f"{address}/rules") as response:
            fields = {name: html.unescape(value) for name, value in _HIDDEN.findall(await response.text())}
        fields["text"] = text
        taken = []
        for name in (draft.ids[0], *draft.ids):
            rule = draft.rule(name) or {}
            blanks = blanks_of(rule)
            number = blank_of(effect_of(rule), rule)
            changed = blanks | {number: str(int(float(blanks[number] or 1)) + 1), "lifted": ""}
            if "up" in changed:
                changed["up"] = changed["up"] or "1"
            for sent, shown in (
                ({"change": name}, f"Change the rule {name}"),
                ({**changed, "rule": name, "do": "check"}, "What the draft means"),
            ):
                begun = time.process_time()
                page = await posted("/rules", fields | sent)
                taken.append((time.process_time() - begun) * 1_000)
                if shown not in page or 'aria-invalid="true"' in page:
                    raise ValueError(f"the form of {name} was not shown: {sent}")
    return taken[2:]  # without the first, which reads templates and libraries


def _members(units: Sequence[Unit]) -> str:
    return "".join(
        f'[[account]]\nid = "{unit.account}"\ntier = "{unit.tier}"\n'
        f"groups = [{', '.join(f'"{group}"' for group in sorted(unit.groups))}]\n"
        for unit in units
    )
