"""Addresses and names on the LAN: dnsmasq gives them, we only write its configuration and keep it running."""
