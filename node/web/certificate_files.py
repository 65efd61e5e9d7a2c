"""Certificate files on disk: checked at intervals, and a broken new file never replaces a valid
certificate."""

import contextlib
import logging
import os
import ssl
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from cryptography import x509

from node.backup.contents import ADMIN_CERTIFICATE
from node.config import NodeConfig
from node.errors import NodeError
from node.synced_files import replace_synced
from node.web.certificates import (
    FILE_BYTES_MAX,
    Certificate,
    is_ending,
    read_certificate,
    read_roots,
    why_not_trusted,
)
from node.web.self_signed import fingerprint_for, make_certificate

log = logging.getLogger(__name__)

BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem", "/etc/pki/tls/certs/ca-bundle.crt")
"""Usual CA bundles, for systems where OpenSSL's default path does not exist."""
BUNDLE_BYTES_MAX = 4_000_000
CHECK_AGAIN = timedelta(minutes=1)
"""Interval of trust checks: the certificate can expire, and CA bundles change."""
SESSIONS_MAX = 4_096
"""OpenSSL caches about a kilobyte for each TLS 1.2 session without a ticket, up to 20,000 of them."""
Signature = tuple[tuple[int, int, int], ...]
_UNSEEN: Signature = ()


class CertificateFiles:
    """The certificate of the TLS listener. `look` reads files, so call it in a thread; everything else is in
    memory.

    `now` returns an aware datetime. SSL_CERT_FILE names the CA bundle, as for every program with OpenSSL.
    """

    def __init__(self, chain: Path, key: Path, host: str, now: Callable[[], datetime]) -> None:
        self.context: ssl.SSLContext | None = None
        """None until a usable certificate was loaded."""
        self.certificate: Certificate | None = None
        self._chain, self._key, self._host, self._now = chain, key, host, now
        self._seen: Signature = _UNSEEN
        self._checked: datetime | None = None
        self.broken = ""
        """Why the present files cannot be used, and how to fix that; empty when they can."""
        self.distrust = ""
        """Why devices would not trust the certificate in use; empty when they would."""

    @property
    def url(self) -> str:
        """The portal's https URL while devices would trust the certificate; otherwise empty."""
        return f"https://{self._host}" if self.certificate is not None and not self.distrust else ""

    @property
    def ends(self) -> datetime | None:
        """When the certificate in use ends; None without one."""
        return self.certificate.ends if self.certificate is not None else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """For ``status``: what is wrong with the files, and how to fix it."""
        found = []
        if self.broken:
            still = (
                " The one before is still in use." if self.certificate else " There is no https until then."
            )
            found.append(f"The portal's certificate cannot be used: {self.broken}.{still}")
        if self.certificate is None:
            return tuple(found)
        if self.distrust:
            found.append(
                f"Devices are not told of the portal, because they would not trust its certificate: {self.distrust}."
            )
        elif is_ending(self.certificate, self._now()):
            found.append(
                f"The portal's certificate ends on {self.certificate.ends:%Y-%m-%d} and was not renewed; see the ACME "
                "client's log."
            )
        return tuple(found)

    def look(self) -> None:
        """Reloads the files if they changed since the last call, and repeats the trust check at intervals."""
        seen, now = self._signature(), self._now()
        if seen != self._seen:
            self._seen, self._checked = seen, None
            try:
                self._load()
                self.broken = ""
                log.info(
                    "the portal's certificate is in use until %s", self.certificate and self.certificate.ends
                )
            except NodeError as error:
                self.broken = f"{error.message}; {error.fix}"
                log.warning("the portal's certificate cannot be used: %s", error)
        elif self.context is not None and self.context.session_stats()["number"] > SESSIONS_MAX:
            self._forget_sessions()
        # The clock may have been set, in either direction.
        is_due = self._checked is None or abs(now - self._checked) >= CHECK_AGAIN
        if self.certificate is not None and (is_due or self.distrust):
            self._checked = now
            self.distrust = why_not_trusted(self.certificate, trusted_roots(), now)

    def _forget_sessions(self) -> None:
        """Replaces the context, and with it the session cache, from the same files. If they are invalid by
        now, the next `look` reports it."""
        with contextlib.suppress(NodeError):
            self.context = server_context(self._chain, self._key, self._host)

    def _load(self) -> None:
        try:
            chain, key = _read(self._chain), _read(self._key)
        except OSError as error:
            raise NodeError(
                f"{error.filename} cannot be read: {error.strerror}",
                "copy it there, readable for the node only",
            ) from error
        certificate = read_certificate(chain, key, self._host)
        if self._now() > certificate.ends:
            raise NodeError(f"it ended on {certificate.ends:%Y-%m-%d}", "renew it with the ACME client")
        context = server_context(self._chain, self._key, self._host)
        if self._signature() != self._seen:
            # The files were replaced during the read: the next look finds both complete.
            self._seen = _UNSEEN
            raise NodeError("it is being replaced right now", "nothing to do")
        self.context, self.certificate = context, certificate

    def _signature(self) -> Signature:
        return tuple(_stamp(path) for path in (self._chain, self._key))


class SelfSignedFile:
    """A self-signed certificate in a file, made when there is none for this host and these addresses.

    `look` reads and writes files, so call it in a thread; everything else is in memory.
    """

    def __init__(self, path: Path, host: str, addresses: Sequence[IPv4Address | IPv6Address]) -> None:
        self.context: ssl.SSLContext | None = None
        self.fingerprint = ""
        """SHA-256, as browsers show it; empty before the first `look`."""
        self.warning = ""
        """Why there is none; empty when there is."""
        self._path, self._host, self._addresses = path, host, tuple(addresses)

    def look(self) -> None:
        """Loads the certificate, or makes it."""
        if self.context is not None:
            return
        try:
            fingerprint = self._read() or self._make()
            self.context, self.fingerprint = server_context(self._path, self._path, self._host), fingerprint
            self.warning = ""
        except (OSError, NodeError) as error:
            reason = error.message if isinstance(error, NodeError) else error.strerror
            self.warning = f"The admin pages have no https: {self._path}: {reason}."

    def _read(self) -> str:
        try:
            return fingerprint_for(_read(self._path), self._host, self._addresses)
        except FileNotFoundError:
            return ""

    def _make(self) -> str:
        made = make_certificate(self._host, self._addresses)
        replace_synced(self._path, made.pem, 0o600)
        return made.fingerprint


def portal_certificate(config: NodeConfig, now: Callable[[], datetime]) -> CertificateFiles | None:
    """The certificate of the portal, read once; None when none is configured."""
    chain, key = config.portal.certificate, config.portal.certificate_key
    if chain is None or key is None:
        return None
    files = CertificateFiles(Path(chain), Path(key), config.portal.host, now)
    files.look()  # before dnsmasq starts, which advertises the URL
    return files


def admin_certificate_file(config: NodeConfig) -> SelfSignedFile:
    """The certificate that a node makes for its admin pages."""
    addresses = [each.ip for each in (config.lan.address4, config.lan.address6) if each is not None]
    return SelfSignedFile(Path(config.node.data_dir) / ADMIN_CERTIFICATE, config.portal.host, addresses)


class AdminCertificate:
    """The certificate of the admin pages: the portal's where it has one that can be used, else a self-signed one."""

    def __init__(self, portal: CertificateFiles | None, own: SelfSignedFile) -> None:
        self._portal, self._own = portal, own

    @property
    def context(self) -> ssl.SSLContext | None:
        return self._of_portal() or self._own.context

    @property
    def fingerprint(self) -> str:
        """Of the self-signed certificate; empty while the portal's is used."""
        return "" if self._of_portal() else self._own.fingerprint

    @property
    def warnings(self) -> tuple[str, ...]:
        return (self._own.warning,) if self._own.warning and not self._of_portal() else ()

    def look(self) -> None:
        """Reads the self-signed certificate where it is needed; the portal's listener reads that of the portal."""
        if not self._of_portal():
            self._own.look()

    def _of_portal(self) -> ssl.SSLContext | None:
        return None if self._portal is None else self._portal.context


def server_context(chain: Path, key: Path, host: str) -> ssl.SSLContext:
    """TLS context of the portal: TLS 1.2 or newer, HTTP/1.1, SNI of `host` or none. Raises NodeError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])

    def answers_to(_: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> int | None:
        return None if name is None or name.lower() == host else ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

    # The type stub says socket; over a protocol the callback gets an SSLObject.
    context.sni_callback = answers_to
    try:
        context.load_cert_chain(chain, key)
    except (ssl.SSLError, OSError) as error:
        raise NodeError(
            f"OpenSSL does not take it: {error.strerror or error}", "ask for a new certificate"
        ) from error
    return context


def trusted_roots() -> list[x509.Certificate]:
    """Certificate authorities that this system trusts; empty when no bundle is found."""
    own = (os.environ.get("SSL_CERT_FILE"), ssl.get_default_verify_paths().cafile, *BUNDLES)
    found = next((Path(name) for name in own if name and Path(name).is_file()), None)
    if found is None:
        return []
    with found.open("rb") as file:
        return read_roots(file.read(BUNDLE_BYTES_MAX))


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(FILE_BYTES_MAX + 1)


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_mtime_ns, found.st_size)
