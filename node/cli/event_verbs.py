"""The commands about events and alerts, as help, parser and reference describe them."""

from node.cli.verb import JSON, Argument, Verb

EVENT_VERBS: tuple[Verb, ...] = (
    Verb(
        ("events",),
        "What admins did, to which account and why, the newest first: of the last 7 days, or as you say.",
        "procomu events --search ana --last 30d",
        (
            Argument("--search", "a part of a name, an account, a reason or what was done", "TEXT"),
            Argument("--last", "12h, 30d or 2w; whole days", "TIME"),
            JSON,
        ),
    ),
    Verb(
        ("alerts",),
        "What is wrong now, by the node's list of alerts, and how sending them goes; or send a test message by one way.",
        "procomu alerts test mail",
        (
            Argument("[WHAT]", "test: send a message now, and say what happened"),
            Argument("[WAY]", "mail, matrix, webhook or file"),
            JSON,
        ),
    ),
)
