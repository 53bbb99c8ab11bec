"""Asks the API of Orderloom from the command line; what it refuses is told on stderr."""

import sys
from typing import Annotated, Any, NoReturn

import httpx
from cyclopts import Parameter

from orderloom.bootstrap.clock import Clock
from orderloom.domain.errors import OrderloomError
from orderloom.persistence.ids import uuid7
from orderloom.settings import Settings


class ApiUnreachable(OrderloomError):
    """No API of Orderloom answers there.

    Start one with `orderloom up` or `orderloom api`, or name another with --api.
    """

    code = "api.unreachable"
    status = 503


TIMEOUT = 30.0
"""Seconds that the API may take."""

Api = Annotated[str | None, Parameter(help="URL of the API. [default: the one on this machine]")]
AsJson = Annotated[bool, Parameter(name="--json", help="Print JSON, as the API answers.", negative=())]
Key = Annotated[str | None, Parameter(help="Idempotency key; give the same one to repeat what was not answered.")]


def client(api: str | None) -> httpx.Client:
    """Return a client of the API at *api*, by default of the one on this machine."""
    settings = Settings()
    host = "127.0.0.1" if settings.host == "0.0.0.0" else settings.host  # noqa: S104  # where a server listens
    return httpx.Client(base_url=api or f"http://{host}:{settings.api_port}", timeout=TIMEOUT)


def ask(http: httpx.Client, method: str, path: str, **more: Any) -> Any:
    """Return what the API answers; a refusal is told on stderr, and the exit status is 1."""
    try:
        answer = http.request(method, path, **more)
        body: Any = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise ApiUnreachable(f"The API does not answer at {http.base_url}: {error}.") from error
    if answer.is_error:
        refuse(body)
    return body


def command(http: httpx.Client, path: str, body: Any, key: str | None) -> Any:
    """Send a command under *key*, by default a new one; return and refuse as ``ask``."""
    return ask(http, "POST", path, json=body, headers={"Idempotency-Key": key or f"cli-{uuid7(Clock().now())}"})


def became(answer: dict[str, Any], what: str) -> str:
    """Say what became of a command to an order: it is on record, or taken in until a worker answers."""
    if answer.get("status") == "accepted":
        return f"{what} is on record, as number {answer['receipt']['seq']} of order {answer['order']}"
    return f"{what} is taken in and will be done: {answer['links']['self']} tells what became of it"


def refuse(problem: dict[str, Any]) -> NoReturn:
    """Tell why the API refused, and leave with exit status 1."""
    sys.stderr.write(f"refused: {problem['code']}: {problem['detail']}\n")
    for field in problem.get("errors", ()):
        sys.stderr.write(f"  {field['pointer']}: {field['detail']}\n")
    if tasks := problem.get("facts", {}).get("tasks"):
        sys.stderr.write(f"  tasks: {', '.join(tasks)}\n")
    sys.stderr.write(f"{problem['remedy']}\n")
    sys.exit(1)
