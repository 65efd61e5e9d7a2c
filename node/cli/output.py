"""Formats a node's answers as text: one function for each command, from the answer to lines."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from node.accounts.vouchers import VOUCHER_STATES
from node.cli.terminal import Column, Terminal, bar, clean, table, width
from node.errors import Finding
from node.units import BitsPerSecond, Bytes, show_rate, show_volume

if TYPE_CHECKING:
    from node.doctor.diagnoses import Diagnosis

Said = Mapping[str, Any]
_RULE_CHARS_MAX = 60
REMOVED_NODES_MAX = 20


def status(answer: Said, terminal: Terminal) -> list[str]:
    """Answer to ``status``: {"overview": Overview, "memory": {"sentence"}}."""
    view = answer["overview"]
    lines = [
        f"{terminal.bold(clean(view['community']))} · {clean(view['node'])}  {terminal.dim(view['node_id'])}"
    ]
    lines += _adoption_now(answer, terminal)
    lines += ["", *_uplink(view, terminal), _people(view), *_flows(view["flows"])]
    if view["online"]:
        lines += ["", *_online(view["online"], terminal, is_shared=view["uplink"] is not None)]
    if view["peers"]:
        lines += ["", *_peer_table(view["peers"], terminal)]
    lines += _copies_elsewhere(view.get("removed_nodes", ()))
    lines += ["", terminal.dim(clean(answer["memory"]["sentence"]))]
    lines += ["", *_warnings(view["warnings"], terminal)]
    return lines


def _copies_elsewhere(removed: Sequence[str]) -> list[str]:
    """Nodes that were removed from the community."""
    if not removed:
        return []
    names = ", ".join(clean(name) for name in removed[:REMOVED_NODES_MAX])
    more = f" and {len(removed) - REMOVED_NODES_MAX} more" if len(removed) > REMOVED_NODES_MAX else ""
    return ["", f"Removed nodes, which may still hold copies of what they received: {names}{more}."]


def _adoption_now(answer: Said, terminal: Terminal) -> list[str]:
    """Rules on trial, and rules that wait."""
    lines, trial, waiting = [], answer.get("rules_trial"), answer.get("rules_waiting")
    if trial:
        left = span(trial["seconds_left"])
        text = f"Version {trial['number']} of the rules is on trial: without 'procomu rules confirm' it ends in {left}."
        lines.append(terminal.warn(text))
    if waiting and waiting["missing"]:
        text = f"Version {waiting['number']} of the rules waits for approval{_approvals(waiting)}."
        lines.append(terminal.warn(text))
    elif waiting:
        until = f"until {clean(waiting['due'])}" if waiting["due"] else "to begin"
        lines.append(f"Version {waiting['number']} of the rules waits {until}.")
    if waiting:
        lines.append(_objections(waiting))
    return lines


def why(answer: Said, terminal: Terminal) -> list[str]:
    """Answer to ``why``: {"account", "tier", "at", "explain": lines, "allowance": Allowance}."""
    first, *others = [clean(line) for line in answer["explain"]]
    head = f"{clean(answer['account'])}, {clean(answer['tier'])}, {clean(answer['at'])}"
    return [terminal.dim(head), terminal.bold(first), *others]


def rules(answer: Said, terminal: Terminal) -> list[str]:
    """Answer to ``rules``: {"community", "version", "decision", "file", "fingerprint", "meaning", "uplink", "sentences",
    "exceptions", "findings"}."""
    head = (
        f"{clean(answer['community'])}, version {answer['version']}, decided by {clean(answer['decision'])}"
    )
    lines = [terminal.bold(head), *_adoption_now({"rules_trial": answer.get("trial")}, terminal)]
    if answer.get("meaning"):
        lines.append(terminal.dim(f"text {answer['fingerprint']}, meaning {answer['meaning']}"))
    if answer.get("uplink"):
        lines.append(f"This node is the gateway of the line {clean(answer['uplink'])}.")
    lines += [f"  {clean(sentence)}" for sentence in answer["sentences"]]
    if answer["exceptions"]:
        lines += ["", "Exceptions:", *(f"  {clean(chain)}" for chain in answer["exceptions"])]
    if answer["findings"]:
        lines += [
            "",
            terminal.bad(f"The newer {clean(answer['file'])} has errors, so the rules above stay in force:"),
        ]
        lines += [line for said in answer["findings"] for line in finding(Finding(**said), terminal)]
    return lines


def comparison(answer: Said, terminal: Terminal) -> list[str]:
    """Answer to ``rules compare``: {"file", "against", "verdict", "is_nothing", "meanings", "accounts", "changes"}."""
    colour = terminal.good if answer["is_nothing"] else terminal.bold
    lines = [colour(clean(answer["verdict"]))]
    if len(set(answer.get("meanings", ()))) == 1:
        lines.append("Both say the same: only comments, layout or order differ.")
    for change in answer["changes"]:
        details = [clean(change[key]) for key in ("counted", "example", "rules") if change[key]]
        lines += ["", f"  {clean(change['text'])}"]
        lines += [terminal.dim(f"    {' '.join(details)}")] if details else []
    if answer["accounts"] is None:
        lines += ["", terminal.warn("No members file was found, so accounts are not counted.")]
    return lines


def observed(answer: Said, terminal: Terminal) -> list[str]:
    """Answer to ``rules observe``: {"rules": ObservedCount list with "sentences" and "count"}."""
    lines: list[str] = []
    for row in answer["rules"]:
        lines += ["", *(f"  {clean(sentence)}" for sentence in row["sentences"])]
        lines += [f"    {terminal.bold(clean(row['count']))}"]
    how = "write observe = true in a rule, and adopt it: then it limits nobody, and is counted here"
    return lines[1:] or ["No rule is only observed.", terminal.dim(f"To observe one, {how}.")]


_UNDECIDED = {
    "withdrawn": "Version {number} is withdrawn: it does not come into force.",
    "draft": "Version {number} is a draft: members read it on the portal, and it changes nothing. Withdraw it with "
    "'procomu rules withdraw {number}'.",
}


def adoption(answer: Said, name: str, terminal: Terminal) -> list[str]:
    """Answer to ``rules-adopt``, ``rules-confirm`` and ``rules-rollback``: {"outcome", "number", "put_back", "in_force",
    "findings", "trial", "waiting"}."""
    number, found = answer["number"], [Finding(**said) for said in answer["findings"]]
    if answer["outcome"] == "refused":
        return findings(name or f"version {number}", found, terminal)
    lines = [line for said in found for line in finding(said, terminal)]
    match answer["outcome"]:
        case "trial":
            left = span(answer["trial"]["seconds_left"]) if answer["trial"] else "some time"
            back = f"the rules from before come back in {left}"
            same = f", with the rules of version {answer['put_back']}," if answer["put_back"] else ""
            done = f"Version {number}{same} is in force on trial: without 'procomu rules confirm' {back}."
        case "scheduled":
            until = clean(answer["waiting"]["due"]) if answer["waiting"] else ""
            done = f"Version {number} waits {f'until {until}' if until else 'to begin'}.{_least(answer['waiting'])}"
        case "proposed":
            done = f"Version {number} waits for approval{_approvals(answer['waiting'])}.{_least(answer['waiting'])}"
            if answer.get("stopped"):
                done += f" Members stopped version {answer['stopped']}, which does the same: no admin alone can adopt it."
        case "confirmed":
            same = (
                " says the same as the rules before it, so it needs no trial"
                if answer.get("says_the_same")
                else ""
            )
            done = f"Version {number}{same or ' is confirmed'} and stays in force."
        case "ended":
            before = f"version {answer['in_force']} is" if answer["in_force"] else "the rules from before are"
            done = f"The trial of version {number} is over: {before} in force."
        case "withdrawn" | "draft":
            done = _UNDECIDED[answer["outcome"]].format(number=number)
        case _ if answer["trial"] and answer["trial"]["number"] != number:
            trial = answer["trial"]["number"]
            done = f"Version {number} is confirmed already, and version {trial} is on trial; nothing was changed."
        case _:
            done = f"Version {number} is in force already; nothing was changed."
    return [*lines, terminal.good(done)]


def _least(waiting: Said | None) -> str:
    """For how long it waits as the charter says; empty for rules that need not."""
    if not (waiting and waiting.get("left_s")):
        return ""
    return f" The charter lets it wait; the node has to run for {span(waiting['left_s'])} until then."


def _approvals(waiting: Said | None) -> str:
    """How many are missing, and until when it waits besides."""
    if waiting is None:
        return "s"
    missing = waiting["missing"]
    more = f": {missing} more {'admin' if missing == 1 else 'admins'} must approve it" if missing else "s"
    return more + (f", and it comes into force at {clean(waiting['due'])}" if waiting["due"] else "")


def rules_log(answer: Said, terminal: Terminal) -> list[str]:
    """Answer to ``rules-log``: {"versions": RuleVersion list with "became" and "meaning", "waiting": WaitingView or null,
    "drafts": DraftView list, "damaged": number of a record or 0}."""
    columns = [Column("VERSION", True), Column("WHEN"), Column("BY"), Column("RULES"), Column("MEANING")]
    columns += [Column("BECAME")]
    rows = [
        (
            row["number"],
            row["adopted"][:16].replace("T", " "),
            clean(row["by"]),
            row["fingerprint"] + (f" = version {row['put_back']}" if row["put_back"] else ""),
            row.get("meaning") or "-",
            clean(row["became"]) or "replaced",
        )
        for row in answer["versions"]
    ]
    lines = table(columns, rows, terminal) if rows else ["No rules are on record yet."]
    if waiting := answer.get("waiting"):
        lines += ["", f"Version {waiting['number']} waits. {_objections(waiting)}{_least(waiting)}"]
    for draft in answer.get("drafts", ()):
        lines += ["", f"Version {draft['number']} is a draft. {_objecting(draft)}."]
        lines += [f"  {clean(text)}" for text in draft["texts"]]
    if answer["damaged"]:
        lines += ["", terminal.bad(f"Record {answer['damaged']} is missing or was changed.")]
    return lines


def _objections(waiting: Said) -> str:
    """How many members object to rules that wait."""
    return f"{_objecting(waiting)}; {waiting['objections_needed']} are enough to stop it."


def _objecting(view: Said) -> str:
    object_ = "objects" if view["objections"] == 1 else "object"
    return f"Of {_count(view['accounts'], 'member')}, {view['objections']} {object_}"


def devices(answer: Said, terminal: Terminal) -> list[str]:
    """Answer to ``devices``: {"devices": DeviceRow list}."""
    if not answer["devices"]:
        return ["No devices are here."]
    columns = [Column("DEVICE"), Column("NAME"), Column("STATE"), Column("ACCOUNT"), Column("JOINED BY")]
    columns += [
        Column("DOWNLOADED", True),
        Column("UPLOADED", True),
        Column("DOWNLOAD NOW", True),
        Column("UPLOAD NOW", True),
    ]
    columns += [Column("LEFT", True), Column("LIMITED BY")]
    rows = [
        (
            row["mac"],
            row["name"] or "-",
            row["state"],
            row["account"] or "-",
            row["way"] or "-",
            show_volume(Bytes(row["down"])),
            show_volume(Bytes(row["up"])),
            *_now(row["rate_down"], row["rate_up"]),
            "-" if row["seconds_left"] is None else span(row["seconds_left"]),
            row["rule"] or "-",
        )
        for row in answer["devices"]
    ]
    return table(columns, rows, terminal)


def vouchers_issued(answer: Said, terminal: Terminal) -> list[str]:
    """Answer to ``vouchers-issue``: {"batch": Batch, "codes": list, "place": SiteInfo}."""
    batch = answer["batch"]
    return [
        *(clean(code) for code in answer["codes"]),
        "",
        terminal.good(
            f"Batch {batch['number']}: {_count(len(answer['codes']), 'voucher')} for {_worth(batch)}."
        ),
        "Print or copy the codes now: the node does not keep them.",
    ]


def batches(answer: Said, terminal: Terminal) -> list[str]:
    """Answer to ``vouchers-list``: {"batches": [{"batch": Batch, "unused", "used", "ended", "revoked"}]}."""
    if not answer["batches"]:
        return ["No vouchers have been issued yet. 'procomu vouchers issue --help' shows how."]
    columns = [Column("BATCH", True), Column("WORTH"), Column("ISSUED"), Column("BY")]
    columns += [Column(state.upper(), True) for state in VOUCHER_STATES]
    columns += [Column("NOTE")]
    rows = [
        (
            row["batch"]["number"],
            _worth(row["batch"]),
            row["batch"]["issued_day"] or "-",
            row["batch"]["issued_by"],
            *(row[state] for state in VOUCHER_STATES),
            row["batch"]["note"] or "-",
        )
        for row in answer["batches"]
    ]
    return table(columns, rows, terminal)


def revoked(answer: Said, terminal: Terminal) -> list[str]:
    """Answer to ``vouchers-revoke``: {"changed": number, "back": bool}."""
    changed, state = answer["changed"], "valid again" if answer["back"] else "revoked"
    verb = "is" if changed == 1 else "are"
    return [terminal.good(f"{_count(changed, 'voucher')} {verb} {state}.")]


def passphrase(answer: Said, terminal: Terminal) -> list[str]:
    """Answer to ``members-passphrase``: {"account", "passphrase"}."""
    return [
        terminal.bold(clean(answer["passphrase"])),
        f"This is now the passphrase of {clean(answer['account'])}. The node does not keep it: give it to them now.",
    ]


def card(answer: Said, terminal: Terminal) -> list[str]:
    """Answer to ``members-card``: {"account", "card", "address", "last_day"}."""
    return [
        terminal.bold(clean(answer["address"])),
        f"Anyone who shows it is signed in as {clean(answer['account'])}, until {clean(answer['last_day'])}.",
    ]


def void_cards(answer: Said, terminal: Terminal) -> list[str]:
    """Answer to ``members-void-cards``: {"account"}."""
    return [terminal.good(f"All cards made so far for {clean(answer['account'])} are invalid now.")]


def peers(answer: Said, terminal: Terminal) -> list[str]:
    """Answer to ``peers``: {"node": NodeId, "peers": PeerView list, "digest": what in the network needs a person}."""
    lines = [f"this node  {clean(answer['node'])}", ""]
    lines += (
        _peer_table(answer["peers"], terminal, full_id=True) if answer["peers"] else ["No other node found."]
    )
    found = [f"  {terminal.warn('!')} {clean(line)}" for line in answer.get("digest", ())]
    return [*lines, "", terminal.bold("The network needs attention:"), *found] if found else lines


def admin_link(answer: Said, terminal: Terminal) -> list[str]:
    """Answer to ``admin-link``: {"url", "expires_seconds", "who", "may", "fingerprint"}."""
    may = [clean(answer["may"])] if answer.get("may") else []
    if answer.get("fingerprint"):
        may += [
            "The browser warns of the certificate, because this node made it. Compare its SHA-256 fingerprint:",
            clean(answer["fingerprint"]),
        ]
    return [
        terminal.bold(clean(answer["url"])),
        f"It signs in once as {clean(answer['who'])}, within {span(answer['expires_seconds'])}.",
        *may,
    ]


def event(said: Said, terminal: Terminal) -> str:
    """One event of ``watch``: {"event", "at", "text"} and further fields of that event."""
    name = clean(said.get("event", ""))
    text = said.get("text") or " ".join(
        f"{key}={value}" for key, value in said.items() if key not in {"event", "at"}
    )
    return f"{terminal.dim(clean(said.get('at', '')))}  {terminal.bold(name)}  {clean(text)}"


def finding(said: Finding, terminal: Terminal) -> list[str]:
    """What is wrong, and on the next line how to fix it."""
    where = f"line {said.line}" if said.line else "the file"
    code = terminal.bad(said.code) if said.is_error else terminal.warn(said.code)
    return [f"{terminal.bold(where)}  {code}  {clean(said.message)}", f"    fix: {clean(said.fix)}"]


def findings(name: str, said: Sequence[Finding], terminal: Terminal) -> list[str]:
    """All findings of a file, and their number."""
    errors = sum(each.is_error for each in said)
    lines = [line for each in said for line in finding(each, terminal)]
    if errors:
        return [
            *lines,
            "",
            terminal.bad(f"{clean(name)} has {_count(errors, 'error')}; nothing was changed."),
        ]
    advice = (
        f", and {_count(len(said), 'thing')} {'needs' if len(said) == 1 else 'need'} attention"
        if said
        else ""
    )
    return [*lines, terminal.good(f"{clean(name)} can be used{advice}.")]


def diagnoses(said: "Sequence[Diagnosis]", terminal: Terminal) -> list[str]:
    """Results of ``doctor``, and below each problem its fix."""
    marks = {"ok": terminal.good("✓"), "warn": terminal.warn("!"), "fail": terminal.bad("✗")}
    room = max(width(each.name) for each in said)
    lines: list[str] = []
    for each in said:
        lines.append(f"{marks[each.verdict]} {clean(each.name).ljust(room)}  {clean(each.found)}")
        if each.wrong:
            lines.append(f"    {clean(each.wrong)}")
        if each.fix:
            lines.append(f"    fix: {terminal.bold(clean(each.fix))}")
    fails, warns = (sum(each.verdict == verdict for each in said) for verdict in ("fail", "warn"))
    if fails:
        return [
            *lines,
            "",
            terminal.bad(f"{_count(fails, 'thing')} must be fixed before the node can work."),
        ]
    looks = f"; {_count(warns, 'thing')} {'needs' if warns == 1 else 'need'} attention" if warns else ""
    return [*lines, "", terminal.good(f"The node can work{looks}.")]


def span(seconds: int) -> str:
    """A duration in one or two units, such as ``3 h 20 min``."""
    if seconds < 60:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    days, rest = divmod(hours, 24)
    if hours < 48 and (rest or minutes or not days):
        return f"{hours} h {minutes:02} min" if minutes else f"{hours} h"
    return f"{_count(days, 'day')} {rest} h" if rest else _count(days, "day")


UPLINK_KNOWN = {
    "known": "measured: what the line carries now",
    "guess": "the best guess: the line has not been full lately",
    "blind": "cannot be measured at the moment: the stated speed",
    "stated": "the stated speed, not measured",
    "less": "the stated speed, but the line carries less at the moment",
}


def _uplink(view: Said, terminal: Terminal) -> list[str]:
    now, most = view["uplink_rate"], view["uplink"]
    if most is None:
        down, up = _now(now["down"], now["up"])
        hint = terminal.dim("(its speed is not stated in the rules, so it is not shared)")
        return [f"uplink  {down} download, {up} upload  {hint}"]
    lines = []
    for at, direction in enumerate(("down", "up")):
        used, whole = BitsPerSecond(now[direction]), BitsPerSecond(most[direction])
        label = "uplink" if at == 0 else "      "
        drawn = (terminal.warn if used * 10 > whole * 9 else terminal.good)(bar(used, whole))
        lines.append(f"{label}  {direction:4}  {drawn}  {show_rate(used)} of {show_rate(whole)}")
    if view["uplink_known"] is not None:
        lines.append(f"        {terminal.dim(UPLINK_KNOWN[view['uplink_known']])}")
    slowest = view.get("uplink_slowest") or {}
    if slowest:
        rates = ", ".join(f"{show_rate(BitsPerSecond(rate))} {way}" for way, rate in slowest.items())
        lines.append(f"        {terminal.dim(f'in its slowest tenth of the last 14 days: {rates}')}")
    return lines


def _people(view: Said) -> str:
    if not view["online"] and not view["waiting"]:
        return "online  nobody"
    devices_on = sum(row["devices"] for row in view["online"])
    on = f"{_count(len(view['online']), 'account')} with {_count(devices_on, 'device')}"
    return f"online  {on}; {_count(view['waiting'], 'device')} not online yet"


def _flows(flows: Said) -> list[str]:
    if not flows["size"]:
        return []
    most = f"; most: {clean(flows['heaviest'])}, {flows['heaviest_flows']:,}" if flows["heaviest"] else ""
    return [
        f"flows   {flows['entries']:,} of {flows['size']:,} connections, {flows['per_device']:,} per device{most}"
    ]


def _online(rows: Sequence[Said], terminal: Terminal, *, is_shared: bool) -> list[str]:
    """Where the uplink is shared, what each could have now, which is at most its ceiling; else the ceiling."""
    columns = [Column("ACCOUNT"), Column("TIER"), Column("DEVICES", True), Column("DOWNLOAD NOW", True)]
    columns += [
        Column("UPLOAD NOW", True),
        Column("COULD HAVE NOW", True) if is_shared else Column("CEILING"),
        Column("THIS MONTH", True),
        Column("SHARE", True),
    ]
    columns += [Column("LIMITED BY")]
    return table(
        columns,
        [
            (
                row["account"],
                row["tier"],
                row["devices"],
                *_now(row["rate"]["down"], row["rate"]["up"]),
                _could_have(row["could_have"]) if is_shared else row["ceiling"] or "-",
                show_volume(Bytes(row["used_month"])),
                row["share"],
                _short(row["binding_rule"]) or "-",
            )
            for row in rows
        ],
        terminal,
    )


def _could_have(rates: Said | None) -> str:
    """Both directions, with one unit if it is the same."""
    if rates is None:
        return "-"
    down, up = _now(rates["down"], rates["up"])
    number, unit = down.split(" ")
    return f"{number} / {up}" if up.endswith(f" {unit}") else f"{down} / {up}"


def _peer_table(rows: Sequence[Said], terminal: Terminal, *, full_id: bool = False) -> list[str]:
    columns = [Column("NODE"), Column("STATE"), Column("LAST SEEN", True), Column("ADDRESSES"), Column("ID")]
    return table(
        columns,
        [
            (
                row["name"] or "?",
                row["state"],
                "never" if row["heard_seconds_ago"] is None else f"{span(row['heard_seconds_ago'])} ago",
                " ".join(row["addresses"]) or "-",
                row["node"] if full_id else f"{row['node'][:16]}…",
            )
            for row in rows
        ],
        terminal,
    )


def _warnings(warnings: Sequence[str], terminal: Terminal) -> list[str]:
    if not warnings:
        return [terminal.good("All is well.")]
    return [f"{terminal.warn('!')} {clean(warning)}" for warning in warnings]


def _now(down: int, up: int) -> tuple[str, str]:
    return show_rate(BitsPerSecond(down)), show_rate(BitsPerSecond(up))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _worth(batch: Said) -> str:
    devices = f" on {_count(batch['devices_max'], 'device')}" if batch["devices_max"] else ""
    return f"{clean(batch['group'])}, {span(batch['lasts_ms'] // 1000)}{devices}"


def _short(text: str) -> str:
    return text if len(text) <= _RULE_CHARS_MAX else f"{text[: _RULE_CHARS_MAX - 1]}…"
