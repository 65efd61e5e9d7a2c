"""What asyncio knows of a connection, also of one that has just ended."""

from typing import Any, Protocol


class TransportFacts(Protocol):
    """A transport, or what has one."""

    def get_extra_info(self, name: str, default: Any = None) -> Any: ...


def connection_info(connection: TransportFacts, name: str) -> Any:
    """`get_extra_info`; None once the connection has ended: a TLS transport that was closed twice raises then."""
    try:
        return connection.get_extra_info(name)
    except AttributeError:
        return None
