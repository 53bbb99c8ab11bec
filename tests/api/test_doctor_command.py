"""`orderloom doctor`: says what it found, and its exit status says whether that is nothing."""

import asyncio
import json

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.record import record_directly
from orderloom.bootstrap.clock import Clock
from orderloom.bootstrap.embedded_postgres import EmbeddedPostgres
from orderloom.cli.doctor import SchemaMissing, doctor_app, examine_database
from orderloom.contracts.messages import Delivery
from orderloom.persistence.vault import Vault
from tests.api.books import SHIPPED, write_books
from tests.api.conftest import NOW
from tests.conftest import MASTER_KEY
from worker.examining import Examinations


async def run(arguments: list[str], url: str, monkeypatch: pytest.MonkeyPatch) -> int | str | None:
    """Run the command in a thread of its own, where it may have an event loop, and return its exit status."""
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setattr("orderloom.cli.doctor.run", lambda _settings, work: asyncio.run(work()))

    def call() -> int | str | None:
        with pytest.raises(SystemExit) as exited:
            doctor_app(arguments)
        return exited.value.code

    return await asyncio.to_thread(call)


async def test_balanced_books_exit_with_zero(
    seeded: AsyncEngine, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of balanced books the command says so, and exits with 0."""
    await write_books(seeded)

    status = await run(["doctor"], database_url, monkeypatch)

    assert status == 0
    assert "All 29 checks passed: the books are balanced." in capsys.readouterr().out


async def test_finding_exits_with_one(
    seeded: AsyncEngine, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A finding is printed with its check, order and numbers, as a table or as JSON, and the exit status is 1."""
    await write_books(seeded)
    async with seeded.begin() as conn:
        await conn.execute(text(f"UPDATE order_lines SET quantity = 5 WHERE order_id = '{SHIPPED}'"))

    status = await run(["doctor"], database_url, monkeypatch)
    table = capsys.readouterr().out
    status_of_json = await run(["doctor", "--json"], database_url, monkeypatch)
    findings = json.loads(capsys.readouterr().out)["findings"]

    assert (status, status_of_json) == (1, 1)
    assert "units.placed" in table
    assert SHIPPED in table
    assert findings == [
        {"check": "units.placed", "order": SHIPPED, "subject": "line 1 quantity", "expected": 5, "found": 2}
    ]


async def test_a_finding_becomes_a_process_exception_once(
    seeded: AsyncEngine, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --raise each finding is raised, with its order or without one, and found again it is not raised again."""
    monkeypatch.setenv("ORDERLOOM_KEYS_URL", database_url)
    monkeypatch.setenv("ORDERLOOM_MASTER_KEY", MASTER_KEY.hex())
    await write_books(seeded)
    async with seeded.begin() as conn:
        await conn.execute(text("UPDATE stock SET reserved = 1 WHERE location_id = 'BER'"))
        await conn.execute(text(f"UPDATE order_lines SET quantity = 5 WHERE order_id = '{SHIPPED}'"))

    said: list[str] = []
    for _ in range(2):
        assert await run(["doctor", "--raise"], database_url, monkeypatch) == 1
        said.append(capsys.readouterr().err.splitlines()[-1])
        await _record_what_was_found(seeded)

    assert said == [
        "raised 3 process exceptions; 0 are known already",
        "raised 0 process exceptions; 3 are known already",
    ]
    assert await _exceptions(seeded) == [
        ("doctor.groups.members", None, "MUG-BLUE at EU reserved", "doctor"),
        ("doctor.stock.reserved", None, "MUG-BLUE at BER", "doctor"),
        ("doctor.units.placed", SHIPPED, "line 1 quantity", "doctor"),
    ]


async def test_the_doctor_that_runs_by_itself_raises_each_finding_once(seeded: AsyncEngine) -> None:
    """Two examinations raise what the first one found; it stays as it is until a person settles it and the data."""
    await write_books(seeded)
    doctor = Examinations(seeded, Vault(seeded, MASTER_KEY), Clock(), None)
    assert await doctor.turn() == 0
    assert doctor.last is not None
    assert doctor.last.findings == 0
    async with seeded.begin() as conn:
        await conn.execute(text("UPDATE stock SET reserved = 1 WHERE location_id = 'BER'"))
        await conn.execute(text(f"UPDATE order_lines SET quantity = 5 WHERE order_id = '{SHIPPED}'"))

    raised: list[int] = []
    for _ in range(2):
        raised.append(await doctor.turn())
        await _record_what_was_found(seeded)

    assert raised == [3, 0]
    assert doctor.last.findings == 3
    async with seeded.connect() as conn:
        rows = await conn.execute(text("SELECT status FROM process_exceptions WHERE code LIKE 'doctor.%'"))
        assert list(rows.scalars()) == ["new"] * 3


async def test_a_doctor_that_is_switched_off_looks_at_nothing(seeded: AsyncEngine) -> None:
    """Without seconds between two examinations there is none."""
    doctor = Examinations(seeded, Vault(seeded, MASTER_KEY), Clock(), None)

    await doctor.run()

    assert doctor.last is None


async def test_nothing_found_raises_nothing(
    seeded: AsyncEngine, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of balanced books nothing is raised, and the exit status is 0."""
    monkeypatch.setenv("ORDERLOOM_KEYS_URL", database_url)
    monkeypatch.setenv("ORDERLOOM_MASTER_KEY", MASTER_KEY.hex())
    await write_books(seeded)
    before = await _exceptions(seeded)

    assert await run(["doctor", "--raise"], database_url, monkeypatch) == 0

    assert "raised" not in capsys.readouterr().err
    assert await _exceptions(seeded) == before == []


async def _record_what_was_found(engine: AsyncEngine) -> None:
    """Do what a relay does with events that no workflow wants."""
    vault = Vault(engine, MASTER_KEY)
    async with engine.connect() as conn:
        rows = (await conn.execute(text("SELECT id, order_id FROM intake WHERE status = 'received'"))).all()
    for row in rows:
        delivery = Delivery(intake_id=row.id, type="exception.found")
        await record_directly(engine, vault, row.order_id, delivery, now=NOW)


async def _exceptions(engine: AsyncEngine) -> list[tuple[str, str | None, str, str]]:
    query = "SELECT code, order_id, attached_to, flow FROM process_exceptions WHERE code LIKE 'doctor.%' ORDER BY code"
    async with engine.connect() as conn:
        return [tuple(row) for row in await conn.execute(text(query))]  # type: ignore[misc]


async def test_database_without_tables_is_told(postgres: EmbeddedPostgres) -> None:
    """A database that is not Orderloom's gets a sentence, not a failed check."""
    url = await postgres.ensure_database("empty_for_doctor")

    with pytest.raises(SchemaMissing):
        await examine_database(url)

    await postgres.drop_database("empty_for_doctor")
