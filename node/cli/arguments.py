"""The list of commands (verbs): argument parser, help and reference are generated from it."""

import argparse
from collections.abc import Callable, Sequence

from node.cli.event_verbs import EVENT_VERBS
from node.cli.gateway_verbs import GATEWAY_VERBS
from node.cli.verb import JSON, Argument, Verb

EXIT_YES = 0
EXIT_NO = 1
EXIT_WRONG_USE = 2
EXIT_NO_NODE = 3
EXITS = {
    EXIT_YES: "yes: it is done, or all is well",
    EXIT_NO: "the answer is no: an error in the rules, an unknown person or device, a failed check",
    EXIT_WRONG_USE: "wrong use: an unknown option, or a file that cannot be read or has errors",
    EXIT_NO_NODE: "no node is running, or you are not allowed to ask it",
}
CONFIG_DEFAULT = "/etc/procomu/node.toml"
RUN_DIR_DEFAULT = "/run/procomu"

_RECOVERY_KEY = Argument("--key", "a file with the recovery key; typed when not given", "FILE")
_EXPORTED = "a new folder for the tables, or, of the running node, netjson, meshviewer, nodelist, cnml, prometheus, history"
CONFIG_HELP = f"the node's settings; {CONFIG_DEFAULT} when not given"
ABOUT = "A community network's node: welcomes people, shares the line by rules, and counts what is used."

VERBS: tuple[Verb, ...] = (
    Verb(
        ("init",),
        "Make a new node's keys and files. Existing files are never overwritten. On a terminal it asks what is not given.",
        'procomu init --name library --community "Vall Alta" --lan br-lan --uplink eth0',
        (
            Argument("--name", "what people call this node", "NAME"),
            Argument("--community", "the community's name", "NAME"),
            Argument("--lan", "the interface where people are", "INTERFACE"),
            Argument("--uplink", "the interface towards the Internet; detected when not given", "INTERFACE"),
            Argument("--down", "the measured speed of the line, downwards", '"40 Mbit/s"'),
            Argument("--up", "the measured speed of the line, upwards", '"8 Mbit/s"'),
            Argument("--data-dir", "where the node keeps its database and key", "FOLDER"),
            Argument("--yes", "ask nothing: take what was found where an option is not given"),
            Argument(
                "--print",
                "only write a page to print, with the code for the set-up in a browser, to a new file",
                "FILE.html",
            ),
            Argument("--language", "the page's language, such as ca; English when not given", "LANGUAGE"),
            JSON,
        ),
    ),
    Verb(
        ("run",),
        "Run the node until it is stopped. While there are no settings at the usual path, serve the set-up page instead.",
        "procomu run --config /etc/procomu/node.toml",
    ),
    Verb(
        ("status",),
        "The people online, at what rate and by which rule; other nodes; warnings.",
        "procomu status",
        (JSON,),
    ),
    Verb(
        ("why",),
        "What one account or device can use now, and which rule says so.",
        'procomu why ana --at "fri 21:00"',
        (
            Argument("WHO", "an account, or a device's hardware address"),
            Argument(
                "--at",
                "another moment: a day of the week or a date, and a time",
                '"DAY HH:MM[, everyone busy]"',
            ),
            JSON,
        ),
    ),
    Verb(
        ("rules", "check"),
        "Check a rule file: every error at once, with its line and what to write instead.",
        "procomu rules check draft.toml",
        (Argument("FILE", "the rule file to check"), JSON),
    ),
    Verb(
        ("rules", "compare"),
        "What a rule file would change, for which people and when, compared with the rules in force.",
        "procomu rules compare draft.toml",
        (
            Argument("FILE", "the rule file"),
            Argument("--with", "another rule file; the rules in force when not given", "FILE"),
            JSON,
        ),
    ),
    Verb(
        ("rules", "preview"),
        "What a rule file would have changed in the last 14 days, from what accounts used in each five minutes.",
        "procomu rules preview draft.toml",
        (Argument("FILE", "the rule file"), JSON),
    ),
    Verb(
        ("rules", "observe"),
        "How many accounts the rules that are only observed would have limited in the last 14 days.",
        "procomu rules observe",
        (JSON,),
    ),
    Verb(("rules", "show"), "The rules in force, in plain language.", "procomu rules show", (JSON,)),
    Verb(
        ("rules", "adopt"),
        "Put a rule file in force, on trial: unless it is confirmed in time, the rules from before come back.",
        'procomu rules adopt draft.toml --at "2026-12-01 06:00"',
        (
            Argument("FILE", "the rule file"),
            Argument("--at", "later, at this local time of the node", '"DAY HH:MM"'),
            Argument("--no-trial", "for good: nobody needs to confirm it"),
            JSON,
        ),
    ),
    Verb(
        ("rules", "confirm"),
        "Confirm the rules on trial: they stay in force. Or approve a version that waits for approval, by its number.",
        "procomu rules confirm",
        (Argument("[VERSION]", "only this version, on trial or waiting for approval"), JSON),
    ),
    Verb(
        ("rules", "rollback"),
        "Take back what was adopted last: end the trial, withdraw what waits, or put the rules from before on trial.",
        "procomu rules rollback",
        (Argument("[VERSION]", "put this version on trial instead"), JSON),
    ),
    Verb(
        ("rules", "draft"),
        "Show a rule file to members as a draft: they read what it would change and can object. It changes nothing.",
        "procomu rules draft draft.toml",
        (Argument("FILE", "the rule file"), JSON),
    ),
    Verb(
        ("rules", "withdraw"),
        "Withdraw a draft, or rules that wait for their time or for approval.",
        "procomu rules withdraw 7",
        (Argument("VERSION", "its number, as 'procomu rules log' lists it"), JSON),
    ),
    Verb(
        ("rules", "log"),
        "Every version of the rules: its day, the admin who adopted it, and what became of it.",
        "procomu rules log",
        (JSON,),
    ),
    Verb(
        ("ladder", "list"),
        "The ladders of the rules, the accounts that used more than they say, and all cases.",
        "procomu ladder list",
        (JSON,),
    ),
    Verb(
        ("ladder", "open"),
        "Open a case: the account reads it at once, and the next step holds a day later.",
        'procomu ladder open ana big-users --reason "downloads all evening, and did not answer"',
        (
            Argument("ACCOUNT", "the account that it is about"),
            Argument("LADDER", "the id of a ladder in the rules"),
            Argument("--reason", "why; not needed if the account used more than the ladder says", "TEXT"),
            JSON,
        ),
    ),
    Verb(
        ("ladder", "lift"),
        "Lift a case: nothing of it limits the account any longer.",
        "procomu ladder lift 3",
        (Argument("NUMBER", "the number of the case"), JSON),
    ),
    Verb(
        ("ladder", "answer"),
        "Answer the objection to a case: its step goes on.",
        'procomu ladder answer 3 "we looked again: it stays"',
        (
            Argument("NUMBER", "the number of the case"),
            Argument("TEXT", "the answer, which the person reads"),
            JSON,
        ),
    ),
    *GATEWAY_VERBS,
    Verb(
        ("devices",),
        "Every device that is here: whose it is, how it joined, what it used.",
        "procomu devices",
        (JSON,),
    ),
    Verb(
        ("vouchers", "issue"),
        "Make vouchers and show their codes. The codes are shown only once.",
        'procomu vouchers issue --count 24 --group day-pass --lasts "1 day" --devices 3 --print sheet.html',
        (
            Argument("--count", "how many; 24 when not given", "NUMBER"),
            Argument(
                "--group",
                "the group for the rules; day-pass when not given",
                "NAME",
            ),
            Argument("--lasts", "how long each lasts from its first use; 1 day when not given", "DURATION"),
            Argument(
                "--devices", "how many devices can share one; the rules decide when not given", "NUMBER"
            ),
            Argument("--note", "a note about them", "TEXT"),
            Argument("--print", "also write a page to print to a new file", "FILE.html"),
            Argument("--per-page", "vouchers on a page: 8, 12 or 24; 12 when not given", "NUMBER"),
            Argument("--language", "the page's language, such as ca; English when not given", "LANGUAGE"),
            Argument("--wifi", "the Wi-Fi's name on the page; the community's when not given", "NAME"),
            JSON,
        ),
    ),
    Verb(
        ("vouchers", "list"),
        "Every batch of vouchers of all nodes, and how many of them are used.",
        "procomu vouchers list",
        (JSON,),
    ),
    Verb(
        ("vouchers", "revoke"),
        "Revoke a batch or one voucher, at every node. Anyone online with it is disconnected at once.",
        "procomu vouchers revoke 7K3M-9Q2W-4X1Z",
        (
            Argument("WHICH", "the number of a batch, or the code of one voucher"),
            Argument("--back", "undo a revocation"),
            JSON,
        ),
    ),
    Verb(
        ("members", "passphrase"),
        "Make a new passphrase for a member and show it once. The previous one stops working.",
        "procomu members passphrase ana",
        (Argument("WHO", "the member's account"), JSON),
    ),
    Verb(
        ("members", "card"),
        "Make a membership card: its text, and its QR code.",
        "procomu members card ana --print ana.svg",
        (
            Argument("WHO", "the member's account"),
            Argument("--print", "also write its QR code to a new file", "FILE.svg"),
            JSON,
        ),
    ),
    Verb(
        ("members", "void-cards"),
        "Invalidate all cards made for a member so far.",
        "procomu members void-cards ana",
        (Argument("WHO", "the member's account"), JSON),
    ),
    Verb(
        ("community", "show"),
        "Which nodes belong to the community, who signs for it, and the invites.",
        "procomu community show",
        (JSON,),
    ),
    Verb(
        ("community", "create"),
        "Make the community record from the list of nodes in the settings, with an admin key on this machine.",
        'procomu community create --label "Rosa"',
        (Argument("--label", "whose key it is; admin when not given", "NAME"), JSON),
    ),
    Verb(
        ("community", "follow"),
        "Take the list of nodes from the community record that a neighbour follows, instead of from the settings.",
        "procomu community follow 5f0c3a9d1e7b2468",
        (Argument("ID", "the first 16 characters of its id, as an admin tells you"), JSON),
    ),
    Verb(
        ("community", "invite"),
        "Make an invite for a new node, as a text and a QR code. Any node of the community can let it in.",
        "procomu community invite --uses 3 --print invite.svg",
        (
            Argument("--uses", "for how many nodes; 1 when not given", "NUMBER"),
            Argument(
                "--address", "where the new node reaches this one; its mesh links when not given", "ADDRESS"
            ),
            Argument(
                "--print",
                "also write its QR code, for the set-up page of a new node, to a new file",
                "FILE.svg",
            ),
            Argument("--close", "take back an invite instead; nodes that came with it stay", "KEY"),
            JSON,
        ),
    ),
    Verb(
        ("community", "join"),
        "Bring this node into a community with an invite, while it is stopped.",
        "procomu community join procomu-invite-1-AbCd",
        (
            Argument("INVITE", "the text of the invite; - reads it from standard input"),
            Argument(
                "--address", "a node of the community, if those in the invite cannot be reached", "ADDRESS"
            ),
            JSON,
        ),
    ),
    Verb(
        ("community", "remove"),
        "Remove a node from the community: all other nodes end their connections to it within seconds.",
        "procomu community remove library",
        (
            Argument("NODE", "its name, its id, or the short form of its id"),
            Argument("--suspend", "only for a while"),
            Argument("--back", "a node that was suspended or removed belongs to the community again"),
            JSON,
        ),
    ),
    Verb(
        ("community", "rotate"),
        "Replace the admin key on this machine by a new one, or the community's secret, which a removed node knows.",
        "procomu community rotate --secret",
        (
            Argument("--secret", "a new secret for all nodes, instead of a new admin key"),
            Argument(
                "--recovery", "with --secret: a file with a recovery key from paper, which signs too", "FILE"
            ),
            Argument("--save", "with --secret: a file for the next admin, if more must sign", "FILE"),
            JSON,
        ),
    ),
    Verb(
        ("community", "key"),
        "The id of this machine's admin key, for 'community admins --add' of another admin. Makes one if there is none.",
        "procomu community key",
        (JSON,),
    ),
    Verb(
        ("community", "admins"),
        "Change who signs for the community, and how many votes a change needs; or make a recovery key for paper.",
        'procomu community admins --add KEY --label "Pau" --save change.json',
        (
            Argument("--add", "the key of another admin, from 'community key' on their machine", "KEY"),
            Argument("--label", "whose key it is", "NAME"),
            Argument("--votes", "how many votes it has; 1 when not given", "NUMBER"),
            Argument("--remove", "an admin who signs no longer: a name, or a key", "ADMIN"),
            Argument("--threshold", "how many votes a change needs from now on", "NUMBER"),
            Argument("--new-recovery", "make a recovery key, and show it once"),
            Argument(
                "--recovery", "sign with the recovery key in this file, when keys of admins are lost", "FILE"
            ),
            Argument("--save", "a new file for the next admin, when more must sign", "FILE"),
            JSON,
        ),
    ),
    Verb(
        ("community", "sign"),
        "Show a change of the admins that another one has prepared, and sign it.",
        "procomu community sign change.json --save signed.json",
        (
            Argument("FILE", "the file of the other admin"),
            Argument("--recovery", "sign with the recovery key in this file", "FILE"),
            Argument("--save", "a new file for the next admin, when more must sign", "FILE"),
            JSON,
        ),
    ),
    Verb(
        ("community", "share"),
        "Sign this node's rules or members for all nodes of the community, which take them within seconds.",
        'procomu community share rules --reason "decided on 3 May"',
        (
            Argument("FILE", "rules or members"),
            Argument("--key", "the file with the admin key; that beside the settings when not given", "FILE"),
            Argument("--reason", "why; all nodes show it", "TEXT"),
            Argument(
                "--use", "instead a version that admins signed, by its hash in 'community versions'", "HASH"
            ),
            Argument(
                "--version", "instead an earlier version of the rules, by its number in 'rules log'", "NUMBER"
            ),
            JSON,
        ),
    ),
    Verb(
        ("community", "take"),
        "Put the community's rules or members in force on this node, in place of its own that differ.",
        "procomu community take rules",
        (Argument("FILE", "rules or members"), JSON),
    ),
    Verb(
        ("community", "versions"),
        "What admins signed of the rules and of the members, and whether this node has it.",
        "procomu community versions",
        (JSON,),
    ),
    Verb(
        ("community", "told"),
        "What the nodes tell each other about people, in which version, and which node says it.",
        "procomu community told ana",
        (Argument("[WHO]", "only about this account"), JSON),
    ),
    Verb(("peers",), "Other nodes, what they were like just now, and strangers.", "procomu peers", (JSON,)),
    Verb(
        ("admin", "link"),
        "A link to the admin pages that signs in once: as an admin, or as someone who issues vouchers.",
        'procomu admin link --role issuer --name library --groups day-pass --lasts "2 days" --per-day 40',
        (
            Argument("--role", "admin (when not given) or issuer, who can only issue vouchers", "ROLE"),
            Argument("--name", "who it is for; an issuer needs a name to find their vouchers", "NAME"),
            Argument(
                "--groups",
                "which groups an issuer can issue vouchers for, separated by commas (day-pass)",
                "GROUPS",
            ),
            Argument("--lasts", "how long each of an issuer's vouchers lasts at most (7 days)", "TIME"),
            Argument("--devices", "how many devices each can serve at once (5)", "COUNT"),
            Argument("--per-day", "how many vouchers an issuer can issue in a day (100)", "COUNT"),
            JSON,
        ),
    ),
    Verb(
        ("metrics", "token"),
        "Make the token with which Prometheus reads this node's metrics, and show it once. The one before no longer works.",
        "procomu metrics token",
        (JSON,),
    ),
    Verb(("metrics", "revoke"), "Revoke that token: nobody gets metrics.", "procomu metrics revoke", (JSON,)),
    Verb(
        ("import",),
        "Bring in the vouchers of another portal as new ones, each with the time that it has left.",
        "procomu import pirania vouchers.json --dry-run",
        (
            Argument("KIND", "pirania, opnsense, or wifidog, of which hotspots and people are listed"),
            Argument("FILE", "what it exported: JSON of pirania, CSV of the others"),
            Argument("--group", "the group for the rules; day-pass when not given", "NAME"),
            Argument(
                "--devices", "how many devices can share one; the rules decide when not given", "NUMBER"
            ),
            Argument("--dry-run", "only show what would come in"),
            JSON,
        ),
    ),
    Verb(("watch",), "What changes, as it happens, until Ctrl-C.", "procomu watch", (JSON,)),
    Verb(
        ("doctor",),
        "Check everything a node needs; say what is wrong and the command that fixes it.",
        "procomu doctor",
        (Argument("--acknowledge", "first confirm that you have read what the database lost"), JSON),
    ),
    Verb(
        ("backup", "key"),
        "Make a recovery key, which opens backups, and show it once. The node keeps its public part only.",
        "procomu backup key --print recovery.html",
        (
            Argument("--print", "also write a page to print to a new file, with a QR code", "FILE.html"),
            Argument("--language", "the page's language, such as ca; English when not given", "LANGUAGE"),
            Argument("--replace", "there is a key: make another one for backups from now on"),
            JSON,
        ),
    ),
    Verb(
        ("backup", "create"),
        "Write settings, rules, members, keys and the database into one encrypted file. The node can run meanwhile.",
        "procomu backup create library.backup",
        (Argument("FILE", "a new file"), JSON),
    ),
    Verb(
        ("backup", "check"),
        "Read a backup to its end and say what it is a backup of. Needs no settings and changes nothing.",
        "procomu backup check library.backup --key recovery.txt",
        (Argument("FILE", "the backup"), _RECOVERY_KEY, JSON),
    ),
    Verb(
        ("restore",),
        "Restore a backup on this machine, while no node runs: as the same node, with all its data.",
        "procomu restore library.backup",
        (
            Argument("FILE", "the backup"),
            _RECOVERY_KEY,
            Argument("--yes", "ask nothing, and replace the node that is here"),
            JSON,
        ),
    ),
    Verb(
        ("history",),
        "How the line and the machine were until now: the list of what is recorded, or one of it in words and bars.",
        "procomu history line_down --last 30d",
        (Argument("[SERIES]", "one of them"), Argument("--last", "90m, 24h, 30d, 2w or 3y", "TIME"), JSON),
    ),
    *EVENT_VERBS,
    Verb(
        ("export",),
        "Write all tables of the database into a new folder; or print the history, the metrics, or the nodes and "
        "links of the community in a format of programs that draw networks. The node can run meanwhile.",
        "procomu export tables --format csv",
        (
            Argument("WHAT", _EXPORTED),
            Argument(
                "--from",
                "the network of this CNML file, as guifi.net publishes its zones, instead of the node's own",
                "FILE",
            ),
            Argument("--format", "of the tables: csv (when not given) or json", "FORMAT"),
            Argument("--table", "one table only", "NAME"),
            JSON,
        ),
    ),
    Verb(
        ("reset",),
        "Delete everything of a stopped node: settings, rules, members, keys, database, and what is in the kernel.",
        "procomu reset",
        (Argument("--backup", "make a backup first", "FILE"), Argument("--yes", "ask nothing"), JSON),
    ),
    Verb(
        ("cleanup",),
        "Remove everything that a stopped node left in this machine's kernel. Needs no settings.",
        "procomu cleanup",
        (JSON,),
    ),
)


class _VersionOption(argparse.Action):
    """``--version``: finding the version can take a moment, so that only this option does it."""

    def __init__(self, option_strings: Sequence[str], dest: str, find: Callable[[], str]) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help="show the version")
        self._find = find

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"procomu {self._find()}")
        parser.exit()


def make_parser(version: Callable[[], str]) -> argparse.ArgumentParser:
    """The argument parser. ``verb`` holds the command's name; option names have underscores."""
    parser = argparse.ArgumentParser(
        "procomu", description=ABOUT, epilog="'procomu VERB --help' shows an example."
    )
    parser.add_argument("--version", action=_VersionOption, find=version)
    parser.add_argument("--config", default=CONFIG_DEFAULT, metavar="FILE", help=CONFIG_HELP)
    verbs = parser.add_subparsers(metavar="VERB", required=True, title="verbs")
    groups: dict[str, argparse._SubParsersAction[argparse.ArgumentParser]] = {}
    for verb in VERBS:
        if len(verb.words) == 1:
            _add_verb(verbs, verb)
            continue
        group = verb.words[0]
        if group not in groups:
            seconds = ", ".join(each.words[1] for each in VERBS if each.words[0] == group)
            inner = verbs.add_parser(group, help=f"{seconds}: 'procomu {group} --help' shows more")
            groups[group] = inner.add_subparsers(metavar="VERB", required=True, title="verbs")
        _add_verb(groups[group], verb)
    return parser


def reference() -> str:
    """Reference of all commands in Markdown, with options, an example and exit codes."""
    parts = [_REFERENCE_HEAD]
    for verb in VERBS:
        parts.append(f"\n## procomu {verb.name}\n\n{verb.help}\n\n    {verb.example}\n")
        if verb.arguments:
            parts.append("\n| argument | meaning |\n|---|---|\n")
            parts += [f"| `{_shown(argument)}` | {argument.help} |\n" for argument in verb.arguments]
    parts.append("\n## Exit codes\n\n| code | meaning |\n|---|---|\n")
    parts += [f"| {code} | {meaning} |\n" for code, meaning in EXITS.items()]
    return "".join(parts)


_REFERENCE_HEAD = f"""\
# Commands

Everything that `procomu` can do. Generated from the list of verbs in the code.
Every verb also takes `--config FILE`: {CONFIG_HELP}.
With `--json` the last line of the output is one JSON object. Colour is left out when the output is not a
terminal, or when `NO_COLOR` is set.
"""


def _add_verb(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]", verb: Verb) -> None:
    parser = verbs.add_parser(
        verb.words[-1],
        help=verb.help,
        description=verb.help,
        epilog=f"example:\n  {verb.example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(verb=verb.name)
    parser.add_argument("--config", default=argparse.SUPPRESS, metavar="FILE", help=CONFIG_HELP)
    for argument in verb.arguments:
        if argument.metavar:
            parser.add_argument(argument.name, metavar=argument.metavar, help=argument.help)
        elif argument.name.startswith("--"):
            parser.add_argument(argument.name, action="store_true", help=argument.help)
        elif argument.name.startswith("["):
            name = argument.name.strip("[]")
            parser.add_argument(name.lower(), nargs="?", metavar=name, help=argument.help)
        else:
            parser.add_argument(argument.name.lower(), metavar=argument.name, help=argument.help)


def _shown(argument: Argument) -> str:
    return f"{argument.name} {argument.metavar}".strip()
