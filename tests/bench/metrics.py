"""Metrics of a node with many devices: their size, the time that one look takes, and that devices add no series."""

import asyncio
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from node.app.metrics import KEPT_MS, MetricSources, MetricsService
from node.sessions.state import SessionGranted
from node.system_readings import read_system
from node.units import MacAddress
from tests.bench.figures import Figures, quantile
from tests.fakes.admin_pages import admin_app, found_community
from tests.fakes.exposition_text import read_exposition
from tests.fakes.use_cases import UseCases

KEYS = ("bytes", "ms", "series_10", "series_10000")
FEW, MANY = 10, 10_000
LOOKS = 60


def measure() -> Figures:
    """Processor time of the thread that serves everybody, 95 of 100 looks."""
    few, many = (asyncio.run(_looked(devices)) for devices in (FEW, MANY))
    return {"bytes": many[1], "ms": many[2], "series_10": few[0], "series_10000": many[0]}


async def _looked(devices: int) -> tuple[int, int, float]:
    """Number of series, bytes, milliseconds."""
    with TemporaryDirectory() as folder:
        async with admin_app(Path(folder)) as app:
            await found_community(app)
            _fill(app, devices)
            await app.settle()
            sources = MetricSources(
                "0.1.0 (bench)",
                app.portal,
                app.admin.graph,
                partial(read_system, Path(folder) / "procomu.db", "lo"),
            )
            service = MetricsService(app.admin.status_snapshot, app.node.clock, sources)
            taken, text = [], ""
            for _ in range(LOOKS):
                app.node.clock.pass_time(KEPT_MS)
                begun = time.thread_time()
                text = await service.text()
                taken.append((time.thread_time() - begun) * 1_000)
    read = read_exposition(text)
    if devices != read.value("procomu_devices", state="authorized"):
        raise ValueError("not all devices are there")
    return len(read.series), len(text.encode()), round(quantile(taken, 0.95), 1)


def _fill(app: UseCases, devices: int) -> None:
    """Guests, each with a device."""
    for number in range(devices):
        mac = MacAddress(f"06:00:00:00:{number // 256:02x}:{number % 256:02x}")
        app.loop.session_table.handle(mac, SessionGranted("", None), app.node.clock.now)
