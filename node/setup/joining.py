"""What a stopped node keeps after a community let it in: the community's secret, and the statements about it."""

import asyncio
from pathlib import Path

from mesh.community_service import FOLLOWED
from mesh.join_client import JoinedCommunity
from mesh.page_format import canonical
from mesh.signed_statement import as_json
from node.backup.offline import claim
from node.config import NodeConfig
from node.errors import NodeError
from node.keyring import open_keyring
from node.setup.first_files import SECRET_MODE
from node.storage.database import Store
from node.storage.repository import StoredStatements
from node.synced_files import replace_synced


def keep_joined(config: NodeConfig, joined: JoinedCommunity) -> None:
    """Stores both. The secret of before is kept beside its file. Raises NodeError; after an interruption the same invite
    can be used again."""
    with claim(Path(config.node.run_dir)):
        key_file = Path(config.community.key_file)
        content = joined.secret.hex().encode() + b"\n"
        try:
            if key_file.exists() and key_file.read_bytes() != content:
                replace_synced(
                    key_file.with_name(f"{key_file.name}.before"), key_file.read_bytes(), SECRET_MODE
                )
            replace_synced(key_file, content, SECRET_MODE)
        except OSError as error:
            raise NodeError(f"{key_file} cannot be written: {error.strerror}", "run this as root") from error
        store_joined(config, joined)


def store_joined(config: NodeConfig, joined: JoinedCommunity) -> None:
    """Stores the statements in the node's database. Raises StorageTrouble."""
    node = config.node
    keys = open_keyring(Path(config.community.key_file), Path(node.key_file))
    store = Store(
        Path(node.data_dir) / "procomu.db",
        keys=Path(node.key_file).parent,
        key=keys.key_for("database journal"),
        scratch=Path(node.run_dir),
    )
    rows = [(statement.name, canonical(as_json(statement))) for statement in joined.state.statements()]
    rows.append((FOLLOWED, canonical({"is": FOLLOWED, "community": joined.state.id})))
    try:
        asyncio.run(StoredStatements(store).save(rows, ()))
    finally:
        store.close()
