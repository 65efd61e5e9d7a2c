"""What holds for all tests: nothing blocks the loop, no thread stays behind, a skipped test says why."""

import threading
import time
from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import HealthCheck, settings

from tests.browser.driver import missing_for_browser
from tests.examples import FEW, MANY
from tests.lab.netns import missing_for_namespaces

THREAD_END_SECONDS = 2.0
OUR_ROOMS = ["node", "captive_portal", "mesh"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests that take more than ten seconds too")
    parser.addoption(
        "--thorough",
        action="store_true",
        help="try a hundred examples of each property, not ten, and all variations of what is tested",
    )
    parser.addoption(
        "--examples",
        type=int,
        metavar="N",
        help="try N examples of each property, more than --thorough does: takes hours for all, so name the files",
    )
    parser.addoption(
        "--other-browsers",
        action="store_true",
        help="join and issue also in Firefox and in WebKit, where they are",
    )
    parser.addoption(
        "--other-servers",
        action="store_true",
        help="send alerts also to real servers of mail and Matrix, where they are",
    )


def pytest_configure(config: pytest.Config) -> None:
    # How fast examples come tells about the machine, and what else it does; not about the code.
    patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    # The same examples each time: what has passed fails only when something has changed. --examples looks for others.
    settings.register_profile("quick", patient, max_examples=FEW, derandomize=True)
    settings.register_profile("thorough", patient, max_examples=MANY, derandomize=True)
    settings.load_profile("thorough" if config.getoption("--thorough") else "quick")
    if (wanted := config.getoption("--examples")) is not None:
        settings.register_profile("long", patient, max_examples=wanted)
        settings.load_profile("long")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    kernel_missing = (
        missing_for_namespaces() if any(item.get_closest_marker("kernel") for item in items) else None
    )
    browser_missing = missing_for_browser()
    items.sort(key=_turn)
    for item in items:
        if browser_missing and item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.skip(reason=browser_missing))
        if kernel_missing and item.get_closest_marker("kernel"):
            item.add_marker(pytest.mark.skip(reason=kernel_missing))
        if item.get_closest_marker("other_browser") and not config.getoption("--other-browsers"):
            item.add_marker(pytest.mark.skip(reason="in another browser; run with --other-browsers"))
        if item.get_closest_marker("other_server") and not config.getoption("--other-servers"):
            item.add_marker(pytest.mark.skip(reason="at a real server; run with --other-servers"))
        if item.get_closest_marker("slow") and not config.getoption("--slow"):
            item.add_marker(pytest.mark.skip(reason="takes more than ten seconds; run with --slow"))
        if item.get_closest_marker("thorough") and not config.getoption("--thorough"):
            item.add_marker(pytest.mark.skip(reason="a variation of other tests; run with --thorough"))


@pytest.fixture(autouse=True)
def nothing_blocks_the_loop(request: pytest.FixtureRequest) -> Iterator[BlockBuster | None]:
    """In unit tests a blocking call made by our rooms inside the event loop is an error."""
    if "unit" not in request.path.parts:
        yield None
        return
    with blockbuster_ctx(OUR_ROOMS) as guard:
        yield guard


@pytest.fixture(autouse=True)
def no_thread_stays_behind() -> Iterator[None]:
    """A test that starts a thread also ends it."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + THREAD_END_SECONDS
    while (left := _left_behind(before)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [] == sorted(thread.name for thread in left)


def _turn(item: pytest.Item) -> int:
    """The place of a test among all: 0 for the first."""
    if item.get_closest_marker("early"):
        return 0
    return 2 if item.get_closest_marker("late") else 1


def _left_behind(before: set[threading.Thread]) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread not in before and thread.is_alive()]
