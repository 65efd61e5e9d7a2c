"""The settings of the node, as it reads them when it starts."""

from pathlib import Path

from node.app.rule_files import read
from node.config import NodeConfig, parse_config
from node.errors import InvalidFile


def load_config(path: Path) -> NodeConfig:
    """Raises NodeError when the file cannot be read, InvalidFile with every error in it."""
    config, findings = parse_config(read(path))
    if config is None:
        raise InvalidFile(str(path), findings)
    return config
