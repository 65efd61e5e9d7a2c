"""Breaks reference cycles of what is no longer used, which would stay until the next garbage collection."""


def untie(transport: object) -> None:
    """Of a closed transport: asyncio's keep bound methods of themselves as attributes, so that each would stay until then,
    tens of megabytes with thousands of connections."""
    kept = getattr(transport, "__dict__", {})
    for name in [name for name, value in kept.items() if getattr(value, "__self__", None) is transport]:
        kept[name] = None
