"""The closed list of alerts, each with its thresholds. Nothing in it is about a person.

Where Prometheus can watch the same, deploy/prometheus has an alert with the same threshold and the same time.
"""

from dataclasses import dataclass
from typing import Literal

from node.translator import LazyText, gettext_lazy
from node.units import Milliseconds

AlertName = Literal[
    "line_dead",
    "line_full",
    "node_silent",
    "disk_low",
    "clock_unknown",
    "clock_jumped",
    "backup_old",
    "lifelines_not_kept",
    "floors_not_kept",
    "battery_low",
    "certificate_ends",
]
AlertKey = tuple[AlertName, str]
"""An alert, and the node that it is about; an empty text for this one."""

DAY_S = 86_400
_MINUTE = 60_000
_HOUR = 60 * _MINUTE
DISK_LOW_PERMILLE, DISK_FINE_PERMILLE = 50, 70
"""Free, of the disk with the data folder."""
BATTERY_LOW_PERMILLE, BATTERY_FINE_PERMILLE = 300, 400
FULL_EVENINGS, FINE_EVENINGS = 3, 1
"""Of the last EVENINGS: from so many on the line counts as full, and down to so many as fine."""
EVENINGS = 7
BACKUP_OLD_S = 30 * DAY_S
CERTIFICATE_ENDS_S = 14 * DAY_S
CLOCK_JUMP_S = 300
"""A synchronized clock that was set by more has jumped."""
SILENT_MAX = 30
"""Nodes about which there can be an alert at the same time."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing that can go wrong."""

    name: AlertName
    title: LazyText
    fix: LazyText
    when: str
    """When it is true, for the reference."""
    until: str
    """When it is not."""
    raise_after: Milliseconds
    """How long it must have been so, before anybody is told."""
    clear_after: Milliseconds
    """How long it must have been otherwise, before it counts as over."""
    is_urgent: bool = False
    """Whether it wakes somebody; the others wait for the digest of the day."""
    rule: str = ""
    """The alert of Prometheus with the same threshold; empty where there is none."""
    covers: str = ""
    """Code of the warning that says the same of this moment; empty for none."""


ALERTS: tuple[Alert, ...] = (
    Alert(
        "line_dead",
        gettext_lazy("The line to the Internet is dead"),
        gettext_lazy(
            "Look at the modem and ask the provider. Local services go on; nothing on the node helps."
        ),
        "no resolver beyond the line answers",
        "one answers",
        Milliseconds(5 * _MINUTE),
        Milliseconds(2 * _MINUTE),
        is_urgent=True,
        rule="ProcomuLineDead",
        covers="dns",
    ),
    Alert(
        "line_full",
        gettext_lazy("The line is full on many evenings"),
        gettext_lazy(
            "It was full on three of the last seven evenings. Compare the plots on the page History: the assembly may want "
            "other rules or a faster line."
        ),
        f"an hour of the evening was full on {FULL_EVENINGS} of the last {EVENINGS} days",
        f"on {FINE_EVENINGS} of them",
        Milliseconds(0),
        Milliseconds(0),
    ),
    Alert(
        "node_silent",
        gettext_lazy("A node of the community is silent"),
        gettext_lazy(
            "See whether it has power, and whether its antenna moved. The page “Nodes of the community” shows its links."
        ),
        "another node of the community is offline",
        "it is online",
        Milliseconds(15 * _MINUTE),
        Milliseconds(5 * _MINUTE),
        rule="ProcomuNodesMissing",
    ),
    Alert(
        "disk_low",
        gettext_lazy("The disk of the node is almost full"),
        gettext_lazy("Less than 5 % is free. Make room: when it is full, usage is counted in memory only."),
        f"less than {DISK_LOW_PERMILLE // 10} % of the data folder's disk is free",
        f"{DISK_FINE_PERMILLE // 10} % are free",
        Milliseconds(15 * _MINUTE),
        Milliseconds(15 * _MINUTE),
        is_urgent=True,
        rule="ProcomuDiskLow",
    ),
    Alert(
        "clock_unknown",
        gettext_lazy("The node does not know the time"),
        gettext_lazy("Limits with times are paused. Let the node reach a time server, or set its clock."),
        "the node does not know the time",
        "it knows it",
        Milliseconds(15 * _MINUTE),
        Milliseconds(_MINUTE),
        rule="ProcomuClockUnknown",
        covers="clock",
    ),
    Alert(
        "clock_jumped",
        gettext_lazy("The clock of the node has jumped"),
        gettext_lazy(
            "Somebody or something set it by more than five minutes. Compare it with another clock."
        ),
        f"a synchronized clock was set by {CLOCK_JUMP_S // 60} minutes or more",
        "it was not set again",
        Milliseconds(0),
        Milliseconds(_HOUR),
    ),
    Alert(
        "backup_old",
        gettext_lazy("No backup has been made for 30 days"),
        gettext_lazy("Make one on the page Backups, and keep it somewhere else."),
        f"there is a recovery key, and for {BACKUP_OLD_S // DAY_S} days no backup",
        "one is made",
        Milliseconds(_HOUR),
        Milliseconds(0),
        rule="ProcomuBackupOld",
    ),
    Alert(
        "lifelines_not_kept",
        gettext_lazy("The line is too slow for everybody’s lifeline"),
        gettext_lazy("Lower the lifeline in [charter], or find a faster line."),
        "the line carries less than all lifelines together",
        "it carries them",
        Milliseconds(15 * _MINUTE),
        Milliseconds(15 * _MINUTE),
        is_urgent=True,
        rule="ProcomuLifelinesNotKept",
        covers="lifelines",
    ),
    Alert(
        "floors_not_kept",
        gettext_lazy("The line is too slow for the floors that the rules promise"),
        gettext_lazy("Lower the floors in the rules, or find a faster line."),
        "the line carries less than all floors together",
        "it carries them",
        Milliseconds(15 * _MINUTE),
        Milliseconds(15 * _MINUTE),
        is_urgent=True,
        rule="ProcomuFloorsNotKept",
        covers="floors",
    ),
    Alert(
        "battery_low",
        gettext_lazy("The battery of the node is low"),
        gettext_lazy("Less than 30 % is left. See whether the panel or the mains charge it."),
        f"less than {BATTERY_LOW_PERMILLE // 10} % are left",
        f"{BATTERY_FINE_PERMILLE // 10} % are left",
        Milliseconds(10 * _MINUTE),
        Milliseconds(10 * _MINUTE),
        is_urgent=True,
        rule="ProcomuBatteryLow",
    ),
    Alert(
        "certificate_ends",
        gettext_lazy("The portal’s certificate ends within two weeks"),
        gettext_lazy("It was not renewed. See the log of the ACME client."),
        f"the portal's certificate ends within {CERTIFICATE_ENDS_S // DAY_S} days",
        "it was renewed",
        Milliseconds(_HOUR),
        Milliseconds(0),
        rule="ProcomuCertificateEnds",
    ),
)
BY_NAME: dict[str, Alert] = {each.name: each for each in ALERTS}
