"""Admins who attest minutes of an assembly: those who proposed and approved the version of the rules that brought them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from node.errors import StorageTrouble
from node.governance.approvals import approver
from node.governance.minutes import Minutes
from node.governance.parse import parse_ruleset
from node.governance.rule_history import RuleVersion

ROLE = "admin"
"""With which the label of an admin begins."""
VERSIONS_MAX = 50
"""The newest versions that were in force, which are read for it: each text is parsed once while it is among them."""

IN_FORCE = frozenset({"active", "fallback", "superseded", "trial"})
"""States of versions that are or were in force; a superseded draft never was."""


class AttestedMinutes:
    """Reads the log when minutes are shown."""

    def __init__(self, version_text: Callable[[int], Awaitable[str | None]]) -> None:
        self._version_text = version_text
        self._known: dict[str, frozenset[Minutes]] = {}
        """By the fingerprint of the text."""

    async def of(
        self, minutes: Sequence[Minutes], versions: Sequence[RuleVersion]
    ) -> Mapping[Minutes, tuple[str, ...]]:
        """Names of the admins who attest each of `minutes`; without those that no admin brought, as by an edit of the file,
        and those that are older than the versions that are read."""
        if not minutes:
            return {}
        in_force = [each for each in versions if each.state in IN_FORCE and not each.is_draft]
        newest = sorted(in_force, key=lambda each: each.number)[-VERSIONS_MAX:]
        held = await self._minutes_of(newest)
        found: dict[Minutes, tuple[str, ...]] = {}
        for each in minutes:
            brought = _brought(replace(each, line=0), newest, held, is_whole=len(newest) == len(in_force))
            names = () if brought is None else _names(brought)
            if names:
                found[each] = names
        return found

    async def _minutes_of(self, versions: Sequence[RuleVersion]) -> list[frozenset[Minutes] | None]:
        known, self._known = self._known, {}
        with suppress(StorageTrouble):  # reported by the control loop; the next call reads on
            for version in versions:
                mark = version.fingerprint
                if mark not in self._known:
                    self._known[mark] = known[mark] if mark in known else await self._read(version.number)
        return [self._known.get(each.fingerprint) for each in versions]

    async def _read(self, number: int) -> frozenset[Minutes]:
        text = await self._version_text(number)
        ruleset = None if text is None else (await asyncio.to_thread(parse_ruleset, text))[0]
        return frozenset(() if ruleset is None else (replace(each, line=0) for each in ruleset.minutes))


def _brought(
    minutes: Minutes,
    versions: Sequence[RuleVersion],
    held: Sequence[frozenset[Minutes] | None],
    *,
    is_whole: bool,
) -> RuleVersion | None:
    """The version since which the rules have these minutes without a break; None if it is older than all `versions`.
    `is_whole`: these begin with the first one ever."""
    since: RuleVersion | None = None
    for version, here in zip(reversed(versions), reversed(held), strict=True):
        if here is None or minutes not in here:
            return since
        since = version
    return since if is_whole else None


def _names(version: RuleVersion) -> tuple[str, ...]:
    """Of different admins who have one; nobody for a version that no admin made."""
    names: dict[str, str] = {}
    for label in (version.by, *version.approved):
        role, _, name = label.partition(" ")
        if role == ROLE and name and approver(label):
            names.setdefault(approver(label), name)
    return tuple(names.values())
