"""Alerts by mail, through a relay that the community names."""

import smtplib
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from functools import partial
from pathlib import Path
from typing import Literal

from node.alert_ways.own_thread import in_own_thread
from node.alert_ways.secret import read_secret
from node.alerts.message import AlertMessage
from node.errors import NodeError

STEP_S = 10.0
"""How long the relay may take for each answer."""
SHOWN_CHARS_MAX = 200
MailSecurity = Literal["tls", "starttls", "none"]
_READY = 220
_FIX = "see whether mail_server, mail_port and mail_security in [alerts] of node.toml are right, and what the relay says"


@dataclass(frozen=True, slots=True)
class MailRelay:
    """Where mail is handed in, its sender and its recipients."""

    server: str
    port: int
    security: MailSecurity
    sender: str
    recipients: tuple[str, ...]
    user: str = ""
    """Empty: no login."""
    password_file: Path | None = None


class MailWay:
    """Implements `AlertWay`. One mail at a time: a relay that hangs holds one thread."""

    def __init__(
        self,
        relay: MailRelay,
        *,
        context: Callable[[], ssl.SSLContext] = ssl.create_default_context,
        step_s: float = STEP_S,
    ) -> None:
        """`context` verifies the relay's certificate."""
        self._relay, self._context, self._step_s = relay, context, step_s
        self._is_busy = False
        self._connection: smtplib.SMTP | None = None

    async def send(self, message: AlertMessage) -> None:
        if self._is_busy:
            raise NodeError("the relay has not answered to the mail before", _FIX)
        mail = mail_of(message, self._relay)
        self._is_busy = True
        try:
            await in_own_thread(partial(self._hand_in, mail), "mail of alerts")
        except Exception:
            self._is_busy = False  # also if there was no thread to begin with
            raise
        finally:
            self._hang_up()

    def _hang_up(self) -> None:
        """Ends a conversation that takes too long, whatever the relay says meanwhile."""
        connection, self._connection = self._connection, None
        if connection is not None and connection.sock is not None:
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def _hand_in(self, mail: EmailMessage) -> None:
        try:
            with self._connected() as relay:
                self._log_in(relay)
                refused = relay.send_message(mail, self._relay.sender, self._relay.recipients)
            if refused:
                raise NodeError(f"the relay does not take mail for {', '.join(refused)}", _FIX)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise NodeError(f"the relay took no mail: {_shown(error)}", _FIX) from error
        finally:
            self._is_busy = False

    def _connected(self) -> smtplib.SMTP:
        relay, step_s = self._relay, self._step_s
        own_name = relay.sender.rpartition("@")[2]  # else a name server is asked for it
        if relay.security == "tls":
            connected: smtplib.SMTP = smtplib.SMTP_SSL(
                local_hostname=own_name, timeout=step_s, context=self._context()
            )
        else:
            connected = smtplib.SMTP(local_hostname=own_name, timeout=step_s)
        self._connection = connected
        try:
            self._greet(connected)
        except BaseException:
            connected.close()
            raise
        return connected

    def _greet(self, connected: smtplib.SMTP) -> None:
        relay = self._relay
        # Its name is what the certificate is compared with.
        connected._host = relay.server  # type: ignore[attr-defined]  # noqa: SLF001
        code, said = connected.connect(relay.server, relay.port)
        if code != _READY:
            raise smtplib.SMTPConnectError(code, said)
        if relay.security == "starttls":
            connected.starttls(context=self._context())

    def _log_in(self, relay: smtplib.SMTP) -> None:
        if self._relay.user and self._relay.password_file is not None:
            relay.login(self._relay.user, read_secret(self._relay.password_file))


def mail_of(message: AlertMessage, relay: MailRelay) -> EmailMessage:
    """Message-ID has the message's id, so that a mail that is sent again can be recognised (RFC 5322, section 3.6.4)."""
    mail = EmailMessage()
    mail["Subject"] = " ".join(message.subject.split())
    mail["From"], mail["To"] = relay.sender, ", ".join(relay.recipients)
    mail["Message-ID"] = f"<{message.id}@{relay.sender.rpartition('@')[2]}>"
    # RFC 3834: nobody's holiday message answers it.
    mail["Auto-Submitted"] = "auto-generated"
    if message.at_s is not None:
        mail["Date"] = formatdate(message.at_s)
    mail.set_content(message.text)
    return mail


def _shown(error: Exception) -> str:
    line = "".join(each if each.isprintable() else " " for each in str(error)[:SHOWN_CHARS_MAX])
    return " ".join(line.split()) or type(error).__name__
