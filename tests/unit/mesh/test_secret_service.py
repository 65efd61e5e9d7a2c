"""Nodes that fetch secrets from each other: on disk before they count, whatever fails, lies or is off meanwhile."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from mesh import secret_service
from mesh.community_changes import RecordChange, changed_record
from mesh.community_record import CommunityAdmin
from mesh.community_secret import SECRETS_MAX, commitment_of
from mesh.community_service import CommunityService
from mesh.record_exchange import RECORDS_EXTENSION
from mesh.secret_exchange import SECRETS_EXTENSION
from node.errors import StorageTrouble
from tests.fakes.community_statements import begun, state_of
from tests.fakes.neighbours import id_of, key_of
from tests.fakes.secret_store import FakeSecretStore
from tests.fakes.statement_store import FakeStatementStore
from tests.unit.mesh.test_community_secret import rotated

NAMES = ("square", "hills", "coast")
FIRST = begun(*NAMES)
CAN = (RECORDS_EXTENSION, SECRETS_EXTENSION)
NUMBER_1 = b"1" * 32


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_service, "ASK_AGAIN_S", (0.01, 0.05))
    monkeypatch.setattr(secret_service, "SETTLE_S", 0.005)
    monkeypatch.setattr(secret_service, "STORE_AGAIN_S", 0.02)


class SecretVillage:
    """Services in one process; a line of neighbours, where each pair is connected while `connected` says so."""

    def __init__(self, *names: str, cans: tuple[str, ...] = CAN) -> None:
        self.stores = {name: FakeSecretStore() for name in names}
        self.rows = {name: FakeStatementStore() for name in names}
        self.services = {name: self._service(name) for name in names}
        self.pairs: set[tuple[str, str]] = set()
        self.cans = cans

    def _service(self, name: str) -> CommunityService:
        return CommunityService(
            own=id_of(name), listed=(), store=self.rows[name], secret=NUMBER_1, secret_store=self.stores[name]
        )

    def connect(self, one: str, other: str) -> None:
        self.pairs |= {(one, other), (other, one)}
        self.services[one].greet(id_of(other), self.cans)
        self.services[other].greet(id_of(one), self.cans)

    def cut(self, one: str, other: str) -> None:
        self.pairs -= {(one, other), (other, one)}
        self.services[one].part(id_of(other))
        self.services[other].part(id_of(one))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(each.run()) for each in self.services.values()]
            running.append(tasks.create_task(self._carry()))
            try:
                for service in self.services.values():
                    await service.follow(FIRST.community, FIRST.statements)
                yield
            finally:
                for each in running:
                    each.cancel()

    async def _carry(self) -> None:
        while True:
            for one, other in tuple(self.pairs):
                while (frame := self.services[one].next_frame(id_of(other))) is not None:
                    self.services[other].receive(id_of(one), frame)
            await asyncio.sleep(0.002)

    async def rotate(self, name: str, admin: str = "rosa") -> str:
        service = self.services[name]
        commitment = await service.secrets.prepared()
        assert service.state is not None
        assert "" == await service.take_in([rotated(service.state, commitment, admin)])
        return commitment

    def numbers(self) -> list[int]:
        return [each.secrets.exchange.number_held() for each in self.services.values()]

    def newest(self) -> set[bytes]:
        return {each.secrets.newest for each in self.services.values()}


async def until(wanted: object, seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not wanted():  # type: ignore[operator]
            await asyncio.sleep(0.005)


async def test_every_node_takes_the_new_secret_also_from_one_that_is_no_admin() -> None:
    village = SecretVillage(*NAMES)
    async with village.running():
        village.connect("square", "hills")
        village.connect("hills", "coast")
        for number in (2, 3):
            await village.rotate("square")
            await until(lambda number=number: [number] * 3 == village.numbers())
            (newest,) = village.newest()
            assert NUMBER_1 != newest
        await until(lambda: not any(each.secrets.exchange.lagging() for each in village.services.values()))
    orders = {service.secrets.all() for service in village.services.values()}
    assert 1 == len(orders)
    assert NUMBER_1 == orders.pop()[-1]
    assert all(len(set(store.secrets)) == 2 for store in village.stores.values())
    again = village._service("coast")
    assert (3, village.services["coast"].secrets.all()) == (
        again.secrets.exchange.number_held(),
        again.secrets.all(),
    )


async def test_a_node_that_was_off_during_two_rotations_takes_both_secrets_when_it_is_back() -> None:
    village = SecretVillage(*NAMES)
    async with village.running():
        village.connect("square", "hills")
        await village.rotate("square")
        await village.rotate("square")
        await until(lambda: [3, 3, 1] == village.numbers())
        assert () == tuple(village.services["coast"].secrets.warnings())
        village.connect("hills", "coast")
        await until(lambda: 2 == len(village.stores["coast"].secrets))
    assert 1 == len(village.newest())


async def test_two_admins_at_once_end_with_one_secret_in_force_and_codes_of_both_are_good() -> None:
    village = SecretVillage("square", "hills")
    async with village.running():
        both = await _second_admin(village)
        await village.rotate("square", "rosa")
        await village.rotate("hills", both)
        square = village.services["square"].secrets.newest
        hills = village.services["hills"].secrets.newest
        assert square != hills
        village.connect("square", "hills")
        await until(lambda: 1 == len(village.newest()))
        (newest,) = village.newest()
        assert newest in {square, hills}
        assert square in village.services["square"].secrets.all()
        assert hills in village.services["hills"].secrets.all()
        await village.rotate("hills", both)
        await until(lambda: [3, 3] == village.numbers() and 1 == len(village.newest()))


async def _second_admin(village: SecretVillage) -> str:
    """Pau signs too, as both nodes know."""
    change = RecordChange(add=(CommunityAdmin(id_of("pau"), 1, "Pau"),))
    made = changed_record(state_of(FIRST.community, FIRST.statements), change, (key_of("rosa"),))
    for service in village.services.values():
        await service.take_in(made)
    village.stores["hills"].made = 100  # each node makes its own
    return "pau"


async def test_a_full_disk_delays_the_secret_and_says_so_and_it_counts_only_when_it_is_stored() -> None:
    village = SecretVillage("square", "hills")
    async with village.running():
        village.stores["hills"].is_full = True
        village.connect("square", "hills")
        await village.rotate("square")
        hills = village.services["hills"].secrets
        await until(lambda: any("cannot be stored" in text for text in hills.warnings()))
        assert NUMBER_1 == hills.newest
        assert any("does not have secret 2" in text for text in village.services["hills"].warnings())
        village.stores["hills"].is_full = False
        await until(lambda: 1 == len(village.newest()))
        assert [] == list(hills.warnings())


async def test_no_version_names_a_secret_that_is_not_on_the_disk() -> None:
    village = SecretVillage("square")
    async with village.running():
        village.stores["square"].is_full = True
        with pytest.raises(StorageTrouble):
            await village.rotate("square")
        village.stores["square"].is_full = False
        first = await village.services["square"].secrets.prepared()
        assert first == await village.services["square"].secrets.prepared()
        assert first == await village.rotate("square")
        assert first != await village.services["square"].secrets.prepared()


@pytest.mark.parametrize("after", range(4))
async def test_a_rotation_that_is_killed_after_any_step_is_completed_by_the_next_one(after: int) -> None:
    """Steps: the secret on the disk, the version on the disk, the secret at the neighbour's. Each restart reads the disk."""
    village = SecretVillage("square", "hills")
    for service in village.services.values():
        await service.follow(FIRST.community, FIRST.statements)
    square = village.services["square"]
    if after >= 1:
        commitment = await square.secrets.prepared()
        if after >= 2:
            assert square.state is not None
            await square.take_in([rotated(square.state, commitment)])
    village.services = {name: village._service(name) for name in village.services}
    for name, service in village.services.items():
        assert service.state is not None, name
    if after >= 3:
        async with _resumed(village):
            await until(lambda: 1 == len(village.newest()))
        village.services = {name: village._service(name) for name in village.services}
    async with _resumed(village):
        if after < 2:
            await village.rotate("square")
        await until(lambda: [2, 2] == village.numbers())
    assert 1 == len(village.newest())
    assert (2 if after == 1 else 1) == len(village.stores["square"].secrets)
    assert 2 == len(village.services["square"].secrets.all())


@contextlib.asynccontextmanager
async def _resumed(village: SecretVillage) -> AsyncIterator[None]:
    village.pairs.clear()
    village.connect("square", "hills")
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(each.run()) for each in village.services.values()]
        running.append(tasks.create_task(village._carry()))
        yield
        for each in running:
            each.cancel()


async def test_a_neighbour_of_an_earlier_version_gets_the_record_and_is_named_as_lagging() -> None:
    village = SecretVillage("square", "hills", cans=(RECORDS_EXTENSION,))
    async with village.running():
        village.connect("square", "hills")
        await village.rotate("square")
        hills = village.services["hills"]
        await until(lambda: hills.state is not None and 1 == len(hills.state.commitments()))
        assert NUMBER_1 == hills.secrets.newest
        assert [id_of("hills")] == village.services["square"].secrets.exchange.lagging()
        assert village.services["square"].roster() == hills.roster()


async def test_however_many_secrets_arrive_no_more_are_kept_than_versions_can_name() -> None:
    unused = FakeSecretStore(*(number.to_bytes(32) for number in range(1, SECRETS_MAX + 10)))
    service = CommunityService(
        own=id_of("square"),
        listed=(),
        store=FakeStatementStore(),
        secret=NUMBER_1,
        secret_store=unused,
    )
    await service.follow(FIRST.community, FIRST.statements)
    assert (NUMBER_1,) == service.secrets.all()
    await service.secrets._save({commitment_of(b"n" * 32): b"n" * 32})
    assert SECRETS_MAX >= len(unused.secrets)
    assert b"n" * 32 in unused.secrets
