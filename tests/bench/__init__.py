"""Costs and capacity of the node, measured on this machine: ``python -m tests.bench NAME [--json]``.

Each bench sets the keys it lists; a figure that could not be measured is None, with ``KEY_reason`` beside it. Where
openNDS can run, its figure from the same run is under ``peer_...``.
"""
