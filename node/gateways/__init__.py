"""Gateways: routers that cannot run a node and send their people to this one; what their protocols say."""
