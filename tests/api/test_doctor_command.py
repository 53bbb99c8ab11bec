"""`orderloom doctor`: says what it found, and its exit status says whether that is nothing."""

import asyncio
import json

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.bootstrap.embedded_postgres import EmbeddedPostgres
from orderloom.cli.doctor import SchemaMissing, doctor_app, examine_database
from tests.api.books import SHIPPED, write_books


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
    assert "All 24 checks passed: the books are balanced." in capsys.readouterr().out


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


async def test_database_without_tables_is_told(postgres: EmbeddedPostgres) -> None:
    """A database that is not Orderloom's gets a sentence, not a failed check."""
    url = await postgres.ensure_database("empty_for_doctor")

    with pytest.raises(SchemaMissing):
        await examine_database(url)

    await postgres.drop_database("empty_for_doctor")
