"""The settings of [alerts]. Nothing is sent anywhere unless it is set."""

from node.config.alert_field_types import MAIL_ADDRESS, MAIL_ADDRESSES, ROOM, SERVER, TIME_OF_DAY, URL, USER
from node.config.field_types import PATH_OR_NONE, PORT, one_of
from node.config.setting import Setting, may

_IN_A_FILE = "A file that only root can read (chmod 600), with {what} as its one line."

ALERT_SETTINGS: tuple[Setting, ...] = (
    may(
        "alerts",
        "digest",
        TIME_OF_DAY,
        '"08:00"',
        "When the day's digest is sent by mail and Matrix, if there is something to tell: alerts that wake nobody. "
        "Urgent ones are sent at once. In the node's local time.",
    ),
    may(
        "alerts",
        "mail_to",
        MAIL_ADDRESSES,
        "[]",
        "Addresses that get alerts by mail. Empty: none.",
        example='["ana@vall.example"]',
    ),
    may(
        "alerts",
        "mail_from",
        MAIL_ADDRESS,
        '"none"',
        "The sender's address, which the relay must accept.",
        example='"node@vall.example"',
    ),
    may(
        "alerts",
        "mail_server",
        SERVER,
        '"none"',
        "Mail relay: a name or an address.",
        example='"smtp.vall.example"',
    ),
    may("alerts", "mail_port", PORT, "587", 'Port of the relay; 465 is usual with mail_security = "tls".'),
    may(
        "alerts",
        "mail_security",
        one_of("starttls", "tls", "none"),
        '"starttls"',
        'How the way to the relay is encrypted; its certificate is checked. "none" is for a relay in your own network, and '
        "then there is no login.",
    ),
    may("alerts", "mail_user", USER, '""', "Login at the relay. Empty: none.", example='"node@vall.example"'),
    may(
        "alerts",
        "mail_password_file",
        PATH_OR_NONE,
        '"none"',
        _IN_A_FILE.format(what="the password"),
        example='"/etc/procomu/mail.secret"',
    ),
    may(
        "alerts",
        "matrix_server",
        URL,
        '"none"',
        "URL of the Matrix server of the user who writes into the room.",
        example='"https://matrix.vall.example"',
    ),
    may(
        "alerts",
        "matrix_room",
        ROOM,
        '"none"',
        "Id of the room, as its settings show it. The user must have joined it. It must not be encrypted: the node cannot.",
        example='"!kVoAbCdEfGhIjKlMnO:vall.example"',
    ),
    may(
        "alerts",
        "matrix_token_file",
        PATH_OR_NONE,
        '"none"',
        _IN_A_FILE.format(what="the access token of the user"),
        example='"/etc/procomu/matrix.secret"',
    ),
    may(
        "alerts",
        "webhook",
        URL,
        '"none"',
        "URL to which each alert is sent by POST as JSON, when it begins and when it is over.",
        example='"https://alerts.vall.example/procomu"',
    ),
    may(
        "alerts",
        "webhook_key_file",
        PATH_OR_NONE,
        '"none"',
        _IN_A_FILE.format(what="the key that signs it (HMAC-SHA-256, in the header X-Procomu-Signature)"),
        example='"/etc/procomu/webhook.secret"',
    ),
    may(
        "alerts",
        "file",
        PATH_OR_NONE,
        '"none"',
        "A file to which each alert is added as a line of JSON, when it begins and when it is over. With a megabyte it is "
        "renamed to .1, and begins again.",
        example='"/var/lib/procomu/alerts.jsonl"',
    ),
)
