"""What became of a flow's tasks in one order, as the API tells it."""

from http import HTTPStatus
from itertools import pairwise
from typing import Any

import httpx

from flows_dsl.compiler import compile_flow
from flows_dsl.diagram import Mark
from flows_dsl.model import FlowDocument
from orderloom.cli.calling_api import ask, client

PAGE = 200


def marks_of(flow: FlowDocument, order: str, api: str | None) -> dict[str, Mark]:
    """
    Return the marks of tasks by JSON pointer.

    Done is what has caused an event of the order's journal: a task that only decides leaves nothing there.

    Raises:
        ApiUnreachable: nobody answers there.
    """
    label = f"{flow.document.name}:{flow.document.version}"
    tasks = [task for each in compile_flow(flow).lists.values() for task in each.tasks]
    with client(api) as http:
        causes = _causes(http, order)
        stands = _stands(http, order, label)
        open_ = ask(http, "GET", "/v1/exceptions", params={"order": order, "limit": PAGE})["items"]
    failed = {one["task"] for one in open_ if one["flow"] == label and one["waiting"] is not None}
    marks: dict[str, Mark] = {}
    for task in tasks:
        if f"{label}{task.path}" in causes:
            marks[task.reference] = "done"
        if _names(task.reference) in stands:
            marks[task.reference] = "waits"
        if task.reference in failed:
            marks[task.reference] = "failed"
    return marks


def _causes(http: httpx.Client, order: str) -> set[str]:
    """Return what has caused events, without the rounds of loops."""
    causes, after = set[str](), 0
    while items := ask(http, "GET", f"/v1/orders/{order}/journal", params={"after": after, "limit": PAGE})["items"]:
        causes |= {str(item["cause"]).partition("[")[0] for item in items}
        after = items[-1]["seq"]
    return causes


def _stands(http: httpx.Client, order: str, label: str) -> set[str]:
    """Return the tasks at which instances of the flow stand, by name; none of an order whose workflow has ended."""
    release = ask(http, "GET", f"/v1/orders/{order}")["release"]
    answer = http.get(f"/v1/orders/{order}/release", params={"to": release})
    if answer.status_code != HTTPStatus.OK:
        return set()
    instances: list[dict[str, Any]] = answer.json()["instances"]
    return {str(one["task"]) for one in instances if one["flow"] == label and one["task"] is not None}


def _names(pointer: str) -> str:
    """Return the names on the way to a task, as people see them: ``authorize/ask-gateway``."""
    parts = pointer.split("/")
    return "/".join(name for before, name in pairwise(parts) if before.isdigit())
