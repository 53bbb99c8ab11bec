"""Moments on the command line: of this machine's time zone, unless they name one."""

from datetime import datetime
from typing import Any

from cyclopts import Parameter

from orderloom.domain.model import within_reach


def moment(said: datetime | str) -> datetime:
    """
    Return the moment that is *said*, with its time zone.

    Raises:
        ValueError: it is none, or none in the years from 1900 to 2199.
    """
    try:
        at = (datetime.fromisoformat(said) if isinstance(said, str) else said).astimezone()
    except OverflowError:
        at = None
    if at is None or not within_reach(at):
        raise ValueError("must lie in the years from 1900 to 2199")
    return at


def _refuse_odd(_type: Any, said: datetime | None) -> None:
    if said is not None:
        moment(said)


AS_MOMENT = Parameter(validator=_refuse_odd)
"""Of an option that is a moment: one that no database holds is refused with the option's name."""
