"""The village's rules and its routers' settings: the texts of rules.toml, members.toml and node.toml."""

from dataclasses import dataclass
from pathlib import Path

COMMUNITY = "Vall Alta"
CEILING_BITS = 10_000_000
"""The ceiling of guests in `RULES`."""
ALLOWANCE_BYTES = 8_000_000
THROTTLED_BITS = 2_000_000
"""The ceiling of a household in `RULES` whose quota is used up."""

MACS = {
    "phone": "02:aa:00:00:00:15",
    "laptop": "02:aa:00:00:00:16",
    "tablet": "02:aa:00:00:00:17",
    "bea": "02:aa:00:00:00:18",
    "bea-hills": "02:aa:00:00:00:19",
    "browser": "02:aa:00:00:00:1a",
}

RULES = """\
[ruleset]
community = "Vall Alta"
version = 3
decision = "D-2026-014"

[uplink.main]
down = "25 Mbit/s"
up = "25 Mbit/s"

[charter]
lifeline = "256 kbit/s down, 96 kbit/s up"
guest_lifeline = "1 Mbit/s down, 256 kbit/s up"
max_weight_ratio = 4

[[rule]]
id = "equal-share"
share = 100
who = "tier:member"
by = "D-2025-002"
why = "every household counts the same"

[[rule]]
id = "guest-share"
share = 100
who = "tier:guest"
together = true
by = "D-2025-002"
why = "all guests together count as one household"

[[rule]]
id = "school-share"
share = 200
who = "tier:school"
by = "D-2025-011"
why = "thirty children share one line"

[[rule]]
id = "guest-top"
ceiling = "10 Mbit/s down, 10 Mbit/s up"
who = "tier:guest"
by = "D-2025-002"
why = "guests leave room for those who live here"

[[rule]]
id = "daily-allowance"
quota = "8 MB per day"
counts = "uplink"
then = "ceiling 2 Mbit/s down, 2 Mbit/s up until reset"
who = "group:light-use"
by = "D-2026-014"
why = "so small that a demonstration can use it up"
"""

MEMBERS = f"""\
[[account]]
id = "ana"
name = "Ana"
devices = ["{MACS["laptop"]}"]

[[account]]
id = "school"
name = "The school"
tier = "school"
devices = ["{MACS["tablet"]}"]

[[account]]
id = "nursery"
name = "The nursery school"
tier = "school"

[[account]]
id = "carme"
name = "Carme"
groups = ["light-use"]

[[account]]
id = "bea"
name = "Bea"
groups = ["light-use"]
devices = ["{MACS["bea"]}", "{MACS["bea-hills"]}"]
"""


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings that differ between the village's routers."""

    name: str
    folder: Path
    lan_v4: str
    lan_v6: str
    nodes: tuple[str, ...]
    community_key_file: Path
    resolvers: tuple[str, ...]
    stop: str = "keep"
    lan: str = "br-lan"
    uplink: str = "wan0"
    mesh: tuple[str, ...] = ("mesh0",)
    more: str = ""
    """Further sections of node.toml."""


def node_toml(settings: Settings) -> str:
    """A router's ``node.toml``; all files of the node are in its folder."""
    folder = settings.folder

    def listed(texts: tuple[str, ...]) -> str:
        return "[" + ", ".join(f'"{text}"' for text in texts) + "]"

    return f"""\
[node]
name = "{settings.name}"
data_dir = "{folder}/data"
run_dir = "{folder}/run"
contact = "Maria, every Monday at six in the library"

[community]
name = "{COMMUNITY}"
key_file = "{settings.community_key_file}"
nodes = {listed(settings.nodes)}

[lan]
interface = "{settings.lan}"
address4 = "{settings.lan_v4}/16"
address6 = "{settings.lan_v6}/64"
dns_upstream = {listed(settings.resolvers)}

[uplink]
interface = "{settings.uplink}"

[mesh]
interfaces = {listed(settings.mesh)}

[rules]
file = "{folder}/rules.toml"

[members]
file = "{folder}/members.toml"

[stop]
sessions = "{settings.stop}"

[clock]
source = "trusted"

{settings.more}
"""
