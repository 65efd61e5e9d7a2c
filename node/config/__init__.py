"""Configuration file ``node.toml``: the list of settings, the parsed values, and the generated documents.

Start with `settings`. `parse` turns a file into a `NodeConfig`, or reports every error at once.
"""

from node.config.model import (
    AdminSection,
    ClockSection,
    CommunitySection,
    GatewaysSection,
    LanSection,
    ListenAddress,
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
from node.config.setting import Setting
from node.config.settings import SETTINGS, default_of, example, reference

__all__ = [
    "SETTINGS",
    "AdminSection",
    "ClockSection",
    "CommunitySection",
    "GatewaysSection",
    "LanSection",
    "ListenAddress",
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
    "default_of",
    "example",
    "parse_config",
    "reference",
]
