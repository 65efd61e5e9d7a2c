"""What we remember: one database, one writer thread, one transaction a change."""
