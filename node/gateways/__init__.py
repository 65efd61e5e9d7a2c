"""Gateways: routers that cannot run a node and send their people to this one. What their protocols say, and what is made of it."""
