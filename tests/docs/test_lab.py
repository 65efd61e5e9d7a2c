"""The stored result of ``deploy/lab`` has its shape, and the benchmarks show its figures."""

from tests.docs.test_readme import BENCHMARKS
from tests.vm.record import FILE, PARTS, circumstances, read_record, rows

RECORD = read_record(FILE.read_text())
TABLE = BENCHMARKS.partition("| on Debian's own kernel | measured |")[2].partition("\n\n")[0].splitlines()[2:]


def test_every_part_has_a_result():
    assert list(PARTS) == list(RECORD)


def test_the_benchmarks_show_all_figures_and_targets():
    assert rows(RECORD) == TABLE


def test_the_benchmarks_say_what_was_measured_when_and_how_long_it_took():
    assert [] == [line for line in circumstances(RECORD) if line not in BENCHMARKS.splitlines()]
