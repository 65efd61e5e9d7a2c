"""The bench of gateways asks as a real router does, at a real node."""

import random
from pathlib import Path

import pytest

from tests.bench import gateways


async def test_everybody_behind_the_gateways_of_the_bench_may_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateways, "GATEWAYS", 3)
    monkeypatch.setattr(gateways, "PEOPLE", 4)
    many = gateways.ManyGateways(tmp_path)
    async with many.running() as node:
        await node.do("admit")
        assert await gateways._capacity(many, node, random.Random(1)) > 0
        await node.do("settle")
        assert sum(client.used for client in many.clients) == (await node.do("figures"))["booked"]
