"""What each node was like in its last five minutes, as rows of the page about the network."""

from dataclasses import dataclass

from mesh.node_summary import FEW_DEVICES, HOUR_STEPS, SummaryValues
from mesh.summary_exchange import HeardSummary
from node.admin.fields import long_ago
from node.export.node_graph import GraphNode
from node.translator import amount_lazy, gettext_lazy, ngettext_lazy, number_lazy
from node.units import BitsPerSecond, Bytes, show_rate, show_volume

BAR_WIDTH, BAR_HEIGHT = 8, 20
"""Of the picture, in units of its own: one bar for five minutes, all of the line being its whole height."""


@dataclass(frozen=True, slots=True)
class HourBar:
    """Use of the line in five minutes."""

    x: int
    y: int
    height: int


@dataclass(frozen=True, slots=True)
class SummaryLine:
    """One node in the table. A text is empty for what is not known, or not told."""

    name: str
    is_own: bool
    said: str
    """How long ago; empty without a summary."""
    download: str = ""
    upload: str = ""
    delay: str = ""
    loss: str = ""
    devices: str = ""
    accounts: str = ""
    lifelines: str = ""
    processor: str = ""
    memory: str = ""
    disk: str = ""
    attention: int = 0
    bars: tuple[HourBar, ...] = ()
    hour: str = ""
    """The bars in words."""


PICTURE_WIDTH = HOUR_STEPS * BAR_WIDTH


def summary_line(node: GraphNode, heard: HeardSummary | None, *, is_own: bool) -> SummaryLine:
    if heard is None:
        return SummaryLine(node.name, is_own, "")
    values, hour = heard.summary.values, heard.summary.hour_percent
    return SummaryLine(
        node.name,
        is_own,
        long_ago(heard.age_s),
        download=_use(values.used_down_percent, values.carries_down_kbit_per_s),
        upload=_use(values.used_up_percent, values.carries_up_kbit_per_s),
        delay=_delay(values.delay_ms),
        loss=_percent(values.loss_percent),
        devices=_devices(values),
        accounts=_accounts(values),
        lifelines=_percent(values.lifelines_percent),
        processor=_percent(values.processor_percent),
        memory=_percent(values.memory_percent),
        disk=_room(values.disk_free_mb),
        attention=values.attention or 0,
        bars=_bars(hour),
        hour=_hour_in_words(hour),
    )


def _use(percent: int | None, kbit_per_s: int | None) -> str:
    if kbit_per_s is None:
        return ""
    rate = amount_lazy(show_rate(BitsPerSecond(kbit_per_s * 1_000)))
    if percent is None:
        return gettext_lazy("up to {rate}", rate=rate)
    return gettext_lazy("{percent} % of {rate}", percent=number_lazy(percent), rate=rate)


def _delay(delay_ms: int | None) -> str:
    return "" if delay_ms is None else gettext_lazy("{number} ms", number=number_lazy(delay_ms))


def _percent(value: int | None) -> str:
    return "" if value is None else gettext_lazy("{number} %", number=number_lazy(value))


def _room(megabytes: int | None) -> str:
    return "" if megabytes is None else amount_lazy(show_volume(Bytes(megabytes * 10**6)))


def _devices(values: SummaryValues) -> str:
    if values.devices is None:
        return ""
    if not values.devices:
        return ngettext_lazy("fewer than {number} device", "fewer than {number} devices", FEW_DEVICES)
    return ngettext_lazy("about {number} device", "about {number} devices", values.devices)


def _accounts(values: SummaryValues) -> str:
    """Of so few devices it says nothing more."""
    if not values.devices or values.accounts is None:
        return ""
    if not values.accounts:
        return ngettext_lazy("fewer than {number} account", "fewer than {number} accounts", FEW_DEVICES)
    return ngettext_lazy("about {number} account", "about {number} accounts", values.accounts)


def _bars(hour_percent: tuple[int | None, ...]) -> tuple[HourBar, ...]:
    heights = [
        (at, max(1, each * BAR_HEIGHT // 100)) for at, each in enumerate(hour_percent) if each is not None
    ]
    return tuple(HourBar(at * BAR_WIDTH, BAR_HEIGHT - height, height) for at, height in heights)


def _hour_in_words(hour_percent: tuple[int | None, ...]) -> str:
    known = [each for each in hour_percent if each is not None]
    if not known:
        return ""
    least, most = number_lazy(min(known)), number_lazy(max(known))
    if min(known) == max(known):
        return gettext_lazy("in the last hour {percent} % of its line", percent=most)
    return gettext_lazy("in the last hour {least} to {most} % of its line", least=least, most=most)
