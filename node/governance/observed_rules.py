"""Rules that are only observed (``observe = true``): which of them belong together, and whether they could be in force."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from node.errors import Finding
from node.governance.rules import Floor, Rule, Ruleset, Share
from node.translator import gettext_lazy

Bundle = tuple[Rule, ...]


def bundles(observed: Iterable[Rule]) -> tuple[Bundle, ...]:
    """Observed rules by those that need each other: a rule and its exceptions, and those of the same people together. Rules
    of different bundles can be alternatives, so each bundle is checked and counted without the others."""
    found: list[list[Rule]] = []
    for rule in observed:
        related = [bundle for bundle in found if any(_is_related(rule, each) for each in bundle)]
        joined = [each for bundle in related for each in bundle]
        found = [*(bundle for bundle in found if bundle not in related), [*joined, rule]]
    ordered = [tuple(sorted(bundle, key=_place)) for bundle in found]
    return tuple(sorted(ordered, key=lambda bundle: _place(bundle[0])))


def _place(rule: Rule) -> tuple[int, str]:
    return rule.line, rule.id


def _is_related(rule: Rule, other: Rule) -> bool:
    if rule.id == other.exception_to or other.id == rule.exception_to:
        return True
    return rule.together and other.together and rule.who == other.who


def observed_findings(
    ruleset: Ruleset, known: Iterable[Finding], checked: Callable[[Ruleset, Bundle], Iterable[Finding]]
) -> Iterable[Finding]:
    """The errors that there would be with observed rules in force, warnings about these rules, and W17 for those without an
    end. `known`: what was found without them. `checked`: the errors of a ruleset, and the warnings about these rules."""
    places = {(finding.code, finding.line) for finding in known}
    # Tests in the file are about what the rules in force give.
    untested = replace(ruleset, examples=())
    for bundle in bundles(ruleset.observed):
        for finding in checked(untested.as_if_in_force(bundle), bundle):
            if (finding.code, finding.line) not in places:
                yield from _about(bundle, finding)
    by_id = {rule.id: rule for rule in ruleset.observed}
    for rule in ruleset.observed:
        if not _ends(rule, by_id):
            message = gettext_lazy("{rule} is observed without an end.", rule=rule.id)
            fix = gettext_lazy("write {text}, the day by which you decide", text='expires = "2026-12-31"')
            yield Finding("W17", rule.line, message, fix)


def _about(bundle: Bundle, finding: Finding) -> Iterable[Finding]:
    """What a finding of the whole file says of these rules."""
    lines = {rule.line for rule in bundle if rule.line}
    if finding.is_error:
        message = gettext_lazy(
            "{rule} is only observed, and could not be in force: {finding}",
            rule=bundle[0].id,
            finding=finding.message,
        )
        yield replace(
            finding, line=finding.line if finding.line in lines else bundle[0].line, message=message
        )
    elif finding.line in lines:
        yield finding


def _ends(rule: Rule, by_id: Mapping[str, Rule]) -> bool:
    """Whether the rule has a last day, cannot have one, or replaces an observed one that ends; the parser refuses circles of
    exceptions."""
    # Neither the share of a pool nor the floor that it needs may end.
    if rule.together and isinstance(rule.effect, Share | Floor):
        return True
    link: Rule | None = rule
    while link is not None and (link.when is None or link.when.last is None is link.when.open_end):
        link = by_id.get(link.exception_to or "")
    return link is not None
