"""The document about alerts, made of their list."""

from node.alerts.alert_list import ALERTS, Alert

_HEAD = """\
# Alerts

What a node tells by itself. Generated from the list of alerts in the code. They are on the Overview, in `procomu
alerts`, and go where `[alerts]` in `node.toml` ([SETTINGS.md](SETTINGS.md)) says: mail through a relay that you name,
a room of Matrix, a webhook, a file. Each is off until it is set. No alert is about a person.

Urgent ones are sent at once. The others wait for the day's digest, at 08:00 unless `digest` says otherwise; a day
without news has none. A webhook and a file are for programs: they get every alert at once, when it begins and when it
is over. A time that is said here must have passed without a break; what is not known changes nothing.

| alert | what it says | told | over | urgent | Prometheus |
|---|---|---|---|---|---|
"""
_TAIL = """
## What to do when

| alert | what to do |
|---|---|
"""
_WAYS = """
## Ways out

Passwords, tokens and keys are in files of their own, as one line, which only root can read: `chmod 600`. They are in
no backup. Restart the node after a change of its settings; `procomu alerts test mail` (or `matrix`, `webhook`,
`file`) sends a message now and says what happened;
`procomu doctor` says whether the secrets can be read.

A server that does not answer delays nothing else. Messages wait, up to 50 for each way, also over restarts, and are
tried again after 10 seconds, 30 seconds, 1, 5 and 15 minutes, and then each hour. After a crash a message can come
twice, with the same id: it is the Message-ID of a mail, the transaction of Matrix, and the id in the JSON.

- Mail: `mail_security` is `starttls` or `tls`, and the relay's certificate is verified. Tried with OpenSMTPD.
- Matrix: the user of the token must have joined the room, and the room must not be encrypted. Tried with Synapse.
- Webhook: `POST` of JSON. The header `X-Procomu-Signature` is `sha256=` and the HMAC-SHA-256 of the body with your
  key in hexadecimal; compare it before you believe the body. Redirects are not followed, an answer must come within
  ten seconds, and everything but 2xx is a failure.
- File: a line of JSON for each. With a megabyte it gets the ending `.1`, and another one begins. Name a file in a
  folder that the node can write, such as its data folder.

The JSON has its id, `kind` (`raised`, `cleared` or `test`), `alert`, `about_node` (empty for the sender),
`urgent`, `at`, `since`, `community`, `node`, `subject` and `text`.
"""


def reference() -> str:
    """Every alert in Markdown: when it is told, when it is over, and what to do."""
    rows = "".join(_row(each) for each in ALERTS)
    fixes = "".join(f"| `{each.name}` | {each.fix} |\n" for each in ALERTS)
    return f"{_HEAD}{rows}{_TAIL}{fixes}{_WAYS}"


def _row(alert: Alert) -> str:
    told, over = f"{alert.when}{_after(alert.raise_after)}", f"{alert.until}{_after(alert.clear_after)}"
    urgent, rule = "yes" if alert.is_urgent else "", f"`{alert.rule}`" if alert.rule else ""
    return f"| `{alert.name}` | {alert.title} | {told} | {over} | {urgent} | {rule} |\n"


def _after(milliseconds: int) -> str:
    minutes = milliseconds // 60_000
    if not minutes:
        return ""
    if minutes % 60 == 0:
        return f", for {minutes // 60} h"
    return f", for {minutes} min"
