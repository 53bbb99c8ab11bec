"""The report of refused rows: a CSV file with each row's number, invoice, stock code and reason."""

import csv
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from orderloom.importing.classify import Refused


class RefusedReport:
    """Writes refused rows as they come."""

    def __init__(self, writer: csv.DictWriter[str]) -> None:
        self._writer = writer
        self.rows = 0

    def add(self, refused: Refused) -> None:
        """Write one row."""
        self._writer.writerow(refused.model_dump())
        self.rows += 1


@contextmanager
def refused_report(path: Path) -> Generator[RefusedReport]:
    """Write the report to *path*, from the beginning: a second run of an import writes the same rows again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(Refused.model_fields))
        writer.writeheader()
        yield RefusedReport(writer)
