"""Alerts at real servers of mail and Matrix: pytest --other-servers, after deploy/setup servers."""

import ssl
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from node.alert_ways.mail import MailRelay, MailSecurity, MailWay
from node.alert_ways.matrix import MatrixRoom
from node.alerts.message import AlertMessage
from node.errors import NodeError
from tests.fakes.alert_ways import until
from tests.lab import mail_server as mail
from tests.lab.matrix_server import MatrixServer, matrix_server, missing_for_matrix

pytestmark = pytest.mark.other_server
MESSAGE = AlertMessage(
    "id-1", "[Vall, library] Té àccents", "Línia morta.\n.\nfi\n", "raised", at_s=1_796_062_800
)


@pytest.fixture(scope="module")
def smtp() -> Iterator[mail.MailServer]:
    if (missing := mail.missing_for_mail()) is not None:
        pytest.skip(missing)
    with mail.mail_server() as server:
        yield server


@pytest.fixture
def ways(smtp: mail.MailServer, tmp_path: Path) -> Callable[..., MailWay]:
    """Ways by mail to somebody at this server."""

    def way(to: str, security: MailSecurity = "none", password: str = "") -> MailWay:
        ports = {"none": smtp.plain_port, "starttls": smtp.starttls_port, "tls": smtp.tls_port}
        secret = tmp_path / f"password-{len(list(tmp_path.iterdir()))}"
        secret.write_text(f"{password}\n")
        secret.chmod(0o600)
        login = {"user": mail.USER, "password_file": secret} if password else {}
        relay = MailRelay("localhost", ports[security], security, mail.USER, (to,), **login)  # type: ignore[arg-type]
        return MailWay(relay, context=partial(ssl.create_default_context, cafile=str(smtp.certificate)))

    return way


@pytest.mark.parametrize(
    ("security", "password"), [("none", ""), ("starttls", mail.PASSWORD), ("tls", mail.PASSWORD)]
)
async def test_a_mail_is_in_the_box_as_it_was_written(
    smtp: mail.MailServer, ways: Callable[..., MailWay], security: str, password: str
) -> None:
    await ways(f"{security}@{mail.DOMAIN}", security, password).send(MESSAGE)
    await until(lambda: bool(smtp.mails(security)), 20)
    (found,) = smtp.mails(security)
    assert MESSAGE.subject == found["Subject"]
    assert MESSAGE.text == found.get_content()
    assert (mail.USER, f"<{MESSAGE.id}@{mail.DOMAIN}>") == (found["From"], found["Message-ID"])


async def test_the_words_of_a_relay_that_refuses_are_in_the_error(
    smtp: mail.MailServer, ways: Callable[..., MailWay]
) -> None:
    for way, said in (
        (ways(f"ana@{mail.DOMAIN}", "starttls", "another passphrase"), "535"),
        (ways("ana@elsewhere.example"), "550"),
        (ways(f"ana@{mail.DOMAIN}", "starttls"), "530"),
    ):
        with pytest.raises(NodeError, match=said):
            await way.send(MESSAGE)
    assert [] == smtp.mails("ana")


async def test_a_relay_with_an_unknown_certificate_gets_nothing(smtp: mail.MailServer) -> None:
    for security, port in (("starttls", smtp.starttls_port), ("tls", smtp.tls_port)):
        relay = MailRelay("localhost", port, security, mail.USER, (f"eve@{mail.DOMAIN}",))  # type: ignore[arg-type]
        with pytest.raises(NodeError, match="certificate"):
            await MailWay(relay).send(MESSAGE)
    assert [] == smtp.mails("eve")


@pytest.fixture(scope="module")
def matrix() -> Iterator[MatrixServer]:
    if (missing := missing_for_matrix()) is not None:
        pytest.skip(missing)
    with matrix_server() as server:
        yield server


def room(matrix: MatrixServer, folder: Path, token: str) -> MatrixRoom:
    secret = folder / "token"
    secret.write_text(f"{token}\n")
    secret.chmod(0o600)
    return MatrixRoom(matrix.address, matrix.room, secret)


async def test_a_message_is_in_the_room_once_though_it_was_sent_twice(
    matrix: MatrixServer, tmp_path: Path
) -> None:
    way = room(matrix, tmp_path, matrix.token)
    before = matrix.texts()
    await way.send(MESSAGE)
    await way.send(MESSAGE)
    assert [f"{MESSAGE.subject}\n{MESSAGE.text}"] == matrix.texts()[len(before) :]


async def test_an_unknown_token_is_an_error_with_the_status(matrix: MatrixServer, tmp_path: Path) -> None:
    before = matrix.texts()
    with pytest.raises(NodeError, match="401"):
        await room(matrix, tmp_path, "unknown").send(MESSAGE)
    assert before == matrix.texts()
