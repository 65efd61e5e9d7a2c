"""Supervision: restarts one part of the node without affecting the others."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from node.errors import Fatal, NodeError

type Part = Callable[[], Awaitable[None]]
"""Runs until it is cancelled, or is done."""

log = logging.getLogger(__name__)

PAUSES_S = (1.0, 2.0, 5.0, 10.0, 30.0)
STEADY_AFTER_S = 60.0
"""A part that ran for so long is restarted with the shortest pause."""


@dataclass(slots=True)
class PartHealth:
    """Health of one part, for `status`."""

    name: str
    running: bool = False
    restarts: int = 0
    last_trouble: str = ""


@dataclass(slots=True)
class Parts:
    """The health of every part, by name."""

    health: dict[str, PartHealth] = field(default_factory=dict)

    def of(self, name: str) -> PartHealth:
        return self.health.setdefault(name, PartHealth(name))


def innermost(error: Exception) -> Exception:
    """The cause, where nested exception groups contain a single error."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


async def supervise(
    name: str,
    run: Part,
    parts: Parts,
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    clock: Callable[[], float] | None = None,
) -> None:
    """Runs a part until it returns, and restarts it after any exception. Fatal is raised again and stops the node."""
    health, attempt = parts.of(name), 0
    now = clock or asyncio.get_running_loop().time
    while True:
        started = now()
        health.running = True
        try:
            await run()
        except Fatal:
            health.running = False
            raise
        except Exception as error:
            health.running = False
            health.restarts += 1
            cause = innermost(error)
            if isinstance(cause, Fatal):
                raise cause from error
            is_trouble = isinstance(cause, NodeError)
            health.last_trouble = str(cause) if is_trouble else f"{type(cause).__name__}: {cause}"
            log.error("%s stopped: %s", name, health.last_trouble, exc_info=not is_trouble)
        else:
            health.running = False
            return
        attempt = 0 if now() - started >= STEADY_AFTER_S else attempt
        await sleep(PAUSES_S[min(attempt, len(PAUSES_S) - 1)])
        attempt += 1
