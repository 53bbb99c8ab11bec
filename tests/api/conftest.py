"""The API over a real database, with a delivery that the test decides."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx
import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from api.app import create_app
from api.dependencies import ApiDependencies
from orderloom.bootstrap.database import create_engine
from orderloom.bootstrap.embedded_postgres import EmbeddedPostgres
from orderloom.bootstrap.health import Probe
from orderloom.contracts.messages import Delivery, Receipt, ReleasePin
from orderloom.contracts.moving import Whereabouts
from orderloom.domain.channel import ChannelPolicy, TaxPolicy
from orderloom.persistence import tables
from orderloom.persistence.intake import mark
from orderloom.persistence.starting import Start
from orderloom.persistence.tables.persons import keys_metadata
from orderloom.persistence.vault import Vault

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PIN = ReleasePin(release="r1", subscriptions={"order.placed": ["f1"], "fulfillment.shipped": ["f2"]})


class FixedClock:
    """It is always noon."""

    def now(self) -> datetime:
        """Return the instant of all tests here."""
        return NOW


@dataclass
class StubDelivery:
    """Stands in for the order's workflow: answers what the test says, and writes it into intake as a worker does."""

    engine: AsyncEngine
    receipt: Receipt | None = field(default_factory=lambda: Receipt(status="accepted", seq=1))
    failure: Exception | None = None
    delivered: list[str] = field(default_factory=list)

    async def __call__(
        self, order_id: str, delivery: Delivery, *, within: float, start: Start | None
    ) -> Receipt | None:
        """Remember the delivery and return the receipt."""
        intake_id = delivery.intake_id
        self.delivered.append(intake_id)
        if self.failure is not None:
            raise self.failure
        if self.receipt is not None:
            await mark(self.engine, intake_id, self.receipt.status, self.receipt)
        return self.receipt

    async def whereabouts(self, order_id: str) -> list[Whereabouts]:
        """Say that no instance is under way."""
        assert order_id
        return []


@pytest.fixture
async def seeded(engine: AsyncEngine) -> AsyncEngine:
    """Return an engine on a database of the test's own, with what ``seed`` writes."""
    await seed(engine)
    return engine


@pytest.fixture(scope="session")
async def shared(postgres: EmbeddedPostgres, database_template: str) -> AsyncIterator[AsyncEngine]:
    """Return an engine on a seeded database that all tests share which leave nothing behind."""
    engine = create_engine(await postgres.ensure_database("api_shared", template=database_template))
    await seed(engine)
    yield engine
    await engine.dispose()
    await postgres.drop_database("api_shared")


async def seed(engine: AsyncEngine) -> None:
    """Write two channels, one with a release in force, five products and their prices."""
    policy = ChannelPolicy(
        currency="EUR", location_group="EU", tax=TaxPolicy.model_validate({"rates": {"standard": "0.10"}})
    )
    async with engine.begin() as conn:
        await conn.run_sync(keys_metadata.create_all)
        pin = PIN.model_dump(mode="json")
        await conn.execute(insert(tables.catalog.releases).values(hash="r1", pin=pin, published_at=NOW))
        for channel, release in (("web", "r1"), ("draft", None)):
            values = {"id": channel, "policy": policy.model_dump(mode="json"), "release": release}
            await conn.execute(insert(tables.catalog.channels).values(values))
        for sku, category, active, price in (
            ("MUG-BLUE", "standard", True, 2500),
            ("MUG-RED", "standard", True, 3000),
            ("MUG-OLD", "standard", False, 100),
            ("MUG-NEW", "standard", True, None),
            ("BOOK", "reduced", True, 1000),
        ):
            product = {"sku": sku, "name": sku.title(), "tax_category": category, "active": active}
            await conn.execute(insert(tables.catalog.products).values(product))
            if price is not None:
                values = {"channel_id": "web", "sku": sku, "currency": "EUR", "amount": price}
                await conn.execute(insert(tables.catalog.prices).values(values))


@pytest.fixture
def delivery(seeded: AsyncEngine) -> StubDelivery:
    """Return the delivery that the API is given."""
    return StubDelivery(seeded)


@pytest.fixture
def workflows_ready() -> list[Exception]:
    """Return a list: when a test puts an exception in, Temporal does not answer."""
    return []


@pytest.fixture
async def http(
    seeded: AsyncEngine, delivery: StubDelivery, workflows_ready: list[Exception]
) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the API over the test's own database."""

    async def probe() -> None:
        if workflows_ready:
            raise workflows_ready[0]

    async with client(seeded, delivery, probe) as http:
        yield http


def client(engine: AsyncEngine, delivery: StubDelivery, probe: Probe) -> httpx.AsyncClient:
    """Return a client of an API over *engine*."""
    app = create_app(dependencies(engine, delivery, probe))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://orderloom")


async def always_ready() -> None:
    """Say that Temporal answers."""


def dependencies(engine: AsyncEngine, delivery: StubDelivery, probe: Probe = always_ready) -> ApiDependencies:
    """Return what an API over *engine* works with."""
    return ApiDependencies(
        engine=engine,
        vault=Vault(engine, bytes(32)),
        clock=FixedClock(),
        deliver=delivery,
        whereabouts=delivery.whereabouts,
        workflows_ready=probe,
        max_body=300_000,
    )


async def count(engine: AsyncEngine, *names: str) -> list[int]:
    """Return how many rows each of the tables *names* has."""
    async with engine.connect() as conn:
        return [(await conn.execute(text(f"SELECT count(*) FROM {name}"))).scalar_one() for name in names]
