"""Bursts: from the text of a rule to what accounts may have, and never more than each ceiling allows."""

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from node.enforcement.htb_classes import BURST_BYTES_MAX, BURST_MS, UPLINK_MINOR, htb_classes
from node.enforcement.plan import ShapedClass
from node.enforcement.tc import PSCHED_TICK_NS, as_message, changes
from node.errors import InvalidValue
from node.governance.burst import (
    LENGTH_MAX,
    LENGTH_MIN,
    Burst,
    favours_burst,
    format_burst,
    least_burst,
    length_at_most,
    parse_burst,
    peak,
    saved_bits,
)
from node.governance.explanation import explain
from node.governance.rule_evaluation import CODE_LIFELINE
from node.units import NO_RATES, BitsPerSecond, Milliseconds, Rates, highest, lowest
from tests.fakes.rule_files import GUEST, MEMBER, SCHOOL, evaluate, on, rule, rules_of, used

CEILING = 'ceiling = "5 Mbit/s down, 2 Mbit/s up"'
BURST = 'burst = "20 Mbit/s down, 5 Mbit/s up for 30 s"'
RATE = st.integers(1, 10**8).map(lambda rate: BitsPerSecond(rate * 1_000))
RATES = st.builds(Rates, RATE, RATE)
LENGTH = st.integers(1, 300).map(lambda seconds: Milliseconds(seconds * 1_000))
TICKS_MS = 0xFFFFFFFF * PSCHED_TICK_NS // 1_000_000
BURSTS = st.builds(Burst, RATES, LENGTH)


@st.composite
def limits(draw: st.DrawFn) -> tuple[Rates, Burst | None]:
    """A ceiling with a burst that is not below it, or without one."""
    ceiling, burst = draw(RATES), draw(st.none() | BURSTS)
    if burst is None:
        return ceiling, None
    rates = Rates(max(ceiling.down, burst.rates.down), max(ceiling.up, burst.rates.up))
    return ceiling, replace(burst, rates=rates)


def mbit(down: float, up: float) -> Rates:
    return Rates(BitsPerSecond(int(down * 1_000_000)), BitsPerSecond(int(up * 1_000_000)))


@pytest.mark.parametrize(
    ("text", "burst"),
    [
        ("20 Mbit/s for 30 s", Burst(mbit(20, 20), Milliseconds(30_000))),
        ("20 Mbit/s down, 5 Mbit/s up for 30 s", Burst(mbit(20, 5), Milliseconds(30_000))),
        ("5 Mbit/s up and 20 Mbit/s down for 30 seconds", Burst(mbit(20, 5), Milliseconds(30_000))),
        ("20 Mbit/s for 1 second", Burst(mbit(20, 20), LENGTH_MIN)),
        ("20 Mbit/s for 5 min", Burst(mbit(20, 20), LENGTH_MAX)),
        (" 20 Mbit/s for 2 minutes ", Burst(mbit(20, 20), Milliseconds(120_000))),
    ],
)
def test_a_burst_is_a_speed_and_for_how_long(text, burst):
    assert burst == parse_burst(text)


@pytest.mark.parametrize(
    "text",
    [
        "20 Mbit/s",
        "30 s",
        "20 for 30 s",
        "20 Mbit/s for 30",
        "20 Mbit/s for 0 s",
        "20 Mbit/s for 301 s",
        "20 Mbit/s for 6 minutes",
        "20 Mbit/s for 1 hour",
        "20 Mbit/s for ٣ s",
        "20 Mbit/s down, 5 Mbit/s down for 30 s",
        "20 Mbit/s for 99999999999999999999 s",
        "20 Mbit/s for 30 s for 30 s",
        "",
    ],
)
def test_what_is_no_burst_says_what_to_write(text):
    with pytest.raises(InvalidValue) as found:
        parse_burst(text)
    assert found.value.message


@given(BURSTS)
def test_the_text_of_a_burst_gives_the_same_burst(burst):
    assert burst == parse_burst(format_burst(burst))


# --- several together ---------------------------------------------------------------------------


def most(ceiling: int, rate: int, length: Milliseconds, ms: int) -> int:
    """What one direction can transfer in so many milliseconds after a pause, in thousandths of a bit."""
    return min(rate * ms, ceiling * ms + (rate - ceiling) * length)


@given(st.lists(limits(), min_size=1, max_size=5), st.integers(1, 900_000))
def test_several_ceilings_together_never_allow_more_than_one_of_them(each, ms):
    ceiling = Rates(min(rates.down for rates, _ in each), min(rates.up for rates, _ in each))
    burst = least_burst(each, ceiling)
    top, length = peak(ceiling, burst), Milliseconds(0) if burst is None else burst.length
    for rates, other in each:
        most_of, of = peak(rates, other), Milliseconds(0) if other is None else other.length
        assert most(ceiling.down, top.down, length, ms) <= most(rates.down, most_of.down, of, ms)
        assert most(ceiling.up, top.up, length, ms) <= most(rates.up, most_of.up, of, ms)


@given(st.lists(limits(), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_their_order_does_not_matter_and_what_can_be_saved_up_stays_so(each, random):
    ceiling = Rates(min(rates.down for rates, _ in each), min(rates.up for rates, _ in each))
    burst = least_burst(each, ceiling)
    shuffled = list(each)
    random.shuffle(shuffled)
    assert burst == least_burst(shuffled, ceiling)
    assert burst is None or lowest(burst.rates, ceiling) == ceiling != burst.rates
    if burst is not None and all(b is None or b.length <= length_at_most(c, b.rates) for c, b in each):
        assert burst.length <= length_at_most(ceiling, burst.rates)


FEW_LIMITS = st.builds(
    lambda ceiling, burst: (ceiling, burst and replace(burst, rates=highest(burst.rates, ceiling))),
    st.sampled_from([mbit(1, 1), mbit(1, 2), mbit(5, 2)]),
    st.none()
    | st.builds(Burst, st.sampled_from([mbit(4, 2), mbit(9, 9)]), st.sampled_from([9, 30]).map(Milliseconds)),
)


@given(FEW_LIMITS, FEW_LIMITS, st.integers(1, 900))
def test_a_burst_that_favours_people_is_less_at_no_time(one, other, ms):
    (ceiling, burst), (before, burst_before) = one, other
    if lowest(ceiling, before) != before or not favours_burst(burst, ceiling, burst_before, before):
        return
    top, top_before = peak(ceiling, burst), peak(before, burst_before)
    length, length_before = (Milliseconds(0) if b is None else b.length for b in (burst, burst_before))
    assert most(before.down, top_before.down, length_before, ms) <= most(ceiling.down, top.down, length, ms)
    assert most(before.up, top_before.up, length_before, ms) <= most(ceiling.up, top.up, length, ms)


def test_a_ceiling_without_a_burst_is_the_most_also_in_the_first_seconds():
    wide = rule("wide", 'ceiling = "8 Mbit/s down, 2 Mbit/s up"', '"everyone"')
    found = evaluate(MEMBER, on("fri 21:00"), {}, rules_of(rule("top", f"{CEILING}\n{BURST}"), wide))
    assert mbit(5, 2) == found.ceiling.value
    assert Burst(mbit(8, 2), Milliseconds(30_000)) == found.burst
    assert ("top", "wide") == found.ceiling.reasons
    assert found.ceiling.sentence.count(".") > 2


def test_the_consequence_of_a_quota_has_no_burst():
    quota = (
        'quota = "6 GB per day"\nthen = "ceiling 1 Mbit/s down, 500 kbit/s up until reset"\ncounts = "uplink"'
    )
    ruleset = rules_of(rule("top", f"{CEILING}\n{BURST}"), rule("day", quota))
    assert (
        parse_burst("20 Mbit/s down, 5 Mbit/s up for 30 s")
        == evaluate(MEMBER, on("fri 21:00"), {}, ruleset).burst
    )
    slowed = evaluate(MEMBER, on("fri 21:00"), used(7, "day"), ruleset)
    assert (mbit(1, 0.5), None) == (slowed.ceiling.value, slowed.burst)


def test_a_pool_has_one_burst_and_each_of_it_another():
    ruleset = rules_of(
        rule("school", "share = 200\ntogether = true", '"group:school"'),
        rule("all", f"{CEILING}\n{BURST}\ntogether = true", '"group:school"'),
        rule("each", 'ceiling = "2 Mbit/s down, 1 Mbit/s up"\nburst = "4 Mbit/s for 9 s"', '"group:school"'),
    )
    found = evaluate(SCHOOL, on("fri 21:00"), {}, ruleset)
    assert Burst(mbit(4, 4), Milliseconds(9_000)) == found.burst
    assert parse_burst("20 Mbit/s down, 5 Mbit/s up for 30 s") == found.pool_burst
    assert 2 == sum("for the first" in line and line.startswith("   up to") for line in explain(found))


def test_no_exception_inherits_a_burst():
    night = rule(
        "night",
        'ceiling = "9 Mbit/s down, 9 Mbit/s up"\nwhen = "daily 00:00-06:00"\nexception_to = "top"',
        "",
    )
    ruleset = rules_of(rule("top", f"{CEILING}\n{BURST}", '"tier:guest"'), night)
    assert evaluate(GUEST, on("fri 03:00"), {}, ruleset).burst is None
    assert evaluate(GUEST, on("fri 07:00"), {}, ruleset).burst is not None


# --- in the kernel's classes --------------------------------------------------------------------


@st.composite
def shaped(draw: st.DrawFn) -> dict[int, ShapedClass]:
    """Accounts and a pool, some with a burst that the checks would let pass."""
    found: dict[int, ShapedClass] = {}
    for minor in draw(st.lists(st.integers(2, 0xFFEF), max_size=12, unique=True)):
        ceiling, burst = draw(limits())
        ceiling = highest(ceiling, CODE_LIFELINE)
        burst = None if burst is None else replace(burst, rates=highest(burst.rates, ceiling))
        if burst is not None and burst.length > (longest := length_at_most(ceiling, burst.rates)):
            burst = replace(burst, length=longest) if longest else None
        parent = 1 if draw(st.booleans()) else None
        found[minor] = ShapedClass(minor, parent, NO_RATES, ceiling, draw(st.integers(1, 400)), burst=burst)
    if any(each.parent_minor for each in found.values()):
        found = {
            1: ShapedClass(1, None, NO_RATES, mbit(5, 2), 100, burst=parse_burst("9 Mbit/s for 30 s"))
        } | found
    return found


@example(
    {
        1: ShapedClass(1, None, NO_RATES, mbit(5, 2), 100, burst=parse_burst("9 Mbit/s for 30 s")),
        2: ShapedClass(
            2,
            1,
            NO_RATES,
            Rates(BitsPerSecond(7_271_000), BitsPerSecond(32_000)),
            1,
            burst=parse_burst("7272 kbit/s for 1 s"),
        ),
    },
    None,
    None,
    False,
)
@example(
    {
        2: ShapedClass(
            2,
            None,
            NO_RATES,
            Rates(BitsPerSecond(25_600_002_000), BitsPerSecond(32_000)),
            1,
            burst=Burst(Rates(BitsPerSecond(25_600_003_000), BitsPerSecond(32_000)), Milliseconds(1_000)),
        ),
    },
    None,
    None,
    False,
)
@given(shaped(), st.none() | RATES, st.none() | RATES, st.booleans())
def test_a_burst_changes_nothing_of_what_others_are_guaranteed_and_fits_the_kernels_counters(
    classes, uplink, measured, upwards
):
    plain = {minor: replace(each, burst=None) for minor, each in classes.items()}
    found = htb_classes(classes, uplink, upwards=upwards, measured=measured)
    without = htb_classes(plain, uplink, upwards=upwards, measured=measured)
    assert without.keys() <= found.keys()
    for minor, htb in without.items():
        assert found[minor].rate == htb.rate
        if uplink is None and htb.parent_minor == 1:
            # Of a pool without a line, each may have the pool's burst.
            assert htb.ceil <= found[minor].ceil
            continue
        same = (found[minor].rate, found[minor].ceil, found[minor].quantum_bytes, found[minor].prio)
        assert same == (htb.rate, htb.ceil, htb.quantum_bytes, htb.prio)
    above = found.keys() - without.keys()
    for minor in above:
        (below,) = [each for each in found.values() if each.parent_minor == minor]
        burst = classes[below.minor].burst
        assert burst is not None
        assert below.peak == found[minor].ceil > below.ceil
        assert found[minor].ceil <= (burst.rates.up if upwards else burst.rates.down)
        assert found[minor].parent_minor == without[below.minor].parent_minor
        saved = saved_bits(below.ceil, burst.rates.up if upwards else burst.rates.down, burst.length)
        # Without a line, a class of a pool with a burst has a higher ceiling, and so a little more at once.
        at_once = max(without[below.minor].cburst_bytes, min(below.ceil * BURST_MS // 8000, BURST_BYTES_MAX))
        assert 0 <= below.cburst_bytes - at_once - saved // 8 <= 1
        assert below.cburst_bytes * 8_000 // below.ceil <= TICKS_MS
    seen: set[int] = set()
    for change in changes(None, found, "fq_codel"):
        as_message(change, 1, 1)
        if change.htb is not None:
            assert change.htb.parent_minor is None or change.htb.parent_minor in seen
            seen.add(change.minor)
    assert UPLINK_MINOR not in above
