"""The uplink as it is now: its queueing delay, and the rate that it carries."""
