"""The form of a line, ``[uplink.NAME]``, or of the charter: its blanks in groups, and what was found in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from node.admin.fields import FormView
from node.admin.rule_form import Options
from node.errors import Finding
from node.governance.parse import DEFAULT_CHARTER
from node.governance.rule_blanks import RATE_UNITS, Blanks
from node.governance.rule_edit import RuleDraft
from node.governance.rules import ANSWER_DAYS, RESERVE_MAX_PERCENT, STEP_DAYS_MAX
from node.governance.table_blanks import CHARTER, blanks_of, place_of_table
from node.governance.table_edit import table_values
from node.governance.uplink_table import (
    LEAST_PART,
    USABLE_PERCENT,
    USABLE_PERCENT_MAX,
    USABLE_PERCENT_MIN,
    USABLE_UP_PERCENT,
)
from node.translator import LazyText, gettext_lazy


@dataclass(frozen=True, slots=True)
class FormField:
    """One field of the form."""

    kind: Literal["amount", "rates", "number", "menu"]
    """``rates``: an amount for each direction, whose blanks have the name as prefix."""
    name: str
    label: LazyText
    hint: LazyText | None = None


@dataclass(frozen=True, slots=True)
class FieldGroup:
    """Fields under one heading."""

    legend: LazyText
    fields: Sequence[FormField]


def _defaults_to(number: int) -> LazyText:
    return gettext_lazy("Leave it empty for {number}.", number=number)


_LINE = (
    FieldGroup(
        gettext_lazy("What the line has"),
        (
            FormField("amount", "line_down", gettext_lazy("Download")),
            FormField("amount", "line_up", gettext_lazy("Upload")),
            FormField(
                "number",
                "usable_percent",
                gettext_lazy("Percent of the download that people share"),
                gettext_lazy(
                    "The rest keeps waiting short. From {least} to {most}; leave it empty for {number}.",
                    least=USABLE_PERCENT_MIN,
                    most=USABLE_PERCENT_MAX,
                    number=USABLE_PERCENT,
                ),
            ),
            FormField(
                "number",
                "usable_up_percent",
                gettext_lazy("Percent of the upload that people share"),
                gettext_lazy(
                    "Leave it empty for the same as of the download, or for {number} if that is empty too.",
                    number=USABLE_UP_PERCENT,
                ),
            ),
        ),
    ),
    FieldGroup(
        gettext_lazy("When the line changes"),
        (
            FormField("menu", "rate", gettext_lazy("The speed that is shared")),
            FormField(
                "rates",
                "least_",
                gettext_lazy("It has at least"),
                gettext_lazy(
                    "On its worst day, if it is measured. Leave it empty for one part in {number} of what it has.",
                    number=LEAST_PART,
                ),
            ),
            FormField(
                "rates",
                "most_",
                gettext_lazy("It has at most"),
                gettext_lazy("On its best day, if it is measured. Leave it empty for what it has."),
            ),
        ),
    ),
)
_CHARTER = (
    FieldGroup(
        gettext_lazy("What nobody goes below"),
        (
            FormField("rates", "lifeline_", gettext_lazy("Each household")),
            FormField("rates", "guest_", gettext_lazy("All guests together")),
        ),
    ),
    FieldGroup(
        gettext_lazy("How far rules can go"),
        (
            FormField(
                "number",
                "max_weight_ratio",
                gettext_lazy("The largest share is at most so many times the smallest"),
                _defaults_to(DEFAULT_CHARTER.max_weight_ratio),
            ),
            FormField(
                "number",
                "reserve_max_percent",
                gettext_lazy("All reserves together, in percent of the line"),
                _defaults_to(RESERVE_MAX_PERCENT),
            ),
            FormField(
                "number",
                "overbook_percent",
                gettext_lazy("Guaranteed speeds together, in percent of the line"),
                gettext_lazy(
                    "More than 100 promises more than the line carries at once. Leave it empty for 100."
                ),
            ),
        ),
    ),
    FieldGroup(
        gettext_lazy("When the line counts as busy"),
        (
            FormField(
                "number",
                "busy_above",
                gettext_lazy("From so many percent of it in use"),
                _defaults_to(DEFAULT_CHARTER.busy.above // 10),
            ),
            FormField(
                "number",
                "busy_below",
                gettext_lazy("Until less than so many percent are"),
                _defaults_to(DEFAULT_CHARTER.busy.below // 10),
            ),
            FormField(
                "number",
                "busy_after",
                gettext_lazy("For so many minutes"),
                _defaults_to(DEFAULT_CHARTER.busy.after // 60_000),
            ),
        ),
    ),
    FieldGroup(
        gettext_lazy("Who decides"),
        (
            FormField("number", "approvals", gettext_lazy("Admins who must approve rules"), _defaults_to(1)),
            FormField(
                "number",
                "charter_approvals",
                gettext_lazy("Admins who must approve a change of the charter"),
                gettext_lazy("Leave it empty for as many as approve rules."),
            ),
            FormField(
                "number",
                "minutes_attested_by",
                gettext_lazy("Admins who must attest new minutes of an assembly"),
                _defaults_to(1),
            ),
            FormField(
                "number",
                "waiting_hours",
                gettext_lazy("Hours that rules wait, so that members can object"),
                _defaults_to(0),
            ),
            FormField(
                "number",
                "step_max_days",
                gettext_lazy("Days that a step of a ladder lasts at most"),
                _defaults_to(STEP_DAYS_MAX),
            ),
            FormField(
                "number",
                "answer_days",
                gettext_lazy("Days until an objection to a step is answered"),
                _defaults_to(ANSWER_DAYS),
            ),
        ),
    ),
)
_SOURCES: Options = (
    ("stated", gettext_lazy("the speed above, always")),
    ("measured", gettext_lazy("what the line carries, as it is measured")),
)


@dataclass(frozen=True, slots=True)
class TableForm:
    """A line or the charter of a draft, opened. It has what the page asks of a `RuleForm`."""

    rule: str
    """The table in brackets, in place of the id of a rule."""
    table: str
    """Its name in the file."""
    form: FormView
    groups: Sequence[FieldGroup]
    approvals: int = 0
    """How many admins must approve its change; 0 where it does not matter."""
    sentence: str = ""
    findings: Mapping[str, tuple[Finding, ...]] = field(default_factory=dict)
    effect: str = ""
    exception_to: str = ""

    @property
    def line(self) -> str:
        """The name of the line; empty for the charter."""
        return "" if self.table == CHARTER else self.table.partition(".")[2]

    def at(self, blank: str) -> tuple[Finding, ...]:
        """What was found at a blank."""
        return self.findings.get(blank, ())

    def options(self, blank: str) -> Options:
        """Of a menu; a value that no menu offers is offered as it is."""
        value = self.form.value(blank)
        offered: Options = _SOURCES if blank == "rate" else tuple((each, each) for each in RATE_UNITS)
        return offered if value in {each for each, _ in offered} else (*offered, (value, value))


def table_form(
    draft: RuleDraft, table: str, charter_approvals: int, *, typed: Blanks | None = None
) -> TableForm | None:
    """The form of this table, with its own blanks or as `typed`; None where the file has no such line."""
    values = table_values(draft, table)
    if values is None:
        return None
    blanks = blanks_of(table, values)
    blanks |= {blank: typed[blank] for blank in blanks if typed is not None and blank in typed}
    is_charter = table == CHARTER
    return TableForm(
        place_of_table(table),
        table,
        FormView(blanks),
        _CHARTER if is_charter else _LINE,
        charter_approvals if is_charter and charter_approvals > 1 else 0,
    )
