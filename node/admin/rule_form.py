"""The form of one rule: its blanks with their menus, and what was found in them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from node.admin.fields import FormView
from node.app.admin import OPTIONS_MAX, RuleOptions
from node.errors import Finding, InvalidValue
from node.governance.expressions import among_words, weekday_words
from node.governance.rule_blanks import (
    LENGTH_UNITS,
    PERIODS,
    RATE_UNITS,
    THEN,
    TICKS,
    VOLUME_UNITS,
    Blanks,
    blanks_of,
    effect_of,
    keys_of,
)
from node.governance.rule_edit import (
    HEADING,
    NEW_RULES,
    RuleDraft,
    added,
    changed,
    read_draft,
    removed,
    with_exception,
)
from node.governance.rule_table import COUNTS
from node.governance.rules import Who
from node.governance.table_edit import PLACE_MAX, table_at, table_changed
from node.governance.times import DAYS
from node.governance.value_syntax import parse_who
from node.translator import ENGLISH, Translator, gettext_lazy

Options = Sequence[tuple[str, str]]
"""Values of a menu with what people read, translatable."""

EFFECT_SENTENCES: Mapping[str, str] = {
    "ceiling": gettext_lazy("These people never have more than a certain speed."),
    "floor": gettext_lazy("Each of these people has at least a certain speed."),
    "share": gettext_lazy("These people get a larger or smaller share of the line."),
    "credit": gettext_lazy("These people get something more of the line, as thanks."),
    "quota": gettext_lazy("After a certain volume, these people get less, or are told."),
    "session": gettext_lazy("These people connect again after a certain time."),
    "devices": gettext_lazy("These people have a certain number of devices online at once."),
    "reserve": gettext_lazy("These people together have a part of the line reserved."),
}
"""What a rule can do, for somebody who adds one."""
FOLDED = ("first", "expires", "by", "why", "at", "uplink", "exception_to")
"""Blanks that are seldom changed."""
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_UNITS = {
    # The texts of amounts, without their number.
    **{unit: gettext_lazy(f"{{number}} {unit}", number="") for unit in (*RATE_UNITS, *VOLUME_UNITS)},
    "minute": gettext_lazy("minutes"),
    "hour": gettext_lazy("hours"),
    "day": gettext_lazy("days"),
}
_PERIODS = {
    "day": gettext_lazy("each day"),
    "week": gettext_lazy("each week"),
    "month": gettext_lazy("each month"),
    "7 days": gettext_lazy("in any 7 days"),
    "30 days": gettext_lazy("in any 30 days"),
}
_COUNTS = {
    "uplink while busy": gettext_lazy("what they use while the line is busy"),
    "uplink": gettext_lazy("everything that they use of the line"),
}
_THEN = {
    "share": gettext_lazy("they get a smaller share"),
    "ceiling": gettext_lazy("they get a speed limit"),
    "tell": gettext_lazy("they are told, and nothing else"),
}


@dataclass(frozen=True, slots=True)
class RuleForm:
    """One rule of a draft, opened."""

    rule: str
    """Its id."""
    effect: str
    """Its key; empty for a rule that has none, or several."""
    form: FormView
    keys: tuple[str, ...]
    """The keys of the rule that have blanks."""
    exception_to: str
    people: Options
    nodes: tuple[str, ...]
    others: Options
    """Rules that this one can replace."""
    weekdays: Options
    named_days: Options = ()
    """Days on which a rule can be left out, by their names in the file."""
    decisions: tuple[str, ...] = ()
    """Decisions that the file names."""
    uplinks: Options = ()
    """Lines of the file, where it has several or the rule names one."""
    sentence: str = ""
    """The rule in words; empty where it cannot be read."""
    table: str = ""
    """It is no table of another kind."""
    findings: Mapping[str, tuple[Finding, ...]] = field(default_factory=dict)
    """By blank; under an empty name those about the rule as a whole."""

    def at(self, blank: str) -> tuple[Finding, ...]:
        """What was found at a blank."""
        return self.findings.get(blank, ())

    def has_day(self, blank: str) -> bool:
        """Whether it is a day, and no term of a decision."""
        text = self.form.value(blank)
        return not text or _DAY.fullmatch(text) is not None

    @property
    def has_more(self) -> bool:
        """Whether something was found in a blank that is folded away."""
        return any(self.at(blank) for blank in FOLDED)

    @property
    def has_burst_findings(self) -> bool:
        """Whether something was found in the blanks of a burst."""
        return any(blank.startswith("burst_") for blank in self.findings)

    def options(self, blank: str) -> Options:
        """Of a menu that is not about people or rules; a value that no menu offers is offered as it is."""
        value = self.form.value(blank)
        offered = _menu(blank)
        return offered if value in {each for each, _ in offered} else (*offered, (value, value))


def rule_form(
    draft: RuleDraft,
    name: str,
    options: RuleOptions,
    translator: Translator = ENGLISH,
    *,
    typed: Blanks | None = None,
) -> RuleForm | None:
    """The form of the rule with this id, with its own blanks or as `typed`; None when there is no such rule."""
    rule = draft.rule(name)
    if rule is None:
        return None
    values, effect = blanks_of(rule), effect_of(rule)
    values |= {blank: typed[blank] for blank in values if typed is not None and blank in typed}
    replaced = values["exception_to"]
    others = [other for other in draft.ids if other != name and effect_of(draft.rule(other) or {}) == effect]
    return RuleForm(
        rule=name,
        effect=effect,
        form=FormView(values),
        keys=keys_of(rule),
        exception_to=replaced,
        people=_people(
            options.people, (values[each] for each in ("who", "who_too", "except", "except_too")), translator
        ),
        nodes=options.nodes,
        named_days=_names((*draft.named_days[:OPTIONS_MAX], values.get("closed", ""))),
        decisions=draft.decisions[:OPTIONS_MAX],
        uplinks=_names((*draft.uplinks[:OPTIONS_MAX], values["uplink"]))
        if len(draft.uplinks) > 1 or values["uplink"]
        else (),
        others=_names((*others, replaced)),
        weekdays=tuple((day, weekday_words(day, translator)) for day in DAYS),
    )


@dataclass(frozen=True, slots=True)
class RuleEdit:
    """A draft after what a form says was done to it."""

    text: str
    opened: str = ""
    """Id of the rule whose form is shown; empty for none."""
    typed: Blanks | None = None
    """What was typed and refused, to be shown again."""
    refused: Mapping[str, Finding] = field(default_factory=dict)
    """What is wrong, by blank; the draft is then as it was."""


def apply_form(draft: RuleDraft, fields: Mapping[str, str]) -> RuleEdit:
    """Fills in the blanks of the rule that is open, and then does what the button says: another rule, an exception, one
    rule less, or another rule to open."""
    name, do = fields.get("rule", "")[:PLACE_MAX], fields.get("do", "")
    text = draft.text
    if name and do == "remove":
        return _edit(draft, name, removed(draft, name))
    if name:
        # A browser leaves out ticks that are not set.
        typed, table = {**dict.fromkeys(TICKS, ""), **fields}, table_at(name)
        filled = table_changed(draft, table, typed) if table else changed(draft, name, typed)
        if not isinstance(filled, str):
            return RuleEdit(text, name if table or draft.rule(name) else "", typed, filled)
        text = filled
    if do not in ("new", "exception"):
        opened = fields.get("change", "")[:PLACE_MAX] or name
        return RuleEdit(text, "" if do == "close" else opened)
    filled_in = read_draft(text)
    assert isinstance(filled_in, RuleDraft), "it was read before"
    made = (
        with_exception(filled_in, name) if do == "exception" else added(filled_in, fields.get("effect", ""))
    )
    return RuleEdit(*made) if isinstance(made, tuple) else _edit(filled_in, name, made)


def _edit(draft: RuleDraft, name: str, made: str | Finding) -> RuleEdit:
    if isinstance(made, str):
        return RuleEdit(made)
    return RuleEdit(draft.text, name if draft.rule(name) else "", None, {HEADING: made})


def by_blank(
    findings: Iterable[Finding], places: Mapping[Finding, tuple[str, str]], rule: str
) -> dict[str, tuple[Finding, ...]]:
    """Of these findings, those about one rule, by its blanks."""
    found: dict[str, tuple[Finding, ...]] = {}
    for each in findings:
        name, blank = places.get(each, ("", ""))
        if name and name == rule:
            found[blank] = (*found.get(blank, ()), each)
    return found


def new_rules() -> Options:
    """What somebody who adds a rule chooses from."""
    return tuple((effect, EFFECT_SENTENCES[effect]) for effect in NEW_RULES)


def _menu(blank: str) -> Options:
    if blank.endswith(("down_unit", "up_unit")):
        return tuple((each, _UNITS[each]) for each in RATE_UNITS)
    if blank.endswith("_unit"):
        units = VOLUME_UNITS if blank == "volume_unit" else LENGTH_UNITS
        return tuple((each, _UNITS[each]) for each in units)
    names, words = {
        "period": (PERIODS, _PERIODS),
        "counts": (COUNTS, _COUNTS),
        "then": (THEN, _THEN),
    }[blank]
    return tuple((each, words[each]) for each in names)


def _names(names: Iterable[str]) -> Options:
    """Names that are the same in all languages."""
    return tuple((each, each) for each in dict.fromkeys(names) if each)


def _people(offered: Sequence[str], chosen: Iterable[str], translator: Translator) -> Options:
    texts = dict.fromkeys((*offered, *(each for each in chosen if each)))
    return tuple((each, _people_words(each, translator)) for each in texts)


def _people_words(text: str, translator: Translator) -> str:
    """The people in words; as it was typed where it selects nobody."""
    try:
        who = parse_who([each.strip() for each in text.split(",")])
    except InvalidValue:
        return text
    return among_words(who, translator) if who != Who() else text
