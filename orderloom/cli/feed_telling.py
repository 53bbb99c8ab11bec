"""What `orderloom inventory load` tells: how far a feed has come, what was refused, and what it would change."""

import sys
from collections.abc import Sequence
from time import monotonic

from orderloom.inventory.feed_lines import BadRow
from orderloom.inventory.feed_previews import FeedPreview
from orderloom.inventory.feed_progress import FeedProgress
from orderloom.persistence.stock_merge import Mode

TOLD_EVERY = 1.0
"""Seconds between two lines of progress."""


class Teller:
    """Tells how far a feed has come."""

    def __init__(self, mode: Mode) -> None:
        self._mode = mode
        self._began = self._told = monotonic()

    def tell(self, progress: FeedProgress, bad: Sequence[BadRow]) -> None:
        """Write the lines that were not merged, and from time to time how many were."""
        _tell_refused(bad)
        now = monotonic()
        if now - self._told >= TOLD_EVERY:
            self._told = now
            self._say(progress)

    def _say(self, progress: FeedProgress) -> None:
        rate = (progress.read - progress.skipped) / max(monotonic() - self._began, 0.001)
        if self._mode == "full" and not progress.lines:
            sys.stderr.write(f"{progress.read:,} lines read, nothing is changed yet, {rate:,.0f} lines/s\n")
            return
        zeroed = f"{progress.zeroed:,} set to zero, " if self._mode == "full" else ""
        sys.stderr.write(
            f"{progress.lines:,} lines, {progress.changed:,} shelves changed, {zeroed}"
            f"{progress.refused:,} lines refused, {rate:,.0f} lines/s\n"
        )

    def stopped(self, lines: int) -> None:
        """Say how many lines were merged before somebody stopped it, and how to go on."""
        merged = f"{lines:,} lines of it are" if lines else "nothing of it is"
        sys.stderr.write(f"stopped; {merged} merged; run the same command again to go on\n")

    def end(self, progress: FeedProgress) -> None:
        """Write the sums."""
        self._say(progress)
        if progress.kept:
            sys.stderr.write(
                f"{progress.kept:,} shelves that it does not name are left as they are: lines that may name them "
                "cannot be read\n"
            )


def tell_preview(preview: FeedPreview, zero_at_most: float) -> None:
    """Write what a feed would change, by location, and the lines that would be refused."""
    _tell_refused(preview.refused)
    for each in preview.locations:
        sys.stdout.write(
            f"{each.location}: {each.new:,} new, {each.changed:,} changed, {each.zeroed:,} set to zero, "
            f"{each.unchanged:,} unchanged\n"
        )
        for shelf in each.first:
            kept = (
                "" if shelf.safety == shelf.safety_becomes else f", kept back {shelf.safety} -> {shelf.safety_becomes}"
            )
            sys.stdout.write(f"  {shelf.what:8} {shelf.sku}: {shelf.on_hand} -> {shelf.becomes}{kept}\n")
        if each.too_much:
            sys.stdout.write(f"  refused: more than {zero_at_most:.0%} of its stocked shelves would be set to zero\n")
    if preview.kept:
        sys.stdout.write(f"{preview.kept:,} shelves that it does not name would be left as they are\n")
    sys.stderr.write(f"{preview.lines:,} lines read; nothing was changed\n")


def _tell_refused(bad: Sequence[BadRow]) -> None:
    for row in bad:
        sys.stdout.write(f"line {row.line}: {row.code}: {f'{row.field}: ' if row.field else ''}{row.detail}\n")
