"""What the node is for the system: a service that ends by a signal and reports to systemd, with private files."""

import asyncio
import contextlib
import faulthandler
import logging
import os
import signal
import socket
import stat
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path

from node.errors import Fatal

log = logging.getLogger("procomu")

PRIVATE_UMASK = 0o077


def begin_service() -> None:
    """Logs to the standard error, which systemd keeps, and makes files that only their owner can read."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    faulthandler.enable()  # where it hung, when systemd's watchdog aborts it
    os.umask(PRIVATE_UMASK)


async def run_until_signalled(
    work: Coroutine[None, None, int], on_signal: Callable[[], None] = lambda: None
) -> int:
    """What `work` returns; on SIGTERM or SIGINT `on_signal` is called, `work` cancelled, and the result is 0."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(work)
        waiting = tasks.create_task(stop.wait())
        await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not running.done():
            on_signal()
            running.cancel()
    return 0 if running.cancelled() else running.result()


async def outcome_of(run: Callable[[], Awaitable[None]]) -> int:
    """0 after it returned, 1 after a failure that ends the node, which is logged."""
    outcome = 0
    try:
        await run()
    except* Fatal as group:
        for fatal in group.exceptions:
            log.error("%s", fatal)
        outcome = 1
    return outcome


def notify_systemd(state: str) -> None:
    """Reports a state to systemd, as sd_notify(3) does, where systemd started the node. Never waits: a report that is
    lost is followed by another one."""
    name = os.environ.get("NOTIFY_SOCKET")
    if not name:
        return
    address = "\0" + name[1:] if name.startswith("@") else name
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        sender.sendto(state.encode(), address)


def keep_private(folder: Path) -> None:
    """Removes group and other permissions from the data folder; logs a warning where that is not possible."""
    try:
        mode = stat.S_IMODE(folder.stat().st_mode)
        if mode & PRIVATE_UMASK:
            folder.chmod(mode & ~PRIVATE_UMASK)
            log.warning("%s had mode %03o; now only its owner may use it", folder, mode)
    except FileNotFoundError:
        return  # created on first use, with mode 0700
    except OSError as error:
        log.warning("others may read %s: %s; run 'chmod 700 %s'", folder, error.strerror, folder)
