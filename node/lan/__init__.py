"""DHCP, DNS and router advertisements on the LAN (dnsmasq and radvd, configured and kept running), and mDNS services."""
