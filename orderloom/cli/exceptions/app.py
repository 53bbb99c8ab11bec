"""The group ``exceptions``, to which the modules beside this one add their commands."""

import json
import sys
from typing import Any

from cyclopts import App

from orderloom.bootstrap.clock import Clock
from orderloom.cli.calling_api import ask, client
from orderloom.domain.model import JsonObject
from orderloom.persistence.ids import uuid7

exceptions_app = App(name="exceptions", help="What went wrong and waits for a person.")


def send(id: str, path: str, body: JsonObject, what: Any, *, key: str | None, as_json: bool, api: str | None) -> None:
    """Send a command about an exception, and tell what became of it."""
    headers = {"Idempotency-Key": key or f"cli-{uuid7(Clock().now())}"}
    with client(api) as http:
        answer = ask(http, "POST", f"/v1/exceptions/{id}/{path}", json=body, headers=headers)
    if as_json:
        say(json.dumps(answer, indent=2, ensure_ascii=False))
    elif "receipt" in answer and answer["status"] == "accepted":
        say(f"{id}: {what} is on record, as number {answer['receipt']['seq']} of order {answer['order']}")
    elif "intake" in answer or "order" in answer:
        say(f"{id}: {what} is taken in and will be done: {answer['links']['self']} tells what became of it")
    else:
        say(f"{id}: {what} is done; it is {answer['status']}")


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
