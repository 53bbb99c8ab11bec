"""The group ``exceptions``, to which the modules beside this one add their commands."""

import json
import sys
from typing import Any

from cyclopts import App

from orderloom.cli.calling_api import became, client, command
from orderloom.domain.model import JsonObject

exceptions_app = App(name="exceptions", help="What went wrong and waits for a person.")


def send(id: str, path: str, body: JsonObject, what: Any, *, key: str | None, as_json: bool, api: str | None) -> None:
    """Send a command about an exception, and tell what became of it."""
    with client(api) as http:
        answer = command(http, f"/v1/exceptions/{id}/{path}", body, key)
    if as_json:
        say(json.dumps(answer, indent=2, ensure_ascii=False))
    elif "order" in answer:
        say(f"{id}: {became(answer, what)}")
    else:
        say(f"{id}: {what} is done; it is {answer['status']}")


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
