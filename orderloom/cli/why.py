"""`orders why`: tells why an order was routed as it was, or was not."""

import json
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Any

from orderloom.cli.calling_api import Api, AsJson, ask, client
from orderloom.domain.telling import counted, kilometres, listed, objective_name, units
from orderloom.domain.why import LocationTold, PartTold
from orderloom.readmodels.routing_why import RoutingAttemptTold

NARROWEST = 60
WIDEST = 110
"""Columns that the words may take, whatever the terminal says."""

OTHERS = 12
"""How many locations that send nothing are told of one by one."""


def why(order: str, *, attempt: int | None = None, as_json: AsJson = False, api: Api = None) -> None:
    """
    Tell why an order is sent from where it is, or why it is not: the routes, each location's fate, what is proven.

    Parameters
    ----------
    order: str
        Its id, such as 100001.
    attempt: int
        Number of the routing attempt; left out, the last one.
    """
    path = f"/v1/orders/{order}/routing-attempts"
    with client(api) as http:
        if attempt is None:
            latest = ask(http, "GET", path, params={"limit": 1})["items"]
            if not latest:
                sys.stdout.write("null\n" if as_json else f"order {order} has not been routed yet\n")
                return
            attempt = latest[0]["number"]
        answer: dict[str, Any] = ask(http, "GET", f"{path}/{attempt}")
    if as_json:
        sys.stdout.write(json.dumps(answer, indent=2, ensure_ascii=False) + "\n")
        return
    width = min(WIDEST, max(NARROWEST, shutil.get_terminal_size((WIDEST, 24)).columns))
    sys.stdout.write("\n".join(shown(RoutingAttemptTold.model_validate(answer), width)) + "\n")


def shown(told: RoutingAttemptTold, width: int) -> Iterator[str]:
    """Yield the lines that tell of an attempt, at most *width* columns wide where words can be wrapped."""
    yield f"Order {told.order}, routing attempt {told.number} of {told.attempts}: {told.outcome}"
    yield told.summary
    for part in told.parts:
        yield ""
        yield from _part(part, width)
    yield ""
    yield from _circumstances(told)


def _part(part: PartTold, width: int) -> Iterator[str]:
    yield from wrap(part.heading, width)
    yield from _paragraph(part.verdict, width, "  ")
    for reason in part.reasons:
        yield from _paragraph(reason, width, "  - ")
    yield from _table(part.locations, width)


def _table(locations: Sequence[LocationTold], width: int) -> Iterator[str]:
    """Yield a line for each location that sends, and for the first of the others; the rest is counted by its fate."""
    sending = [each for each in locations if each.sends]
    others = [each for each in locations if not each.sends]
    rows = [*sending, *others[:OTHERS]]
    if not rows:
        return
    telling = _telling(locations)
    cells = [(each.location, _away(each), units(each.stock) or "-", _words(each, telling)) for each in rows]
    sizes = [max(len(row[column]) for row in cells) for column in range(3)]
    for location, away, there, words in cells:
        head = f"    {location:<{sizes[0]}}  {away:>{sizes[1]}}  {there:>{sizes[2]}}  "
        yield from wrap(words, max(width, len(head) + 30), initial_indent=head, subsequent_indent=" " * len(head))
    if rest := others[OTHERS:]:
        fates = Counter(each.removed_by or "not chosen" for each in rest)
        named = ", ".join(f"{count:,} {fate}" for fate, count in sorted(fates.items()))
        yield f"    and {counted(len(rest), 'location')} more: {named}"


def _away(location: LocationTold) -> str:
    return "" if location.distance_km is None else kilometres(location.distance_km)


def _telling(locations: Sequence[LocationTold]) -> set[str]:
    """Return the objectives by which the locations differ: only there a rank says something."""
    return {rank.objective for each in locations for rank in each.ranks if rank.rank > 1}


def _words(location: LocationTold, telling: set[str]) -> str:
    ranks = [
        f"{_ordinal(each.rank)} at {objective_name(each.objective)}"
        for each in location.ranks
        if each.objective in telling
    ]
    return f"{location.words} ({', '.join(ranks)})" if ranks else location.words


def _ordinal(number: int) -> str:
    if number % 100 in {11, 12, 13}:
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def _paragraph(text: str, width: int, lead: str) -> list[str]:
    return wrap(text, width, initial_indent=lead, subsequent_indent=" " * len(lead))


def _circumstances(told: RoutingAttemptTold) -> Iterator[str]:
    if told.wave is not None:
        yield f"It was found in wave {told.wave}, after the orders of that wave that had their turn before."
    if told.fulfillment_orders:
        made = [f"{it.id} at {it.location}" if it.location else f"{it.id} (digital)" for it in told.fulfillment_orders]
        yield f"It led to {listed(made)}."
    if told.next_attempt_at is not None:
        yield f"The next attempt is planned for {told.next_attempt_at:%Y-%m-%d %H:%M:%S} UTC."
    policy = told.policy if told.policy_hash is None else f"{told.policy} ({told.policy_hash[:8]})"
    yield f"Seen on {told.at:%Y-%m-%d %H:%M:%S} UTC by policy {policy}; schedule {told.schedule}, {told.reason}."
