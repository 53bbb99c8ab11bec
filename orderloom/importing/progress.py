"""How far an import has come, in a small file in the data directory: a second run goes on after the last full day."""

import json
import os
from datetime import date
from pathlib import Path

from pydantic import ValidationError

from orderloom.domain.model import Frozen


class Progress(Frozen):
    """What is done for good."""

    through: date | None = None
    """The last day of which everything is done."""
    changes_refused: int = 0
    """Rows of cancellations that their orders refused until then: they are exceptions."""
    orders_refused: dict[str, int] = {}
    """Rows of orders that were refused when placed until then, by reason."""


class ProgressFile:
    """The progress of one import, by its id."""

    def __init__(self, data_directory: Path, import_id: str) -> None:
        self._path = data_directory / "imports" / f"{import_id}.json"

    def read(self) -> Progress:
        """Return the progress; nothing is done when there is no file, or none that can be read."""
        try:
            return Progress.model_validate(json.loads(self._path.read_text(encoding="utf-8")))
        except (OSError, ValueError, ValidationError):
            return Progress()

    def write(self, progress: Progress) -> None:
        """Keep *progress*, so that the file is always whole."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(".new")
        beside.write_text(progress.model_dump_json(), encoding="utf-8")
        os.replace(beside, self._path)
