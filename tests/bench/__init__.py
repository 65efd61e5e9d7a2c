"""What the node costs and carries, measured on this machine: ``python -m tests.bench NAME [--json]``.

Each bench fills the keys it names; a figure that could not be taken is None, with ``KEY_reason`` beside it. Where
openNDS can run, its figure from the same run stands beside ours under ``peer_...``.
"""
