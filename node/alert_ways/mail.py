"""Alerts by mail, through a relay that the community names."""

import smtplib
import socket
import ssl
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from functools import partial
from pathlib import Path
from typing import Any, Literal

from node.alert_ways.own_thread import in_own_thread
from node.alert_ways.secret import read_secret
from node.alerts.message import AlertMessage
from node.errors import NodeError

STEP_S = 10.0
"""How long the relay may take for each answer."""
SHOWN_CHARS_MAX = 200
MailSecurity = Literal["tls", "starttls", "none"]
_FIX = "see whether mail_server, mail_port and mail_security in [alerts] of node.toml are right, and what the relay says"


class _Conversation(smtplib.SMTP):
    """Tells of itself before it connects, which its constructor does: so it can be ended while that still waits."""

    def __init__(self, begins: Callable[[smtplib.SMTP], None], *where: Any, **how: Any) -> None:
        self._begins = begins
        super().__init__(*where, **how)

    def connect(self, *where: Any, **how: Any) -> tuple[int, bytes]:
        self._begins(self)
        return super().connect(*where, **how)


class _TlsConversation(_Conversation, smtplib.SMTP_SSL):
    """With TLS from the first byte."""


def _hang_up(begun: Iterable[smtplib.SMTP]) -> None:
    """Ends a conversation that takes too long, whatever the relay says meanwhile."""
    for each in begun:
        if each.sock is not None:
            with suppress(OSError):
                each.sock.shutdown(socket.SHUT_RDWR)


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

    async def send(self, message: AlertMessage) -> None:
        if self._is_busy:
            raise NodeError("the relay has not answered to the mail before", _FIX)
        mail, begun = mail_of(message, self._relay), list[smtplib.SMTP]()
        self._is_busy = True
        try:
            await in_own_thread(partial(self._hand_in, mail, begun.append), "mail of alerts")
        except RuntimeError:
            self._is_busy = False  # there was no thread to begin with, which would say so
            raise
        finally:
            _hang_up(begun)

    def _hand_in(self, mail: EmailMessage, begins: Callable[[smtplib.SMTP], None]) -> None:
        try:
            with self._connected(begins) as relay:
                self._log_in(relay)
                refused = relay.send_message(mail, self._relay.sender, self._relay.recipients)
            if refused:
                raise NodeError(f"the relay does not take mail for {', '.join(refused)}", _FIX)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise NodeError(f"the relay took no mail: {_shown(error)}", _FIX) from error
        finally:
            self._is_busy = False

    def _connected(self, begins: Callable[[smtplib.SMTP], None]) -> smtplib.SMTP:
        relay, step_s = self._relay, self._step_s
        own_name = relay.sender.rpartition("@")[2]  # else a name server is asked for it
        if relay.security == "tls":
            return _TlsConversation(
                begins, relay.server, relay.port, own_name, timeout=step_s, context=self._context()
            )
        connected = _Conversation(begins, relay.server, relay.port, own_name, timeout=step_s)
        if relay.security == "starttls":
            try:
                connected.starttls(context=self._context())
            except BaseException:
                connected.close()
                raise
        return connected

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
