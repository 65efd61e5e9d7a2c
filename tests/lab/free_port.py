"""A TCP port of this machine that nothing listens on."""

import socket


def free_port() -> int:
    """Free at this moment; the system gives it to nobody else who asks for any port, for a while."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
