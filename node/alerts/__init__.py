"""Alerts: the closed list of what a node tells its admins, when each begins and ends, and what waits to be sent. Pure."""
