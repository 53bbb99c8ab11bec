"""`doctor`: proves that the books are right, and names what is not. It only reads, unless it is to raise that."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from orderloom.bootstrap.clock import Clock
from orderloom.bootstrap.database import create_engine
from orderloom.bootstrap.errors import ServerUnreachable, StartRefused
from orderloom.bootstrap.master_key import master_key
from orderloom.bootstrap.raising import raise_findings
from orderloom.cli.database import database_url, database_urls
from orderloom.cli.running import run
from orderloom.persistence.vault import Vault
from orderloom.readmodels.doctor import CHECKS, Findings, examine_patiently
from orderloom.readmodels.snapshot import snapshot
from orderloom.settings import Settings

doctor_app = App(name="doctor", help="Prove that the books are right.")


class SchemaMissing(StartRefused):
    """The database has no tables yet.

    Start Orderloom once: `orderloom up`.
    """

    code = "start.schema_missing"


@doctor_app.command
def doctor(
    *,
    json: Annotated[bool, Parameter(help="Print the findings as JSON.", negative=())] = False,
    raise_: Annotated[
        bool, Parameter(name="--raise", help="Raise a process exception for each finding, once.", negative=())
    ] = False,
    data_dir: Annotated[Path | None, Parameter(help="Where the servers keep their data. [default: .orderloom]")] = None,
) -> None:
    """
    Check that ledgers balance, reservations equal open demand, documents equal their lines, and no stock is negative.

    Prints every finding and exits with 1 if there is one. It reads one moment and changes nothing, unless it is to
    raise process exceptions; it may run while Orderloom does.
    """
    settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
    found: list[Findings] = []

    async def work() -> None:
        if raise_:
            async with database_urls(settings) as (url, keys_url):
                found.append(await examine_database(url))
                await _raise(found[0], url, keys_url, settings)
            return
        async with database_url(settings) as url:
            found.append(await examine_database(url))

    run(settings, work)
    if not found:
        sys.exit(130)
    sys.stdout.write(f"{found[0].model_dump_json(indent=2)}\n") if json else show(found[0], Console())
    sys.exit(0 if found[0].balanced else 1)


async def _raise(findings: Findings, url: str, keys_url: str, settings: Settings) -> None:
    engine, keys = create_engine(url, pooled=False), create_engine(keys_url, pooled=False)
    try:
        raised = await raise_findings(engine, Vault(keys, master_key(settings)), findings.findings, Clock().now())
    finally:
        await engine.dispose()
        await keys.dispose()
    if findings.findings:
        sys.stderr.write(f"raised {raised} process exceptions; {len(findings.findings) - raised} are known already\n")


async def examine_database(url: str) -> Findings:
    """
    Run every check on the database at *url*.

    Raises:
        ServerUnreachable: it does not answer.
        SchemaMissing: it is not one of Orderloom's.
    """
    engine = create_engine(url, pooled=False)
    try:
        async with snapshot(engine) as conn:
            if await conn.scalar(text("SELECT to_regclass('orders')")) is None:
                raise SchemaMissing("The database has no tables yet.")
            return await examine_patiently(conn, Clock().now())
    except (OSError, SQLAlchemyError) as error:
        raise ServerUnreachable(f"PostgreSQL does not answer: {error}.", server="PostgreSQL") from error
    finally:
        await engine.dispose()


def show(findings: Findings, console: Console) -> None:
    """Print what was checked and what was found, for people."""
    if findings.balanced:
        console.print(f"All {len(findings.checks)} checks passed: the books are balanced.")
        return
    claims = {check.name: check.claim for check in CHECKS}
    table = Table("Check", "Order", "About", "Expected", "Found")
    for each in findings.findings:
        table.add_row(each.check, each.order or "", each.subject, str(each.expected), str(each.found))
    console.print(table)
    for name in dict.fromkeys(each.check for each in findings.findings):
        console.print(f"{name}: {claims[name]}")
