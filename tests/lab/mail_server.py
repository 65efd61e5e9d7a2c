"""A real mail server, OpenSMTPD, as the relay that a community gives its nodes: deploy/setup servers."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from node.web.self_signed import make_certificate
from tests.lab.free_port import free_port

PROGRAM, ITS_USER = "smtpd", "opensmtpd"
DOMAIN, USER, PASSWORD = "vall.example", "node@vall.example", "four plain words"
START_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class MailServer:
    """Takes mail for `DOMAIN`: without a login at one port, with login and TLS at the others."""

    folder: Path
    plain_port: int
    starttls_port: int
    tls_port: int

    @property
    def certificate(self) -> Path:
        return self.folder / "server.pem"

    def mails(self, person: str) -> list[EmailMessage]:
        """What is in somebody's box, the oldest first."""
        files = sorted(
            (self.folder / "boxes" / person / "new").glob("*"), key=lambda each: each.stat().st_mtime_ns
        )
        return [message_from_bytes(each.read_bytes(), policy=policy.default) for each in files]


def missing_for_mail() -> str | None:
    """Why the server cannot be started here, in one sentence; None if it can."""
    if os.geteuid() != 0:
        return "a mail server needs root"
    return None if shutil.which(PROGRAM) else "OpenSMTPD is not here; run: deploy/setup servers"


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """In a mount namespace, so that the machine's own spool stays as it is."""
    with tempfile.TemporaryDirectory() as name:
        server = MailServer(Path(name), free_port(), free_port(), free_port())
        _prepare(server)
        command = f"mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/spool && exec {PROGRAM} -d -f {name}/smtpd.conf"
        with (server.folder / "log").open("wb") as log:
            process = subprocess.Popen(
                ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", command],
                stdout=log,
                stderr=log,
            )
        try:
            _wait(server, process)
            yield server
        finally:
            process.kill()
            process.wait()


def _prepare(server: MailServer) -> None:
    folder = server.folder
    folder.chmod(0o755)
    boxes = folder / "boxes"
    boxes.mkdir()
    shutil.chown(boxes, ITS_USER)
    server.certificate.write_bytes(make_certificate("localhost", ()).pem)
    server.certificate.chmod(0o600)
    encrypted = subprocess.run(
        ["smtpctl", "encrypt", PASSWORD], capture_output=True, text=True, check=True
    ).stdout
    credentials = folder / "credentials"
    credentials.write_text(f"{USER} {encrypted}")
    credentials.chmod(0o600)
    shutil.chown(credentials, ITS_USER)
    (folder / "smtpd.conf").write_text(f'''
pki localhost cert "{server.certificate}"
pki localhost key "{server.certificate}"
table credentials file:{credentials}
table people {{ "@" = "{ITS_USER}" }}
listen on 127.0.0.1 port {server.plain_port}
listen on 127.0.0.1 port {server.starttls_port} tls-require pki localhost auth <credentials>
listen on 127.0.0.1 port {server.tls_port} smtps pki localhost auth <credentials>
action "box" maildir "{boxes}/%{{rcpt.user}}" virtual <people>
match from any for domain "{DOMAIN}" action "box"
''')


def _wait(server: MailServer, process: "subprocess.Popen[bytes]") -> None:
    ends = time.monotonic() + START_SECONDS
    while time.monotonic() < ends and process.poll() is None:
        with socket.socket() as each:
            if each.connect_ex(("127.0.0.1", server.tls_port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"OpenSMTPD does not start: {(server.folder / 'log').read_text()}")
