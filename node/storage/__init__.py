"""Persistent storage: one SQLite database, one writer thread, each change in a transaction."""
