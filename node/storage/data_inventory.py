"""Data inventory (GDPR, article 30) of personal data outside the database: files of other programs, and
memory."""

from node.accounts.personal_data import InventoryEntry
from node.storage.migrations import INVENTORY
from node.translator import N_

INVENTORY_ELSEWHERE = (
    InventoryEntry(
        "copy",
        N_(
            "A copy of all of the above, and a list of what has changed since, in case the database is damaged."
        ),
        N_("one day, then a new copy replaces it; what you erase is gone from it within a day"),
    ),
    InventoryEntry(
        "damaged",
        N_(
            "A database that was found damaged or was replaced, set aside so that what it holds can still be saved."
        ),
        N_("30 days; what you erase stays in it until then"),
    ),
    InventoryEntry(
        "backups",
        N_(
            "Backups of all of the above and of the list of members, which the community makes and keeps elsewhere. "
            "Only its recovery key opens them."
        ),
        N_("until the community deletes them; what you erase stays in older ones"),
    ),
    InventoryEntry(
        "dhcp.leases",
        N_("Which device got which address on the local network, in a file. No device’s name."),
        N_("until the address is free again"),
    ),
    InventoryEntry(
        "members",
        N_(
            "The list of members: their names, groups, devices and until when their dues are paid, as the community "
            "wrote it."
        ),
        N_("as long as it is in the list"),
    ),
    InventoryEntry(
        "log",
        N_("What the node did and what failed, in the system’s log. No names of people or devices."),
        N_("as long as the system keeps its log"),
    ),
    InventoryEntry(
        "counters",
        N_("Which devices are online, and how many bytes each has used, in memory."),
        N_("until the bytes of the visit have been counted"),
    ),
    InventoryEntry(
        "connections",
        N_(
            "Which connections are open now, in memory: without this, no answer would find its way back. We do not read it."
        ),
        N_("until the connection ends or has been idle for two hours"),
    ),
    InventoryEntry(
        "names",
        N_("Which Internet names were looked up recently, in memory. Not who looked them up."),
        N_("until the answer is out of date"),
    ),
    InventoryEntry(
        "limits",
        N_(
            "Which devices recently looked up names, asked for an address or opened many connections, in "
            "memory, so that each gets its fair share. Not which names."
        ),
        N_("two hours after the last time"),
    ),
    InventoryEntry(
        "memory",
        N_(
            "In memory: the language that a device chose, failed attempts, codes for another device, and open "
            "requests to members. Also which device asked for a page, and with which address."
        ),
        N_("at most until the node restarts"),
    ),
)

WHOLE_INVENTORY = (*INVENTORY, *INVENTORY_ELSEWHERE)
"""Everything that the privacy page shows."""
