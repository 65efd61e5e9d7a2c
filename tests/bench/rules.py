"""How long rules take: to check before they are adopted, to refuse when they are hostile, and to evaluate for everybody.

Each figure in ms is processor time of one core, the median of a few tries; those with ``worst`` in their names are the
slowest of several files, each of which is as bad in its own way as the limits of the format allow. Times of `check` include
reading the text, as when an admin saves it.
"""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import cycle

from node.accounting.ledger import Ledger, UsageKey
from node.governance.allowance import Allowance, Moment, Unit
from node.governance.change_impact import change_impact
from node.governance.change_sentences import change_sentences
from node.governance.checks import check_file
from node.governance.parse import EXAMPLES_MAX, FILE_BYTES_MAX, parse_ruleset
from node.governance.rule_evaluation import Evaluator
from node.governance.rule_table import RULES_MAX
from node.governance.times import DAYS, MINUTES_PER_DAY, clock_text
from node.governance.times import TEXT_MAX as TIMES_TEXT_MAX
from node.governance.value_syntax import SELECTORS_MAX
from node.units import GIGA, AccountId, Bytes, NodeId, Usage
from tests.bench.busy_line import busy_to_kernel_s
from tests.bench.figures import Figures, quantile, say
from tests.bench.interval_rows import replay_14d_200_s, rows_mb_14d_200
from tests.bench.rule_editor import editor_p95_ms

KEYS = (
    "check_25_ms",
    "check_200_ms",
    "check_worst_ms",
    "check_200_1000_ms",
    "hostile_worst_ms",
    "evaluate_1000_ms",
    "compare_25_ms",
    "editor_p95_ms",
    "busy_to_kernel_s",
    "rows_mb_14d_200",
    "replay_14d_200_s",
)
REPLAY_LINE = "280 Mbit/s"
"""What 200 accounts use is more in an eighth of the intervals, which is three hours a day."""
TRIES = 3
ACCOUNTS, ACCOUNTS_MANY = 200, 1_000
TIERS = ("member", "service", "commons")
GROUPS = ("school", "clinic", "mast-host", "crew", "late", "shop", "library", "youth")
HEAD = """
[ruleset]
community = "vall-baixa"
version = 1
decision = "D-1"
[uplink.main]
down = "900 Mbit/s"
up = "900 Mbit/s"
[charter]
lifeline = "256 kbit/s down, 96 kbit/s up"
guest_lifeline = "1 Mbit/s down, 256 kbit/s up"
max_weight_ratio = 4
"""


def roll(accounts: int, seed: int = 1) -> tuple[Unit, ...]:
    """Accounts of a few tiers, each with up to three of a few groups."""
    chance = random.Random(seed)
    return tuple(
        Unit(
            AccountId(f"household-{n}"),
            chance.choices(TIERS, (8, 1, 1))[0],
            frozenset(chance.sample(GROUPS, chance.choices(range(4), (5, 3, 2, 1))[0])),
        )
        for n in range(accounts)
    )


def roll_of_all_different(accounts: int, groups: Sequence[str], seed: int = 2) -> tuple[Unit, ...]:
    """Accounts with different groups, as far as there are so many sets of groups; each of the others has another tier."""
    chance = random.Random(seed)
    sets: dict[frozenset[str], None] = {}
    while len(sets) < min(accounts, 2 ** len(groups)):
        sets[frozenset(chance.sample(groups, chance.randint(0, min(12, len(groups)))))] = None
    return tuple(
        Unit(AccountId(f"household-{n}"), TIERS[n % len(TIERS)] if n >= len(sets) else "member", each)
        for n, each in zip(range(accounts), cycle(sets), strict=False)
    )


def rule(name: str, who: str, body: str) -> str:
    return f'[[rule]]\nid = "{name}"\nby = "D-1"\nwho = {who}\n{body}\n'


def ordinary_rules(count: int, seed: int = 3) -> str:
    """Rules as communities write them: one share for each tier, then floors, ceilings, quotas, visits and devices, many of
    them at some hours of some days, a third of the ceilings with an exception."""
    chance = random.Random(seed)
    rules = [
        rule(f"share-{tier}", f'"tier:{tier}"', f"share = {100 + 20 * n}") for n, tier in enumerate(TIERS)
    ]
    while len(rules) < count:
        n = len(rules)
        who = chance.choice([f'"tier:{t}"' for t in TIERS] + [f'"group:{g}"' for g in GROUPS])
        first, last = sorted(chance.sample(range(24), 2))
        hours = f'when = "{chance.choice(("daily", "mon-fri", "sat,sun"))} {first:02}:00-{last:02}:30"\n'
        body, name = chance.choice((_floor, _ceiling, _ceiling, _ceiling, _quota, _visit, _devices))(chance)
        rules.append(rule(f"{name}-{n}", who, body + (hours if chance.random() < 0.6 else "")))
        if name == "ceiling" and chance.random() < 0.34 and len(rules) < count:
            lift = f'[[rule]]\nid = "lift-{n}"\nby = "D-1"\nceiling = "none"\nexception_to = "ceiling-{n}"\n'
            rules.append(lift + 'when = "sat 22:00-24:00"\n')
    return HEAD + "".join(rules[:count])


def _floor(chance: random.Random) -> tuple[str, str]:
    return (
        f'floor = "{chance.randint(300, 900)} kbit/s down, {chance.randint(100, 300)} kbit/s up"\n',
        "floor",
    )


def _ceiling(chance: random.Random) -> tuple[str, str]:
    return f'ceiling = "{chance.randint(1, 90)} Mbit/s down, {chance.randint(1, 40)} Mbit/s up"\n', "ceiling"


def _quota(chance: random.Random) -> tuple[str, str]:
    then = chance.choice(
        (f"share {chance.randint(10, 90)}", f"ceiling {chance.randint(1, 9)} Mbit/s down, 1 Mbit/s up")
    )
    return f'quota = "{chance.randint(1, 200)} GB per month"\nthen = "{then} until reset"\n', "quota"


def _visit(chance: random.Random) -> tuple[str, str]:
    return f'session = "{chance.randint(1, 24)} hours"\n', "visit"


def _devices(chance: random.Random) -> tuple[str, str]:
    return f"devices = {chance.randint(1, 20)}\n", "devices"


# --- as bad as the limits allow -----------------------------------------------------------


def _many_times(n: int, length: int = 7) -> str:
    """As many times as one rule can have, others for each `n`: all rules together start or end at almost each minute."""
    chance, parts = random.Random(n), list[str]()
    while len("; ".join(parts)) < TIMES_TEXT_MAX - 40:
        at = chance.randrange(MINUTES_PER_DAY)
        end = (at + chance.randint(1, 2 * length)) % MINUTES_PER_DAY
        parts.append(f"{chance.choice(('daily', 'mon-fri', 'tue-sun'))} {clock_text(at)}-{clock_text(end)}")
    return f'when = "{"; ".join(parts)}"\n'


def _selected(n: int) -> str:
    return f'["group:g{n % 40}", "group:g{(n * 7 + 1) % 40}"]'


def never_binding() -> str:
    """Each minute other rules apply, and one that is stricter than all of them hides every effect."""
    rules = [rule("least", '"everyone"', 'ceiling = "1 Mbit/s down, 1 Mbit/s up"')]
    for n in range(1, RULES_MAX):
        effect = f'ceiling = "{n + 2} Mbit/s down, {250 - n} Mbit/s up"'
        rules += [rule(f"c{n}", _selected(n), f"{effect}\n{_many_times(n)}")]
    return HEAD + "".join(rules)


def never_binding_quotas() -> str:
    rules = [rule("least", '"everyone"', 'ceiling = "1 Mbit/s down, 1 Mbit/s up"')]
    for n in range(1, RULES_MAX):
        then = f"ceiling {n + 2} Mbit/s down, {250 - n} Mbit/s up until reset"
        rules += [rule(f"q{n}", _selected(n), f'quota = "{n} GB per day"\nthen = "{then}"\n{_many_times(n)}')]
    return HEAD + "".join(rules)


def never_overlapping() -> str:
    """Floors and ceilings that contradict each other, but for exceptions that always apply in time."""
    rules = []
    for n in range(66):
        rules.append(
            rule(
                f"f{n}",
                _selected(n),
                f'floor = "{n + 300} kbit/s down, 100 kbit/s up"\nwhen = "mon-wed 00:00-24:00"',
            )
        )
        rules.append(
            rule(f"c{n}", _selected(n), f'ceiling = "{n + 260} kbit/s down, 100 kbit/s up"\n{_many_times(n)}')
        )
        lift = f'[[rule]]\nid = "x{n}"\nby = "D-1"\nceiling = "none"\nexception_to = "c{n}"\nwhen = "mon-thu 00:00-24:00"\n'
        rules.append(lift)
    return HEAD + "".join(rules)


def contradictions() -> str:
    """As many errors as possible: each floor above each ceiling, each share beside each other."""
    rules = []
    for n in range(66):
        rules.append(
            rule(f"f{n}", _selected(n), f'floor = "{n + 30} Mbit/s down, 9 Mbit/s up"\n{_many_times(n, 50)}')
        )
        rules.append(
            rule(
                f"c{n}",
                _selected(n + 1),
                f'ceiling = "{n + 300} kbit/s down, 100 kbit/s up"\n{_many_times(n, 50)}',
            )
        )
        rules.append(rule(f"s{n}", _selected(n), f"share = {n + 30}\n{_many_times(n, 50)}"))
    return HEAD + "".join(rules)


def floors_at_many_times() -> str:
    rules = [
        rule(
            f"f{n}",
            _selected(n),
            f'floor = "{n + 300} kbit/s down, {300 - n} kbit/s up"\n{_many_times(n, 50)}',
        )
        for n in range(RULES_MAX)
    ]
    return HEAD + "".join(rules)


def rivalling_exceptions() -> str:
    """One ceiling, and exceptions to it that replace one another."""
    rules = [rule("base", '"everyone"', 'ceiling = "9 Mbit/s down, 9 Mbit/s up"')]
    for n in range(RULES_MAX - 1):
        target = "base" if n < 100 else f"x{n - 100}"
        rules.append(
            rule(
                f"x{n}",
                _selected(n),
                f'ceiling = "{n + 10} Mbit/s down, 9 Mbit/s up"\nexception_to = "{target}"\n{_many_times(n)}',
            )
        )
    return HEAD + "".join(rules)


def pools_of_all() -> str:
    """Pools with floors and ceilings of their own, of the same people at other minutes."""
    rules = []
    for n in range(66):
        who = _selected(n)
        rules.append(rule(f"s{n}", who, f"share = {n + 100}\ntogether = true\n"))
        rules.append(
            rule(
                f"f{n}",
                who,
                f'floor = "{n + 300} kbit/s down, 400 kbit/s up"\ntogether = true\n{_many_times(n)}',
            )
        )
        rules.append(
            rule(
                f"c{n}",
                who,
                f'ceiling = "{n + 900} kbit/s down, 900 kbit/s up"\ntogether = true\n{_many_times(n)}',
            )
        )
    return HEAD + "".join(rules)


def many_dates() -> str:
    """Each rule begins and ends on other days, leaves out named days, and holds while the line is busy."""
    named = "\n".join(f'd{n} = ["2026-{n % 12 + 1:02}-{n % 27 + 1:02}"]' for n in range(20))
    rules = [
        rule(
            f"c{n}",
            _selected(n),
            f'ceiling = "{n + 2} Mbit/s down, 9 Mbit/s up"\nwhile = "busy"\n'
            f'from = "2026-{n % 12 + 1:02}-{n % 28 + 1:02}"\nexpires = "2027-{n % 12 + 1:02}-{n * 7 % 28 + 1:02}"\n'
            f'when = "mon-fri {n % 24:02}:00-{(n + 5) % 24:02}:30 except d{n % 20}"\n',
        )
        for n in range(30)
    ]
    rules += [rule(f"k{n}", _selected(n), f'credit = "share +{n + 1}"') for n in range(RULES_MAX - 30)]
    return f"{HEAD}[calendar]\n{named}\n" + "".join(rules)


def many_tests() -> str:
    """As many tests as a file can have, each at another minute, of everybody at once."""
    rules = [
        rule(f"c{n}", _selected(n), f'ceiling = "{n + 2} Mbit/s down, 9 Mbit/s up"\n{_many_times(n)}')
        for n in range(150)
    ]
    tests = "".join(
        f'[[test]]\ngiven = "group:g{n % 40}, {DAYS[n % 7]} {n % 24:02}:{n:02}"\nexpect = "down >= 64 kbit/s"\n'
        for n in range(EXAMPLES_MAX)
    )
    return HEAD + "".join(rules) + tests


def many_tests_of_everyone() -> str:
    """As many tests as a file can have, each of everybody at all times, with another quota used up."""
    rules = [
        rule(f"c{n}", _selected(n), f'ceiling = "{n + 2} Mbit/s down, 9 Mbit/s up"\n{_many_times(n)}')
        for n in range(100)
    ]
    rules += [
        rule(f"q{n}", _selected(n), f'quota = "{n + 1} GB per day"\nthen = "share {n + 1} until reset"')
        for n in range(100)
    ]
    tests = "".join(
        f'[[test]]\ngiven = "everyone with q{n} used up, always"\nexpect = "down >= 1 kbit/s and share >= 1"\n'
        for n in range(EXAMPLES_MAX)
    )
    return HEAD + "".join(rules) + tests


def groups_without_members() -> str:
    """As many different sets of selecting rules as the file's size allows, of groups that nobody is in."""
    rules, named = [], iter((a, b) for a in range(100) for b in range(a))
    lists: list[list[str]] = [[] for _ in range(100)]
    for number, (a, b) in enumerate(named):
        if max(len(lists[a]), len(lists[b])) < SELECTORS_MAX:
            lists[a].append(f"h{number}")
            lists[b].append(f"h{number}")
    for n, names in enumerate(lists):
        who = "[" + ", ".join(f'"group:{name}"' for name in names) + "]"
        rules.append(rule(f"c{n}", who, f'ceiling = "{n + 1} Mbit/s down, 9 Mbit/s up"\n{_many_times(n)}'))
        rules.append(
            rule(f"e{n}", '"everyone"', f'ceiling = "{n + 1} Mbit/s down, 9 Mbit/s up"\n{_many_times(n + 3)}')
        )
    return HEAD + "".join(rules)


WORST: Mapping[str, Callable[[], str]] = {
    each.__name__: each
    for each in (
        never_binding,
        never_binding_quotas,
        never_overlapping,
        contradictions,
        floors_at_many_times,
        rivalling_exceptions,
        pools_of_all,
        many_dates,
        many_tests,
        many_tests_of_everyone,
        groups_without_members,
    )
}


def hostile() -> Iterator[tuple[str, str]]:
    """Files that must be refused, by what is wrong with them."""
    fill = FILE_BYTES_MAX - 400
    yield "dotted keys", "a" + ".a" * (fill // 2) + " = 1"
    yield "dotted keys, on many lines", "\n".join(f"{'.'.join('abcdefg')}{n} = 1" for n in range(fill // 24))
    yield "10,000 rules", HEAD + '[[rule]]\nid="a"\n' * 10_000
    yield "10,000 different rules", HEAD + "".join(f'[[rule]]\nid="r{n}"\n' for n in range(10_000))
    yield (
        "mixed scripts",
        HEAD + rule("a", '"everyone"', 'share = 100\nwhy = "p\N{CYRILLIC SMALL LETTER A}y"'),
    )
    yield (
        "many words of mixed scripts",
        HEAD
        + rule("a", '"everyone"', "share = 100")
        + "".join(f'[[test]]\ngiven = "p\N{CYRILLIC SMALL LETTER A}y{n}"\n' for n in range(4_000)),
    )
    yield "invisible characters", HEAD + "# \N{RIGHT-TO-LEFT OVERRIDE}" + "a" * 10_000
    yield (
        "invisible characters at the end",
        HEAD + ("# " + "\N{ARABIC LETTER BEH}" * 8_000 + "\n") * 15 + "\u200b",
    )
    yield "brackets in brackets", HEAD + "x = " + "[" * 8_000
    yield "inline tables in each other", HEAD + "x = " + "{a=" * 5_000
    yield "many short lists", HEAD + "x = [" + "[[[[]]]]," * 1_000 + "]"
    yield "a huge number", HEAD + rule("a", '"everyone"', "share = " + "9" * 16_000)
    yield "a huge hexadecimal number", HEAD + rule("a", '"everyone"', "share = 0x" + "f" * 100)
    yield "a huge speed", HEAD + rule("a", '"everyone"', f'ceiling = "{"9" * 490} Mbit/s down, 1 Mbit/s up"')
    yield "many errors of syntax", HEAD + "x = = 1\n" * (fill // 8)
    yield "many quotes that do not end", HEAD + 'x = "\n' * (fill // 6)
    yield "texts on many lines", HEAD + 'x = """\n' + "a\n" * (fill // 2)
    yield "many unknown keys", HEAD + "[[rule]]\n" + "\n".join(f"key{n} = 1" for n in range(fill // 13))
    yield "many unknown tables", HEAD + "\n".join(f"[t{n}]" for n in range(fill // 9))
    yield (
        "a cycle of exceptions",
        HEAD
        + "".join(
            f'[[rule]]\nid = "r{n}"\nby = "D-1"\nshare = 9\nexception_to = "r{(n + 1) % RULES_MAX}"\n'
            for n in range(RULES_MAX)
        ),
    )
    yield "over the size limit", "#" + "a\n" * (FILE_BYTES_MAX // 2 + 1)
    yield "long lines", "# " + "a" * fill


def evaluation() -> Callable[[], Sequence[Allowance]]:
    """Evaluates all accounts once, as the daemon does in each cycle while all of them are online; at another hour each
    time, so that nothing is known from before. No two accounts have the same groups."""
    text, units = ordinary_rules(25), roll_of_all_different(ACCOUNTS_MANY, GROUPS)
    ruleset, findings = parse_ruleset(text)
    if ruleset is None:
        raise ValueError(f"the rules of the bench cannot be read: {findings}")
    evaluator, ledger, chance = Evaluator(ruleset), Ledger(), random.Random(4)
    for unit in units:
        for day in range(1, 29):
            down = Bytes(chance.randrange(9 * GIGA))
            used = Usage(down, Bytes(down // 10))
            ledger.add(UsageKey(NodeId("n"), "1", unit.account, f"2026-06-{day:02}"), used, busy=day % 3 == 0)
    at = datetime(2026, 6, 1, tzinfo=UTC)

    def once() -> Sequence[Allowance]:
        nonlocal at
        at += timedelta(days=1, minutes=61)
        moment, day = Moment(at, "synced"), at.date().isoformat()
        return [
            evaluator.policy_for(unit, moment, evaluator.quotas_used(ledger, unit.account, day))
            for unit in units
        ]

    return once


def milliseconds(run: Callable[[], object], tries: int = TRIES) -> float:
    """Median processor time."""
    taken = []
    for _ in range(tries):
        begun = time.process_time()
        run()
        taken.append((time.process_time() - begun) * 1000)
    return round(quantile(taken, 0.5), 1)


def slowest(each: Mapping[str, float]) -> float:
    say(json.dumps(each))
    return max(each.values())


def measure() -> Figures:
    few, many, different = (
        roll(ACCOUNTS),
        roll(ACCOUNTS_MANY),
        roll_of_all_different(ACCOUNTS, [f"g{n}" for n in range(40)]),
    )
    text = ordinary_rules(RULES_MAX)
    once = evaluation()
    once()
    return {
        "check_25_ms": milliseconds(lambda: check_file(ordinary_rules(25), few)),
        "check_200_ms": milliseconds(lambda: check_file(text, few)),
        "check_worst_ms": slowest(
            {name: milliseconds(partial(check_file, make(), different), 1) for name, make in WORST.items()}
        ),
        "check_200_1000_ms": milliseconds(lambda: check_file(text, many)),
        "hostile_worst_ms": slowest(
            {name: milliseconds(partial(refused, each), 1) for name, each in hostile()}
        ),
        "evaluate_1000_ms": milliseconds(once, 9),
        "compare_25_ms": milliseconds(partial(compared, ordinary_rules(25), ordinary_rules(25, seed=9), few)),
        "editor_p95_ms": editor_p95_ms(ordinary_rules(25), few),
        "busy_to_kernel_s": round(busy_to_kernel_s(ACCOUNTS), 3),
        "rows_mb_14d_200": rows_mb_14d_200(),
        "replay_14d_200_s": replayed_s(few),
    }


def replayed_s(units: Sequence[Unit]) -> float:
    texts = (ordinary_rules(25), ordinary_rules(25, seed=9))
    before, after = (parse_ruleset(text.replace('"900 Mbit/s"', f'"{REPLAY_LINE}"'))[0] for text in texts)
    if before is None or after is None:
        raise ValueError("the rules of this bench have errors")
    return replay_14d_200_s(before, after, units)


def refused(text: str) -> None:
    """Raises ValueError when the file is not refused with a reason and a fix."""
    ruleset, findings = check_file(text)
    if ruleset is not None or not all(finding.message and finding.fix for finding in findings):
        raise ValueError(f"not refused: {text[:80]!r}")


def compared(before: str, after: str, units: Sequence[Unit]) -> None:
    """Two files that have nothing in common but their head, up to the sentences. Raises ValueError when the comparison is
    not complete."""
    rulesets = [parse_ruleset(text)[0] for text in (before, after)]
    if rulesets[0] is None or rulesets[1] is None:
        raise ValueError("the rules of this bench have errors")
    impact = change_impact(rulesets[0], rulesets[1], units)
    if not impact.is_complete or not change_sentences(impact):
        raise ValueError("the comparison is not complete")
