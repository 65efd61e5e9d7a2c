"""One ``node.toml``: the list of settings, the values it becomes, and the documents generated from the list.

Read `settings` first; `parse` turns a file into a `NodeConfig` or into every error at once.
"""

from node.config.documents import example, reference
from node.config.model import (
    AdminSection,
    ClockSection,
    CommunitySection,
    LanSection,
    MembersSection,
    MeshSection,
    NodeConfig,
    NodeSection,
    PeerAddress,
    PortalSection,
    RulesSection,
    StopSection,
    UplinkSection,
)
from node.config.parse import parse_config
from node.config.settings import SETTINGS, Setting

__all__ = [
    "SETTINGS",
    "AdminSection",
    "ClockSection",
    "CommunitySection",
    "LanSection",
    "MembersSection",
    "MeshSection",
    "NodeConfig",
    "NodeSection",
    "PeerAddress",
    "PortalSection",
    "RulesSection",
    "Setting",
    "StopSection",
    "UplinkSection",
    "example",
    "parse_config",
    "reference",
]
