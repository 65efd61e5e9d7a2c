"""Generated rule files and members' files, as text: every effect, exceptions, pools, late dues, and times at whole hours."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from node.governance.allowance import Unit
from node.governance.members import parse_members
from node.governance.parse import parse_ruleset
from node.governance.rules import Ruleset

TIERS, GROUPS = ("member", "service", "guest"), ("school", "crew", "clinic")
KBIT = st.sampled_from((64, 100, 256, 300, 300, 900, 2_000, 5_000, 40_000))
RATES = st.builds("{} kbit/s down, {} kbit/s up".format, KBIT, KBIT)
FACTOR, LENGTH = st.sampled_from((2, 2, 3, 9)), st.sampled_from((1, 20, 30, 90))


def _with_burst(down: int, up: int, factor: int, seconds: int) -> str:
    length = min(seconds, 240 // (factor - 1))
    burst = f"{down * factor} kbit/s down, {up * (factor - 1)} kbit/s up for {length} s"
    return f'ceiling = "{down} kbit/s down, {up} kbit/s up"\nburst = "{burst}"'


HOURS = st.builds(
    "{} {:02}:00-{:02}:00".format,
    st.sampled_from(("daily", "mon-fri", "sat,sun", "tue", "sun-mon")),
    st.integers(0, 23),
    st.integers(0, 24),
).filter(lambda text: text[-11:-6] not in (text[-5:], "24:00"))
THEN = st.one_of(
    st.integers(1, 300).map("share {} until reset".format),
    RATES.map("ceiling {} until reset".format),
    st.just("tell"),
)
EFFECTS = {
    "share": st.sampled_from((1, 50, 100, 100, 200, 900)).map("share = {}".format),
    "credit": st.sampled_from((1, 50, 300)).map('credit = "share +{}"'.format),
    "floor": RATES.map('floor = "{}"'.format),
    "reserve": st.integers(1, 60).map('reserve = "{} percent"'.format),
    "ceiling": st.one_of(
        RATES.map('ceiling = "{}"'.format), st.builds(_with_burst, KBIT, KBIT, FACTOR, LENGTH)
    ),
    "quota": st.builds(
        'quota = "{} GB per {}"\nthen = "{}"'.format,
        st.integers(1, 90),
        st.sampled_from(("day", "week", "month")),
        THEN,
    ),
    "session": st.integers(1, 9).map('session = "{} hours"'.format),
    "devices": st.integers(1, 9).map("devices = {}".format),
}
SELECTOR = st.sampled_from(
    [*(f"tier:{tier}" for tier in TIERS), *(f"group:{group}" for group in GROUPS), "dues:late"]
)
LIST = st.lists(SELECTOR, min_size=1, max_size=3, unique=True)
HEAD = """
[ruleset]
community = "vall-baixa"
version = 1
decision = "D-1"
[charter]
lifeline = "{} kbit/s down, {} kbit/s up"
guest_lifeline = "{} kbit/s down, {} kbit/s up"
max_weight_ratio = {}
"""
UPLINK = '[uplink.main]\ndown = "{} kbit/s"\nup = "{} kbit/s"\n'
MEASURED = 'rate = "measured"\nleast = "{0} kbit/s down, {0} kbit/s up"\n'


def _list(names: list[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"


@st.composite
def rule_texts(draw: Callable[..., Any], rules_max: int = 7) -> str:
    """A rule file; some are refused."""
    least = st.sampled_from((64, 100, 256))
    text = HEAD.format(draw(least), draw(least), draw(least), draw(least), draw(st.integers(1, 5)))
    if draw(st.integers(0, 3)) == 0:
        text += '[decisions]\n"D-1" = "2025-12-05"\n'
    if draw(st.booleans()):
        text += UPLINK.format(draw(st.integers(1_000, 9_000)), draw(st.integers(1_000, 9_000)))
        text += MEASURED.format(draw(st.integers(500, 1_000))) if draw(st.booleans()) else ""
    written: list[tuple[str, str]] = []
    for number in range(draw(st.integers(0, rules_max))):
        name, kind = f"{draw(st.sampled_from('abc'))}{number}", draw(st.sampled_from(sorted(EFFECTS)))
        text += f'[[rule]]\nid = "{name}"\nby = "D-1"\n{draw(_bodies(kind, written))}\n'
        written.append((name, kind))
    return text


@st.composite
def _bodies(draw: Callable[..., Any], kind: str, written: list[tuple[str, str]]) -> str:
    """What a rule says; `written` are the ids and effects of the rules before it."""
    replaced = [name for name, other in written if other == kind]
    lines = [draw(EFFECTS[kind])]
    if replaced and draw(st.booleans()):
        lines.append(f'exception_to = "{draw(st.sampled_from(replaced))}"')
        if kind == "ceiling" and draw(st.booleans()):
            lines[0] = 'ceiling = "none"'
    elif kind == "reserve" or (
        kind in ("share", "floor", "ceiling") and draw(st.sampled_from((False, False, True)))
    ):
        lines.append("together = true")
    if len(lines) == 1 or "together" in lines[1] or draw(st.booleans()):
        who = draw(LIST)
        lines.append('who = "everyone"' if draw(st.integers(0, 4)) == 0 else f"who = {_list(who)}")
        if draw(st.integers(0, 4)) == 0:
            lines.append(f"except = {_list(draw(LIST))}")
    if draw(st.booleans()):
        lines.append(f'when = "{draw(HOURS)}"')
    if draw(st.integers(0, 11)) == 0:
        lines.append(f'{draw(st.sampled_from(("from", "expires")))} = "2026-12-{draw(st.integers(1, 9)):02}"')
    elif kind in ("quota", "credit") and draw(st.booleans()):
        lines.append('expires = "never"')
    if kind in ("share", "ceiling", "session") and draw(st.integers(0, 3)) == 0:
        lines.append('while = "busy"')
    if draw(st.integers(0, 5)) == 0:
        lines.append(f'at = "node:{draw(st.sampled_from(("library", "mill")))}"')
    return "\n".join(lines)


@st.composite
def rolls(draw: Callable[..., Any]) -> tuple[Unit, ...]:
    """Accounts, from the text of a members' file; perhaps none."""
    text = ""
    for number in range(draw(st.integers(0, 5))):
        groups = draw(st.lists(st.sampled_from(GROUPS), max_size=3, unique=True))
        tier = draw(st.sampled_from(("member", "member", "service")))
        text += f'[[account]]\nid = "h{number}"\ntier = "{tier}"\ngroups = {_list(groups)}\n'
    directory, findings = parse_members(text)
    assert directory is not None, findings
    return directory.units


def parsed(text: str) -> Ruleset | None:
    """The rules of a text that the parser accepts; the checks may still refuse them."""
    return parse_ruleset(text)[0]


RULESETS = rule_texts().map(parsed).filter(lambda ruleset: ruleset is not None)
"""Rules that were read from text; each effect, exceptions, pools, and times of whole hours."""
