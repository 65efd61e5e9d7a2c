"""A real Matrix server, Synapse, with one user and one room: deploy/setup servers."""

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

from tests.lab.free_port import free_port

PROGRAMS = Path(__file__).parents[2] / ".venv-matrix/bin"
NAME, USER, PASSWORD = "vall.example", "node", "four plain words"
START_SECONDS, ANSWER_SECONDS = 60.0, 20.0


@dataclass(frozen=True, slots=True)
class MatrixServer:
    """Its address, an access token of its user, and the room that the user made."""

    address: str
    token: str
    room: str

    def texts(self) -> list[str]:
        """What was said in the room, the oldest first."""
        path = f"/rooms/{quote(self.room)}/messages?dir=f&limit=100"
        events = _ask(self.address, "GET", path, token=self.token)["chunk"]
        return [each["content"]["body"] for each in events if each["type"] == "m.room.message"]


def missing_for_matrix() -> str | None:
    """Why the server cannot be started here, in one sentence; None if it can."""
    return (
        None
        if (PROGRAMS / "synapse_homeserver").exists()
        else "Synapse is not here; run: deploy/setup servers"
    )


@contextmanager
def matrix_server() -> Iterator[MatrixServer]:
    """Without federation: it speaks to this machine only."""
    with tempfile.TemporaryDirectory() as name:
        folder, address = Path(name), f"http://127.0.0.1:{(port := free_port())}"
        settings = _settings(folder, port)
        with (folder / "output").open("wb") as output:
            process = subprocess.Popen(
                [PROGRAMS / "synapse_homeserver", "-c", settings], cwd=folder, stdout=output, stderr=output
            )
        try:
            _wait(address, process, folder / "output")
            yield _with_room(address, settings)
        finally:
            process.kill()
            process.wait()


def _settings(folder: Path, port: int) -> Path:
    made = folder / "homeserver.yaml"
    words = ["--server-name", NAME, "--config-path", made, "--generate-config", "--report-stats=no"]
    subprocess.run([PROGRAMS / "synapse_homeserver", *words], cwd=folder, check=True, capture_output=True)
    text = made.read_text().replace("port: 8008", f"port: {port}").replace("    - ::1\n", "")
    made.write_text(
        text.replace('trusted_key_servers:\n  - server_name: "matrix.org"', "trusted_key_servers: []")
    )
    return made


def _wait(address: str, process: "subprocess.Popen[bytes]", output: Path) -> None:
    ends = time.monotonic() + START_SECONDS
    while time.monotonic() < ends and process.poll() is None:
        try:
            _ask(address, "GET", "/login")
        except URLError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"Synapse does not start: {output.read_text()[-2_000:]}")


def _with_room(address: str, settings: Path) -> MatrixServer:
    command = [
        PROGRAMS / "register_new_matrix_user",
        "-c",
        settings,
        "-u",
        USER,
        "-p",
        PASSWORD,
        "--no-admin",
        address,
    ]
    subprocess.run(command, check=True, capture_output=True)
    login = {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": USER},
        "password": PASSWORD,
    }
    token = _ask(address, "POST", "/login", login)["access_token"]
    room = _ask(address, "POST", "/createRoom", {"name": "alerts"}, token)["room_id"]
    return MatrixServer(address, token, room)


def _ask(
    address: str, method: str, path: str, body: dict[str, Any] | None = None, token: str = ""
) -> dict[str, Any]:
    request = Request(
        f"{address}/_matrix/client/v3{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}"} if token else {},
        method=method,
    )
    with urlopen(request, timeout=ANSWER_SECONDS) as answer:
        return dict(json.load(answer))
