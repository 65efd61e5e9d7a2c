"""A node of the mesh as a process, attacked through its socket by a member and by strangers; and what would be noticed."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from mesh.messages import decode
from mesh.page_format import Page
from mesh.pages import UsagePages
from mesh.signed_statement import as_json, make_statement
from node.units import AccountId
from tests.bench.fuzz_community import (
    HOSTILE,
    REMOVED,
    SILENT,
    VILLAGE,
    NodeStore,
    SignedLog,
    fuzzed_community,
)
from tests.bench.fuzz_node import UnhandledErrors
from tests.fakes.neighbours import TODAY, bucket, id_of, key_of

ROOT = Path(__file__).resolve().parents[2]
GROWTH_MB_MAX = 5


@pytest.mark.thorough
def test_nothing_forged_is_taken_in_nothing_crashes_and_memory_stays(pytestconfig: pytest.Config) -> None:
    """After an attack of 20 seconds; `python -m tests.bench.mesh_fuzz 600` takes longer."""
    seconds = "20" if pytestconfig.getoption("--thorough") else "5"
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.mesh_fuzz", seconds],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert 0 == done.returncode, done.stderr[-6_000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert (0, 0) == (found["forged_accepted"], found["fuzz_crashes"])
    assert found["fuzz_rss_growth_mb"] <= GROWTH_MB_MAX
    assert found["fuzz_converged_s"] is not None
    assert found["fuzz_frames"] > 1_000
    assert found["taken_in"] > len(fuzzed_community().statements) + 20  # what is valid passes
    assert found["records"] > 10


def raw_page(signer: str, *, community: str = VILLAGE) -> bytes:
    pages = UsagePages(key_of(signer), community, "1-a")
    pages.note(TODAY, AccountId("household-1"), bucket(7))
    return next(pages.write()).raw


def store(
    *pages: bytes, statements: tuple[dict[str, object], ...] = (), nodes: tuple[str, ...] = ()
) -> NodeStore:
    return NodeStore(frozenset(map(id_of, nodes)), pages, statements, ())


def test_what_was_signed_by_its_author_is_no_forgery() -> None:
    signed = SignedLog()
    signed.add_page(raw_page(SILENT))
    kept = NodeStore(
        frozenset({id_of(SILENT)}),
        (raw_page(SILENT), raw_page("square")),
        (),
        ((id_of(SILENT), "1-a", "household-1", TODAY, 7, 0, 0, 0),),
    )
    assert [] == signed.forged(kept)


def test_every_kind_of_forgery_is_found() -> None:
    signed, made = SignedLog(), fuzzed_community()
    for name in (SILENT, REMOVED, HOSTILE):
        signed.add_page(raw_page(name))
    for statement in made.statements:
        signed.add_statement(statement)
    honest = raw_page(SILENT)
    assert isinstance(decode(honest), Page)
    changed = honest.replace(b"household-1", b"household-2")
    never_signed = raw_page(SILENT).replace(b"1-a", b"1-b")
    mine = make_statement(
        "membership", {**made.statements[1].fields(), "state": "removed"}, [key_of(HOSTILE)]
    )
    for forged in (
        store(changed),
        store(never_signed),
        store(raw_page(REMOVED)),
        store(raw_page(HOSTILE, community="the-city")),
        store(nodes=(REMOVED,)),
        store(statements=(as_json(mine),)),
        NodeStore(frozenset(), (), (), ((id_of(SILENT), "1-a", "household-1", TODAY, 8, 0, 0, 0),)),
    ):
        assert 1 == len(signed.forged(forged)), forged


async def test_an_exception_that_nobody_handles_is_counted() -> None:
    troubles = UnhandledErrors()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(troubles.from_loop)

    async def fail() -> None:
        raise ValueError("nobody handles this")

    task = loop.create_task(fail())
    await asyncio.wait([task])
    del task
    loop.call_soon(lambda: 1 // 0)
    await asyncio.sleep(0.01)
    assert 2 == troubles.count
    assert any("nobody handles this" in text for text in troubles.found)
