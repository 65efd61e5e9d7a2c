"""Accounts, their devices, and the credentials with which people join."""
