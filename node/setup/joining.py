"""What a stopped node keeps after a community let it in: the community's secret, and the statements about it."""

import asyncio
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh.community_service import rows_of
from mesh.invite import InviteText
from mesh.join_client import JoinedCommunity, join_community
from node.app.file_standing import NEWCOMER, STATE
from node.backup.offline import claim
from node.config import NodeConfig
from node.errors import NodeError
from node.identity import key_from_pem, key_to_pem
from node.keyring import open_keyring
from node.secret_file import SECRETS_FILE, SecretFile
from node.setup.first_files import SECRET_MODE
from node.storage.database import Store
from node.storage.repository import StoredArchive, StoredStatements
from node.synced_files import replace_synced
from node.translator import gettext_lazy


def keep_joined(config: NodeConfig, joined: JoinedCommunity) -> None:
    """Stores both. The secret of before is kept beside its file. Raises NodeError; after an interruption the same invite
    can be used again."""
    with claim(Path(config.node.run_dir)):
        keep_secret(Path(config.community.key_file), joined)
        store_joined(config, joined)


def keep_secret(path: Path, joined: JoinedCommunity) -> None:
    """The community's secret in its file; another one of before is kept beside it. Raises NodeError."""
    content = joined.secret.hex().encode() + b"\n"
    try:
        if path.exists() and path.read_bytes() != content:
            replace_synced(path.with_name(f"{path.name}.before"), path.read_bytes(), SECRET_MODE)
        replace_synced(path, content, SECRET_MODE)
    except OSError as error:
        raise NodeError(
            f"{path} cannot be written: {error.strerror}", "look at the disk, and run this as root"
        ) from error


def peer_setting(joined: JoinedCommunity) -> str:
    """The node that let this one in, as an entry of ``mesh.peers``."""
    return f"{joined.address.host} {joined.address.port} {joined.member}"


async def join_with_new_key(data_dir: Path, invited: InviteText, name: str) -> JoinedCommunity:
    """Joins with the node's own key, which is made if there is none. Raises NodeError, for people."""
    key = await asyncio.to_thread(_own_key, data_dir / "node.key")
    try:
        return await join_community(key, invited, name)
    except NodeError as error:
        raise NodeError(
            gettext_lazy("No node of that community lets this one in: {english}", english=error.message),
            gettext_lazy(
                "Connect this node to one of theirs, ask an admin for another invite, or leave the invite’s field empty."
            ),
        ) from error


def _own_key(path: Path) -> Ed25519PrivateKey:
    try:
        if path.exists():
            return key_from_pem(path.read_bytes())
        key = Ed25519PrivateKey.generate()
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_synced(path, key_to_pem(key), SECRET_MODE)
    except (OSError, ValueError) as error:
        raise NodeError(f"{path} cannot be used: {error}", "look at the disk, or remove the file") from error
    return key


def store_joined(config: NodeConfig, joined: JoinedCommunity) -> None:
    """Stores the statements in the node's database, that the node takes the community's rules and members, and the secrets
    after the first, beside those that are there: a node that joins its own community again may be the only one that has
    them. Raises NodeError."""
    node = config.node
    later = Path(node.data_dir) / SECRETS_FILE
    secrets = SecretFile(later)
    try:
        secrets.write(dict.fromkeys((*secrets.load(), *joined.later)))
    except OSError as error:
        raise NodeError(f"{later} cannot be written: {error.strerror}", "look at the disk") from error
    keys = open_keyring(Path(config.community.key_file), Path(node.key_file))
    store = Store(
        Path(node.data_dir) / "procomu.db",
        keys=Path(node.key_file).parent,
        key=keys.key_for("database journal"),
        scratch=Path(node.run_dir),
    )
    try:
        asyncio.run(_store(store, joined))
    finally:
        store.close()


async def _store(store: Store, joined: JoinedCommunity) -> None:
    await StoredArchive(store).save_state(STATE, NEWCOMER)
    await StoredStatements(store).save(rows_of(joined.state), ())
