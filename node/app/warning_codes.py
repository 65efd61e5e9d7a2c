"""Stable names of the kinds of warnings, for programs: the texts are for people, and change."""

from typing import Literal

WarningCode = Literal[
    "kernel",  # the kernel does not do what it was told
    "storage",  # the data folder cannot be used
    "data_lost",  # the database lost data, and no admin has acknowledged it
    "rules_rejected",  # the rule file has errors; the rules from before are in force
    "rules_strained",  # the rules in force do not fit the members or this node
    "rules_taken_back",  # objections or an unconfirmed trial ended the newest rules
    "adoption_log",  # the log of adopted rules is damaged
    "members_rejected",  # the members' file has errors
    "part_stopped",  # a part of the node failed and waits to be started again
    "lifelines",  # the line is too slow for the lifelines of everyone here
    "floors",  # it is too slow for the floors
    "rate_missing",  # the rules do not say how fast the line is
    "line_slow",  # it carries less than the rules say
    "line_unmeasured",  # its speed cannot be measured
    "clock",  # the node does not know the time
    "connections",  # too many connections, of one device or of all
    "rules",  # findings in the rules in force
    "address_claims",  # two devices claim one address
    "certificate",  # of the portal
    "admin_certificate",  # of the admin pages
    "dns",  # no resolver upstream gives names, or the line is down
    "foreign_servers",  # another DHCP server or router among people's devices
    "services",  # services among people's devices cannot be found
    "alerts",  # a way by which alerts are sent fails
    "history",  # its own plots cannot be stored
    "respondd",  # its answers to other programs of the mesh
    "gateways",  # an accepted router is silent, or its secret is used by another one
    "mesh",  # neighbours cannot be reached, or use one key twice
    "community",  # the community's record
    "shared_files",  # rules or members of all nodes
]

CodedWarning = tuple[WarningCode, str]
