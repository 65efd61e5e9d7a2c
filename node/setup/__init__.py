"""The first run: a node without settings serves a page on its LAN side, on which a person answers what it must know."""
