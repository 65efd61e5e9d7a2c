"""Writes the test vectors of node/backup/FORMAT.md: ``python -m tests.docs.backup_vectors``.

They change only with the version of the format: each version must read these files.
"""

import hashlib
import json
from io import BytesIO
from pathlib import Path

from node.backup.age import AgeWriter, in_groups, read_recipients, recipient_of, recovery_key
from node.backup.contents import COMMUNITY_KEY, DATABASE, FILES, NODE_KEY, BackupWriter, Description
from node.identity import key_from_raw, key_to_pem, own_node_id
from node.keyring import Keyring
from tests.docs.kept_database import FILE as KEPT
from tests.docs.kept_database import FORM

FOLDER = Path(__file__).parents[1] / "vectors" / "backup"
SECRET, OTHER_SECRET = bytes(range(32)), bytes(range(32, 64))
NODE, COMMUNITY = key_from_raw(b"\x07" * 32), b"\x08" * 32
DESCRIPTION = Description(
    made="2026-11-29T08:00:00+01:00",
    community="Vall Alta",
    community_id=Keyring(COMMUNITY, NODE).community_id,
    node="biblioteca",
    node_id=own_node_id(NODE),
    schema=FORM,
    version="0.1.0 (vector)",
)
MADE_BY_AGE = (
    "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSB2WVpybW5VSWNTRkw2K2QzUHl3VmdmVFBHQ0FYZTBFSmZBNHF6MFEr"
    "ZVNNCk5zcXl2VStuWXZnajJvbEZNTWcrQ2ZscE4yU3VFU1p3dWZVSzhwSk9hVDQKLS0tIGVWYUJ2STcvSVhnbENxOWZZY243"
    "TkFqTUlKQ3crVEQ2dHFtWHgvMzZDTlkKnfiTCJFXNSVe3cuqeSTgnpmKBdyTZaRLJYpx5t10pWQPFCnu7lDRPvGVJwWZ1cAj"
    "90k="
)
"""Base64 of a file that the program age 1.2.1 made for the public key of SECRET."""
PLAIN_BY_AGE = "made by age 1.2.1\n"
SETTINGS = """\
[node]
name = "biblioteca"
[community]
name = "Vall Alta"
[lan]
interface = "br-lan"
[uplink]
interface = "eth0"
"""
PLAIN = {
    "nothing": b"",
    "short": b"Vall Alta",
    "a full chunk": b"\x00" * 65_536,
    "two chunks": b"\x01" * 65_537,
}


def counted(size: int) -> bytes:
    """Stands for random bytes."""
    return bytes(at % 251 for at in range(size))


def contents() -> dict[str, bytes]:
    """Files of the backup that is kept."""
    texts = {
        "node.toml": SETTINGS,
        "rules.toml": '[ruleset]\ncommunity = "Vall Alta"\nversion = 1\ndecision = "D-1"\n',
        "members.toml": '[[account]]\nid = "ana"\nname = "Ana Mas"\ntier = "member"\n',
        COMMUNITY_KEY: COMMUNITY.hex() + "\n",
        NODE_KEY: key_to_pem(NODE).decode(),
        "backup.pub": recipient_of(SECRET) + "\n",
    }
    return {**{name: text.encode() for name, text in texts.items()}, DATABASE: KEPT.read_bytes()}


def sealed(plain: bytes, *secrets: bytes) -> bytes:
    out = BytesIO()
    writer = AgeWriter(out, read_recipients("\n".join(map(recipient_of, secrets))), counted)
    writer.write(plain)
    writer.finish()
    return out.getvalue()


def backup(files: dict[str, bytes], description: Description = DESCRIPTION, *secrets: bytes) -> bytes:
    out = BytesIO()
    recipients = read_recipients("\n".join(map(recipient_of, secrets or (SECRET,))))
    writer = BackupWriter(AgeWriter(out, recipients, counted), description)
    for name in (*(each for each in FILES if each in files), *(each for each in files if each not in FILES)):
        writer.add(name, len(files[name]), BytesIO(files[name]))
    writer.finish()
    return out.getvalue()


def vectors() -> dict[str, object]:
    return {
        "secret": SECRET.hex(),
        "recovery_key": recovery_key(SECRET),
        "in_groups": in_groups(recovery_key(SECRET)),
        "recipient": recipient_of(SECRET),
        "sealed": {
            name: {
                "plain_bytes": len(plain),
                "sha256": hashlib.sha256(sealed(plain, SECRET, OTHER_SECRET)).hexdigest(),
            }
            for name, plain in PLAIN.items()
        },
        "short": sealed(PLAIN["short"], SECRET, OTHER_SECRET).hex(),
        "made_by_age": MADE_BY_AGE,
        "plain_by_age": PLAIN_BY_AGE,
    }


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "age.json").write_text(json.dumps(vectors(), indent=1) + "\n")
    (FOLDER / "procomu-backup-1.age").write_bytes(backup(contents()))
