"""Backup, restore and reset of a node. FORMAT.md describes the file."""
