"""What a plot of the history costs: every kind, for windows of every length, with noise and with gaps, in every language."""

import time
from random import Random
from zoneinfo import ZoneInfo

from node.history.series import SERIES
from node.history.window import HistoryWindow, Point
from node.plots.bar_plot import bar_plot
from node.plots.hour_calendar import hour_calendar
from node.plots.line_plot import line_plot
from node.plots.plot_words import PlotTexts, sentences
from node.web.translations import read_catalogues
from tests.bench.figures import Figures

PLOT_KEYS = ("plot_ms_p95", "plot_kb")
SEED, END_S = 20_261_130, 1_795_900_000
ZONE = ZoneInfo("Europe/Madrid")
LENGTHS = ((10, 360), (300, 288), (300, 4_032), (3_600, 720), (3_600, 2_160), (86_400, 1_098))
"""Steps in seconds, and how many: an hour, a day, 14 days, 30 days, 90 days and three years."""
GAPS = (0, 2, 50)
"""One in so many is not known; 0: all are known."""
KINDS = (line_plot, bar_plot, hour_calendar)


def measure_plots() -> Figures:
    """Milliseconds of processor time for a whole picture with its sentences, and kilobytes of the largest one."""
    taken, sizes = list[float](), list[int]()
    languages = tuple(read_catalogues().translations.values())
    for window in _windows():
        for words in languages:
            for kind in KINDS:
                begun = time.process_time()
                texts = PlotTexts("Use of the line", sentences(window, ZONE, words, full_at=20_000_000))
                plot = kind(window, ZONE, texts, words, is_rtl=words.language.direction == "rtl")
                drawn = plot.alone("Vall Alta", words.language.tag).encode()
                taken.append((time.process_time() - begun) * 1000)
                sizes.append(len(drawn))
    slow = sorted(taken)[len(taken) * 95 // 100]
    return {PLOT_KEYS[0]: round(slow, 1), PLOT_KEYS[1]: round(max(sizes) / 1000, 1)}


def _windows() -> list[HistoryWindow]:
    random = Random(SEED)
    return [_window(random, step_s, count, gap) for step_s, count in LENGTHS for gap in GAPS]


def _window(random: Random, step_s: int, count: int, gap: int) -> HistoryWindow:
    series = SERIES[0]
    points = tuple(None if gap and random.randrange(gap) == 0 else _point(random) for _ in range(count))
    return HistoryWindow(series.name, series.unit, (END_S // step_s - count) * step_s, step_s, points)


def _point(random: Random) -> Point:
    return Point(*sorted(random.randrange(20_000_000) for _ in range(3)))
