"""The figures as the benchmarks show them: description, result, target, and the result of openNDS."""

import datetime
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tests.bench.figures import Figure, Figures


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One line of the table. `bound` is the target: a minimum for `at_least`, otherwise a maximum."""

    bench: str
    key: str
    says: str
    unit: str = ""
    bound: float | None = None
    at_least: bool = True
    peer: str = ""


ROWS = (
    FigureRow("forward", "ratio", "rate of merged segments, 1,000 devices, to plain forwarding", "", 0.95),
    FigureRow(
        "forward", "ratio_1500", "the same, each packet one of 1500 bytes", "", 0.90, peer="peer_ratio_1500"
    ),
    FigureRow("forward", "ratio_pps", "the same, packets of 64 bytes", "", 0.90),
    FigureRow("forward", "ratio_1500_10k", "1500 bytes, 10,000 devices", "", 0.88),
    FigureRow("forward", "ratio_shaped", "merged, a traffic class for each of 1,000 accounts", "", 0.85),
    FigureRow("forward", "ratio_1500_shaped", "1500 bytes, the same", "", 0.70),
    FigureRow("forward", "ratio_pps_shaped", "64 bytes, the same", "", 0.78),
    FigureRow(
        "churn",
        "churn_ratio_pps",
        "64 bytes, after 100,000 devices came and went, to a new table",
        "",
        0.97,
    ),
    FigureRow("churn", "churn_exact", "and every byte of theirs was counted (1: yes)", "", 1),
    FigureRow(
        "meter", "cpu_ms_10k", "read, book and evaluate 10,000 devices once", "ms CPU", 400, at_least=False
    ),
    FigureRow(
        "meter",
        "loop_block_ms_max",
        "longest time the loop cannot do anything else",
        "ms",
        20,
        at_least=False,
    ),
    FigureRow("meter", "slope", "cost of 10,000 devices to that of 1,000", "times", 11, at_least=False),
    FigureRow("admit", "seconds_1000", "1,000 people click, all are in", "s", 1, at_least=False),
    FigureRow(
        "admit",
        "first_packet_ms_p50",
        "from the click to the first packet, median",
        "ms",
        peer="peer_first_packet_ms_p50",
    ),
    FigureRow("admit", "first_packet_ms_p95", "the same, 95 of 100", "ms", 50, at_least=False),
    FigureRow(
        "fairness",
        "weighted_jain",
        "fairness by weight, 25 accounts, one with 64 flows",
        "",
        peer="peer_jain",
    ),
    FigureRow("fairness", "use_percent", "of the shared rate in use", "%"),
    FigureRow("fairness", "lifeline_held_percent", "household-seconds that kept their lifeline", "%"),
    FigureRow(
        "hours",
        "rate_below_percent",
        "a village on Friday at 21:00 and a school on Tuesday at 10:00: less than the evaluator says, at most",
        "%",
        5,
        at_least=False,
    ),
    FigureRow("hours", "rate_above_percent", "more than that, at most", "%", 5, at_least=False),
    FigureRow("hours", "weighted_jain", "fairness by weight, ceilings and floors meanwhile", "", 0.98),
    FigureRow("hours", "use_percent", "of the shared rate in use", "%", 97),
    FigureRow("hours", "lifeline_held_percent", "household-seconds that kept their lifeline", "%", 100),
    FigureRow(
        "latency",
        "light_added_ms_p50",
        "bloated line, 24 accounts at full rate: delay added to a light one, median",
        "ms",
        1,
        at_least=False,
    ),
    FigureRow("latency", "light_added_ms_p95", "the same, 95 of 100", "ms", 5, at_least=False),
    FigureRow("latency", "own_added_ms_p50", "added to an account's own calls, median", "ms"),
    FigureRow("latency", "own_added_ms_p95", "the same, 95 of 100", "ms", 60, at_least=False),
    FigureRow("latency", "own_lost_percent", "of their packets had no answer", "%"),
    FigureRow("latency", "line_use_percent", "of the line itself in use, the worse direction", "%", 95),
    FigureRow("latency", "line_use_up_percent", "of its upload in use", "%"),
    FigureRow("latency", "weighted_jain", "fairness by weight meanwhile, one with 64 flows", "", 0.98),
    FigureRow("latency", "probes_lost", "packets of the light one that were lost", ""),
    FigureRow("latency", "none_light_added_ms_p50", "the same line without shaping: added, median", "ms"),
    FigureRow("latency", "none_light_added_ms_p95", "the same, 95 of 100", "ms"),
    FigureRow(
        "latency",
        "rpm",
        "responsiveness of one account while 23 transfer (IETF draft, HTTP/2)",
        "round trips/min",
        2_000,
    ),
    FigureRow("latency", "none_rpm", "the same without shaping", "round trips/min"),
    FigureRow(
        "latency",
        "control_packets_lost",
        "packets that keep the line alive, while all transfer both ways: not answered",
        "",
        0,
        at_least=False,
    ),
    FigureRow(
        "variable",
        "slow_light_added_ms_p95",
        "line that changes each 5 s, rate measured: delay added to a light one, 95 of 100",
        "ms",
        30,
        at_least=False,
    ),
    FigureRow("variable", "slow_light_added_ms_p50", "the same, median", "ms"),
    FigureRow("variable", "slow_use_percent", "used of what it carried", "%", 88),
    FigureRow(
        "variable", "fixed_slow_light_added_ms_p95", "the same line with a fixed rate: added, 95 of 100", "ms"
    ),
    FigureRow("variable", "fixed_slow_use_percent", "used of what it carried", "%"),
    FigureRow("variable", "none_slow_light_added_ms_p95", "without shaping: added, 95 of 100", "ms"),
    FigureRow(
        "variable",
        "hard_light_added_ms_p50",
        "5 to 20 Mbit/s, another rate each second, measured: added, median",
        "ms",
        60,
        at_least=False,
    ),
    FigureRow("variable", "hard_light_added_ms_p95", "the same, 95 of 100", "ms"),
    FigureRow("variable", "hard_use_percent", "used of what it carried", "%", 75),
    FigureRow(
        "variable", "fixed_hard_light_added_ms_p50", "the same line with a fixed rate: added, median", "ms"
    ),
    FigureRow("variable", "fixed_hard_use_percent", "used of what it carried", "%"),
    FigureRow("variable", "none_hard_light_added_ms_p50", "without shaping: added, median", "ms"),
    FigureRow("variable", "one_way_light_added_ms_p95", "only the upload changes: added, 95 of 100", "ms"),
    FigureRow("variable", "one_way_use_percent", "used of what it carried", "%"),
    FigureRow("variable", "steady_light_added_ms_p95", "a steady line, measured: added, 95 of 100", "ms"),
    FigureRow("variable", "steady_use_percent", "used of what it carried", "%"),
    FigureRow(
        "variable", "dead_recovered_s", "after an outage of 3 s, until 70 % of the line is used again", "s"
    ),
    FigureRow("variable", "weighted_jain", "fairness by weight on the changing lines", "", 0.95),
    FigureRow(
        "variable",
        "lifeline_held_percent",
        "household-seconds that kept their lifeline on the first of them",
        "%",
        100,
    ),
    FigureRow(
        "variable",
        "cpu_percent",
        "processor time, of one core, beyond that with a fixed rate",
        "%",
        2,
        at_least=False,
    ),
    FigureRow(
        "portal", "redirects_per_s", "redirects, 10 connections, one core", "/s", peer="peer_redirects_per_s"
    ),
    FigureRow(
        "portal", "splash_per_s", "pages, 10 connections, one core", "/s", 3_000, peer="peer_splash_per_s"
    ),
    FigureRow("portal", "splash_of_limit", "of what a bare handler of the same bytes serves", "times", 0.7),
    FigureRow("portal", "splash_bytes", "the whole page, not compressed", "B", 14_000, at_least=False),
    FigureRow("portal", "p99_ms_10", "99 of 100 answered within, 10 connections", "ms"),
    FigureRow("portal", "p99_ms_100", "the same, 100 connections", "ms"),
    FigureRow("portal", "errors", "requests that failed", "", 0, at_least=False),
    FigureRow(
        "portal",
        "p99_ms_attacked",
        "99 of 100 answered within, while 10,000 silent and 100 slow connections stand",
        "ms",
        50,
        at_least=False,
    ),
    FigureRow("portal", "connections_standing", "connections that stood meanwhile", ""),
    FigureRow("portal", "processes_started", "processes started meanwhile", "", 0, at_least=False),
    FigureRow("join", "admitted", "of 1,000 people with a voucher each, let in within 10 s", ""),
    FigureRow("join", "errors", "of them refused or not answered", "", 0, at_least=False),
    FigureRow("join", "p50_ms", "half of them are in after", "ms"),
    FigureRow("join", "seconds", "from the first to the last", "s"),
    FigureRow("join", "p99_ms", "99 of 100 are in after", "ms", 500, at_least=False),
    FigureRow("footprint", "rss_mb_idle", "memory of the idle node", "MB", 60, at_least=False),
    FigureRow("footprint", "rss_mb_1000", "memory with 1,000 devices", "MB", 75, at_least=False),
    FigureRow("footprint", "kb_per_device", "of one more device, up to 10,000", "kB", 4, at_least=False),
    FigureRow(
        "written",
        "written_mb_per_day_100_devices",
        "written to the disk in a day by 100 devices, with the counts of 13 months",
        "MB",
        50,
        at_least=False,
    ),
    FigureRow("written", "written_by_node_mb_per_day", "by the node itself, without the file system", "MB"),
    FigureRow("footprint", "ready_s", "from start to the first captured request", "s", 1, at_least=False),
    FigureRow(
        "footprint",
        "processes_started_per_admission",
        "processes started to let somebody in",
        "",
        0,
        at_least=False,
    ),
    FigureRow(
        "install", "package_install_s", "bare Debian 13: apt installs the package, all being downloaded", "s"
    ),
    FigureRow(
        "install", "first_client_s", "from its start to a client's first page", "s", 60, at_least=False
    ),
    FigureRow("install", "answers", "answers given meanwhile", "", 6, at_least=False),
    FigureRow(
        "install",
        "boot_to_captured_s",
        "from the start of the machine until a phone is shown the portal",
        "s",
        5,
        at_least=False,
    ),
    FigureRow(
        "install",
        "shell_commands_after_install",
        "shell commands after the installation",
        "",
        0,
        at_least=False,
    ),
    FigureRow(
        "install", "left_after_purge", "files and more that are left after a purge", "", 0, at_least=False
    ),
    FigureRow("install", "security_exposure", "exposure by systemd-analyze security", ""),
    FigureRow(
        "install",
        "unknown_commands_in_messages",
        "programs that messages name and that are not installed",
        "",
        0,
        at_least=False,
    ),
    FigureRow(
        "siege",
        "member_new_flows_failed",
        "under attack by five devices at once: members' new flows that failed",
        "",
        0,
        at_least=False,
        peer="peer_member_new_flows_failed",
    ),
    FigureRow("siege", "member_new_flows", "of so many", ""),
    FigureRow("siege", "member_flow_ms_p95", "95 of 100 of them were answered within", "ms"),
    FigureRow(
        "siege",
        "member_names_failed",
        "members' questions for names that failed",
        "",
        0,
        at_least=False,
        peer="peer_member_names_failed",
    ),
    FigureRow("siege", "member_names", "of so many", ""),
    FigureRow("siege", "member_name_ms_p95", "95 of 100 of them were answered within", "ms"),
    FigureRow(
        "siege",
        "newcomer_p95_ms",
        "95 of 100 newcomers see the page within",
        "ms",
        500,
        at_least=False,
        peer="peer_newcomer_p95_ms",
    ),
    FigureRow("siege", "newcomers", "newcomers meanwhile", ""),
    FigureRow("siege", "newcomers_failed", "newcomers without a lease or a page", "", 0, at_least=False),
    FigureRow("siege", "admin_pages_failed", "the admins' sign-in page did not come", "", 0, at_least=False),
    FigureRow(
        "siege", "stolen_pages", "members' pages, data, codes and sessions stolen", "", 0, at_least=False
    ),
    FigureRow("siege", "flows_tracked_max", "flows tracked at once, at most", ""),
    FigureRow(
        "siege", "rss_mb_max", "memory of the node, at most", "MB", 96, at_least=False, peer="peer_rss_mb_max"
    ),
    FigureRow("siege", "memory_mb_max", "all that counts against the unit's limit, page cache too", "MB"),
    FigureRow(
        "siege", "kills", "the node was killed or ended", "times", 0, at_least=False, peer="peer_kills"
    ),
    FigureRow(
        "siege",
        "recovery_s",
        "after its end, until everything takes normal time",
        "s",
        5,
        at_least=False,
        peer="peer_recovery_s",
    ),
    FigureRow(
        "history",
        "db_mb_100_series_3_years",
        "three years of 100 series of the history, on the disk",
        "MB",
        8,
        at_least=False,
    ),
    FigureRow("history", "written_mb_per_day", "written for them in a day", "MB", 2, at_least=False),
    FigureRow(
        "history", "store_ms", "to store an hour of them, median, processor time", "ms", 5, at_least=False
    ),
    FigureRow(
        "history",
        "read_ms_3_years",
        "to read three years of one, median, processor time",
        "ms",
        10,
        at_least=False,
    ),
    FigureRow("history", "rss_mb_added", "memory for them", "MB", 3, at_least=False),
    FigureRow(
        "history", "plot_ms_p95", "to draw a plot, processor time, 95 of 100", "ms", 30, at_least=False
    ),
    FigureRow("history", "plot_kb", "the largest plot", "kB", 12, at_least=False),
    FigureRow("rules", "check_25_ms", "25 rules and 200 accounts checked", "ms", 300, at_least=False),
    FigureRow("rules", "check_200_ms", "200 rules and 200 accounts", "ms", 1_000, at_least=False),
    FigureRow("rules", "check_200_1000_ms", "200 rules and 1,000 accounts", "ms", 2_000, at_least=False),
    FigureRow(
        "rules",
        "check_worst_ms",
        "the worst of several files that are as bad as the limits allow, 200 accounts",
        "ms",
        1_000,
        at_least=False,
    ),
    FigureRow(
        "rules", "hostile_worst_ms", "the slowest refusal of a hostile rule file", "ms", 1_000, at_least=False
    ),
    FigureRow("rules", "compare_25_ms", "25 rules compared with 25 others", "ms", 1_000, at_least=False),
    FigureRow(
        "rules",
        "editor_p95_ms",
        "95 of 100 requests of the rule editor, 25 rules and 200 accounts",
        "ms",
        100,
        at_least=False,
    ),
    FigureRow("rules", "evaluate_1000_ms", "25 rules evaluated for 1,000 accounts", "ms", 50, at_least=False),
    FigureRow(
        "rules",
        "busy_to_kernel_s",
        "once the line is busy, until a rule for a busy line is in the plan of the kernel, 200 accounts",
        "s",
        2,
        at_least=False,
    ),
    FigureRow(
        "rules",
        "rows_mb_14d_200",
        "usage in intervals of 14 days, 200 accounts that are always active",
        "MB",
        20,
        at_least=False,
    ),
    FigureRow(
        "rules",
        "replay_14d_200_s",
        "25 rules replayed on 14 days of 200 accounts, with 25 others",
        "s",
        5,
        at_least=False,
    ),
    FigureRow(
        "mesh",
        "idle_bps_per_node_200",
        "200 nodes, simulated, 7 links each: pages of an idle node, sent and received",
        "bit/s",
        1_000,
        at_least=False,
    ),
    FigureRow(
        "mesh", "peer_idle_bps_per_node_200", "LibreMesh's shared-state-async there, computed", "bit/s"
    ),
    FigureRow(
        "mesh",
        "busy_bps_per_node_200",
        "with 10 active accounts at each node, 5 % of the packets lost",
        "bit/s",
        112_000,
        at_least=False,
    ),
    FigureRow("mesh", "spread_p50_s_200", "until all 200 have a page, 5 % lost, median", "s"),
    FigureRow("mesh", "spread_p99_s_200", "the same, 99 of 100", "s", 15, at_least=False),
    FigureRow("mesh", "spread_p99_s_1000", "the same for 1,000 nodes", "s", 20, at_least=False),
    FigureRow(
        "mesh",
        "copies_per_page_per_node",
        "how often each node receives a page",
        "",
        1.3,
        at_least=False,
    ),
    FigureRow(
        "mesh",
        "flat_links_max",
        "200 nodes that all see each other: the most connections of one of them at any time",
        "",
        8,
        at_least=False,
    ),
    FigureRow(
        "mesh", "flat_spread_p99_s_200", "until all of these have a page, 99 of 100", "s", 15, at_least=False
    ),
    FigureRow(
        "mesh",
        "heal_exact",
        "20 histories of splits, lost databases and clones: all nodes agree in the end (1: yes)",
        "",
        1,
    ),
    FigureRow(
        "mesh",
        "heal_round_trips",
        "two of 200 nodes that were apart: round trips until they agree",
        "",
        3,
        at_least=False,
    ),
    FigureRow(
        "mesh",
        "heal_bytes_ratio",
        "and bytes, to those of the pages that were missing",
        "times",
        1.1,
        at_least=False,
    ),
    FigureRow(
        "mesh",
        "join_s",
        "two real nodes: from the invite on a new node until they trust each other, its first start included",
        "s",
        10,
        at_least=False,
    ),
    FigureRow(
        "mesh", "removed_out_s", "from removing a node until neither trusts the other", "s", 5, at_least=False
    ),
    FigureRow(
        "mesh",
        "line5_effect_s",
        "five real nodes in a line: a used up allowance limits the account at the other end after",
        "s",
        5,
        at_least=False,
    ),
    FigureRow(
        "mesh",
        "line5_rule_s",
        "the same line: rules that an admin shares at one end are in force at the other end after",
        "s",
        5,
        at_least=False,
    ),
    FigureRow(
        "mesh",
        "roam_s",
        "a device walks to another node with a download open: from its first packet there until it is answered",
        "s",
        2,
        at_least=False,
    ),
    FigureRow("mesh", "rss_mb_idle", "memory of a real node that is idle and alone", "MB"),
    FigureRow(
        "mesh",
        "rss_mb_200_known",
        "with 200 nodes known, 10 accounts each, the 62 days that the mesh keeps",
        "MB",
    ),
    FigureRow("mesh", "rss_mb_200_added", "that is more by", "MB", 10, at_least=False),
    FigureRow(
        "mesh",
        "cpu_percent_200",
        "processor time, of one core, beyond idle while all 200 publish each minute",
        "%",
        2,
        at_least=False,
    ),
    FigureRow(
        "mesh",
        "mesh_written_mb_per_day",
        "written to the disk in a day for the pages and the usage of these 200",
        "MB",
        50,
        at_least=False,
    ),
    FigureRow(
        "mesh",
        "fuzz_frames",
        "a node is attacked by a member and by strangers: frames, requests, connections",
    ),
    FigureRow(
        "mesh",
        "forged_accepted",
        "pages, statements, members and usage it took in that nobody signed",
        "",
        0,
        at_least=False,
    ),
    FigureRow(
        "mesh",
        "fuzz_crashes",
        "exceptions that nobody handled, parts that ended, neighbours that no longer agree",
        "",
        0,
        at_least=False,
    ),
    FigureRow("mesh", "fuzz_rss_growth_mb", "memory afterwards beyond that before", "MB", 5, at_least=False),
    FigureRow("mesh", "fuzz_converged_s", "until an honest neighbour agrees with it afterwards", "s"),
    FigureRow("metrics", "bytes", "the metrics of a node with 10,000 devices", "B", 64_000, at_least=False),
    FigureRow(
        "metrics",
        "ms",
        "one look at all of them, in the thread that serves everybody",
        "ms",
        20,
        at_least=False,
    ),
    FigureRow("metrics", "series_10", "series with 10 devices"),
    FigureRow("metrics", "series_10000", "with 10,000, which must be as many"),
    FigureRow(
        "gateways",
        "checks_per_s",
        "checks of 500 gateways with 20 people each, as fast as they are answered",
        "/s",
        500,
    ),
    FigureRow(
        "gateways", "p99_ms", "one of them waits, 99 of 100, at 167 a second", "ms", 50, at_least=False
    ),
    FigureRow(
        "gateways",
        "loop_block_ms_max",
        "longest time the loop cannot do anything else",
        "ms",
        20,
        at_least=False,
    ),
    FigureRow("gateways", "rss_mb", "memory of the node", "MB", 96, at_least=False),
    FigureRow(
        "gateways",
        "lost_bytes",
        "lost or counted twice over restarts of the node and of gateways",
        "B",
        0,
        at_least=False,
    ),
    FigureRow(
        "gateways",
        "end_s_max",
        "until a blocked device is offline, at a check interval of 60 s",
        "s",
        60,
        at_least=False,
    ),
)


def markdown(figures: Mapping[str, Figures]) -> str:
    """The table, the machine, and the reason for each missing figure."""
    lines = ["| what | procomu | wanted | openNDS |", "|---|---|---|---|"]
    reasons = []
    for row in ROWS:
        found = figures.get(row.bench)
        if found is None:
            continue
        lines.append(
            f"| {row.says} | {_value(found.get(row.key), row.unit)} | {wanted(row)} | {_peer(row, found)} |"
        )
        reasons += [
            f"- `{key}` was not taken: {found.get(f'{key}_reason', 'no reason given')}"
            for key in (row.key, row.peer)
            if key and found.get(key) is None
        ]
        reasons += [
            f"- `{key}`: {failed} of its tries had no answer and are not in it"
            for key in (row.key, row.peer)
            if key and found.get(key) is not None and (failed := found.get(f"{key}_failed"))
        ]
    return "\n".join([*lines, "", machine(), *([""] if reasons else []), *reasons]) + "\n"


def machine() -> str:
    """Date, machine and versions of the measured programs."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in _text("/proc/cpuinfo").splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    memory_kb = int(_text("/proc/meminfo").split(None, 2)[1])
    peer = _output("dpkg-query", "-W", "-f=${Version}", "opennds") or "not installed"
    return (
        f"{datetime.date.today().isoformat()}; {os.cpu_count()} cores of {model}, {memory_kb / 1e6:.1f} GB, "
        f"shared with the load itself; Linux {platform.release()}, nftables {_nft_version()}, "
        f"Python {platform.python_version()}, aiohttp {version('aiohttp')}, openNDS {peer}."
    )


def _value(value: Figure | str, unit: str) -> str:
    return (
        "not taken" if value is None else f"{value:,} {unit}".strip() if not isinstance(value, str) else value
    )


def wanted(row: FigureRow) -> str:
    if row.bound is None:
        return ""
    return f"{'≥' if row.at_least else '≤'} {row.bound:g}"


def _peer(row: FigureRow, found: Figures) -> str:
    return _value(found.get(row.peer), row.unit) if row.peer else ""


def _nft_version() -> str:
    return (_output("nft", "--version").split() or ["", "unknown"])[1].lstrip("v")


def _text(path: str) -> str:
    return Path(path).read_text()


def _output(*argv: str) -> str:
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""
