"""Log lines as a test reads them."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import structlog

from orderloom.settings import Settings
from orderloom.telemetry import logs


class Lines(StringIO):
    """What a process wrote to stderr, which is no terminal."""

    def read_all(self) -> list[dict[str, Any]]:
        """Return every line, parsed."""
        return [json.loads(line) for line in self.getvalue().splitlines()]


@contextmanager
def captured_lines(**settings: Any) -> Iterator[Lines]:
    """Set logs up as a process does, and put everything back at the end."""
    root, stderr, lines = logging.getLogger(), sys.stderr, Lines()
    before, level = list(root.handlers), root.level
    sys.stderr = lines
    try:
        logs.set_up(Settings(**settings))
        yield lines
    finally:
        sys.stderr = stderr
        root.handlers[:], root.level = before, level
        structlog.reset_defaults()
