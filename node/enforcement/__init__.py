"""Firewall and shaping: a desired state, rendered by pure code and applied to the kernel in one transaction."""
