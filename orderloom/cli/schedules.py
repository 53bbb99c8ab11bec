"""`orders schedules` and their like: when routing is tried, another date, now, or never."""

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any

import httpx
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from orderloom.cli.calling_api import Api, AsJson, Key, ask, became, client, command
from orderloom.cli.moments import AS_MOMENT, moment
from orderloom.readmodels.schedules import OrderedSchedule, ScheduleStatus

PAGE = 200
WIDTH = 100
"""Columns that the table takes at least; a narrower terminal breaks its lines."""


def schedules(
    order: str | None = None,
    *,
    status: ScheduleStatus | None = None,
    due_before: Annotated[
        datetime | None, AS_MOMENT, Parameter(help="Only those whose date is before that, of this machine's time zone.")
    ] = None,
    as_json: AsJson = False,
    api: Api = None,
) -> None:
    """
    List the routing schedules of an order by number, or those of all orders by date.

    Parameters
    ----------
    order: str
        Its id, such as 100001; left out, all orders.
    status: str
        Only those that are so; of all orders, the planned ones unless said otherwise.
    """
    due = due_before and moment(due_before)
    with client(api) as http:
        found = list(_of_all(http, status, due) if order is None else _of_one(http, order, status, due))
    if as_json:
        _say(json.dumps([each.model_dump(mode="json") for each in found], indent=2))
    elif found:
        Console(width=max(WIDTH, shutil.get_terminal_size().columns)).print(_table(found))
    else:
        _say("no routing schedule is as asked for")


def _of_one(
    http: httpx.Client, order: str, status: ScheduleStatus | None, due: datetime | None
) -> Iterator[OrderedSchedule]:
    for each in ask(http, "GET", f"/v1/orders/{order}/routing-schedules")["items"]:
        schedule = OrderedSchedule.model_validate({**each, "order": order})
        if status in {None, schedule.status} and (due is None or schedule.scheduled_at < due):
            yield schedule


def _of_all(http: httpx.Client, status: ScheduleStatus | None, due: datetime | None) -> Iterator[OrderedSchedule]:
    wanted = {"status": status, "due_before": due and due.isoformat(), "limit": PAGE}
    page = ask(http, "GET", "/v1/routing-schedules", params={name: it for name, it in wanted.items() if it is not None})
    yield from map(OrderedSchedule.model_validate, page["items"])
    while page["next"] is not None:
        page = ask(http, "GET", page["next"])
        yield from map(OrderedSchedule.model_validate, page["items"])


def _table(found: Sequence[OrderedSchedule]) -> Table:
    table = Table("order", "schedule", "status", "date", "ended", "since", box=None, pad_edge=False)
    for each in found:
        due, ended = _moment(each.scheduled_at), "-" if each.ended_at is None else _moment(each.ended_at)
        table.add_row(each.order, str(each.number), each.status, due, ended, each.reason)
    return table


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def reschedule(
    order: str,
    schedule: int,
    at: Annotated[datetime, AS_MOMENT],
    *,
    key: Key = None,
    as_json: AsJson = False,
    api: Api = None,
) -> None:
    """
    Give a planned routing attempt another date. One that is over keeps its date.

    Parameters
    ----------
    order: str
        Its id, such as 100001.
    schedule: int
        Number of the routing schedule within the order.
    at: datetime
        Such as 2026-03-02T14:00, of this machine's time zone; a date in the past is now.
    """
    when = moment(at).isoformat()
    path = f"/v1/orders/{order}/routing-schedules/{schedule}"
    _send(path, {"scheduled_at": when}, f"{when} for schedule {schedule}", key=key, as_json=as_json, api=api)


def route(order: str, *, key: Key = None, as_json: AsJson = False, api: Api = None) -> None:
    """
    Let routing be tried now, whether an attempt is planned or was given up.

    Parameters
    ----------
    order: str
        Its id, such as 100001.
    """
    _send(f"/v1/orders/{order}/route", {}, "a routing attempt now", key=key, as_json=as_json, api=api)


def abandon(order: str, schedule: int, *, key: Key = None, as_json: AsJson = False, api: Api = None) -> None:
    """
    Give a planned routing attempt up: the order waits until routing is asked for.

    Parameters
    ----------
    order: str
        Its id, such as 100001.
    schedule: int
        Number of the routing schedule within the order.
    """
    path = f"/v1/orders/{order}/routing-schedules/{schedule}/abandon"
    _send(path, {}, f"giving schedule {schedule} up", key=key, as_json=as_json, api=api)


def _send(path: str, body: Any, what: str, *, key: str | None, as_json: bool, api: str | None) -> None:
    with client(api) as http:
        answer = command(http, path, body, key)
    _say(json.dumps(answer, indent=2, ensure_ascii=False) if as_json else became(answer, what))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
