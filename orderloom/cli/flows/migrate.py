"""`orderloom flows migrate`: running orders to another release, one by one, with a result for each."""

import sys
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import httpx
from cyclopts import Parameter
from pydantic import TypeAdapter

from orderloom.bootstrap.clock import Clock
from orderloom.cli.flows.app import flows_app
from orderloom.cli.moments import AS_MOMENT, moment
from orderloom.cli.running import run
from orderloom.domain.errors import InvalidInput, OrderloomError
from orderloom.domain.model import Frozen
from orderloom.persistence.ids import uuid7
from orderloom.settings import Settings

PATIENCE = 60.0
PAGE = 200


class ApiUnreachable(OrderloomError):
    """The API does not answer.

    Start Orderloom (`orderloom up`), or say where it is with `--api`.
    """

    code = "api.unreachable"
    status = 503


class NoOrdersMeant(InvalidInput):
    """No orders were named.

    Name some with `--order`, or say which with `--channel`, `--on`, `--since`, or `--all`.
    """

    code = "migrate.no_orders"


class MoveResult(Frozen):
    """What became of one order."""

    order: str
    result: Literal["moved", "unchanged", "refused", "moves", "taken-in"]
    """``moves``: it would, says the preview. ``taken-in``: no worker answered yet; it will be moved or refused."""
    reason: str | None = None
    tasks: list[str] = []
    """With a preview: where its instances stand."""


@flows_app.command
def migrate(
    *,
    to: Annotated[str, Parameter(help="The release's hash, or its beginning.")],
    preview: Annotated[bool, Parameter(help="Only say what would happen.", negative=())] = False,
    order: Annotated[list[str] | None, Parameter(help="An order; may be said several times.")] = None,
    channel: Annotated[str | None, Parameter(help="Open orders of this channel.")] = None,
    on: Annotated[str | None, Parameter(help="Open orders on this release (its whole hash).")] = None,
    since: Annotated[datetime | None, AS_MOMENT, Parameter(help="Open orders placed then or later.")] = None,
    all: Annotated[bool, Parameter(help="All open orders.", negative=())] = False,
    format: Annotated[Literal["human", "json"], Parameter(help="How results are shown; json: one a line.")] = "human",
    api: Annotated[str | None, Parameter(help="Where the API is. [default: from the settings]")] = None,
) -> None:
    """
    Move running orders to a release; each is moved as a whole, or refused and left as it is.

    It may be stopped and repeated: orders that are there already are unchanged. Exit status: 0 every order is moved or
    unchanged, 1 one was refused or not answered yet.
    """
    if not (order or channel or on or since or all):
        raise NoOrdersMeant("No orders were named.")
    settings = Settings()
    url = api or f"http://{settings.host}:{settings.api_port}"
    filters = {"channel": channel, "release": on, "since": since and moment(since).isoformat()}
    results: list[MoveResult] = []

    async def work() -> None:
        async with httpx.AsyncClient(base_url=url, timeout=PATIENCE) as http:
            mover = Mover(http, to)
            async for number in _orders(http, order or (), filters):
                result = await (mover.preview(number) if preview else mover.move(number))
                results.append(result)
                _show(result, format)

    try:
        run(settings, work)
    except httpx.TransportError as error:
        raise ApiUnreachable(f"The API at {url} does not answer: {type(error).__name__}.") from error
    counts = {kind: sum(one.result == kind for one in results) for kind in dict.fromkeys(it.result for it in results)}
    sys.stderr.write(", ".join(f"{count} {kind}" for kind, count in counts.items()) + "\n" if counts else "no orders\n")
    sys.exit(1 if counts.keys() & {"refused", "taken-in"} else 0)


async def _orders(http: httpx.AsyncClient, named: Sequence[str], filters: dict[str, str | None]) -> AsyncGenerator[str]:
    """Yield the orders that are meant; those of a query are listed page by page, the newest first."""
    for number in named:
        yield number
    if named:
        return
    given = {name: value for name, value in filters.items() if value is not None}
    answer = await http.get("/v1/orders", params={**given, "open": "true", "limit": PAGE})
    while True:
        page = _answered(answer)
        for one in page["items"]:
            yield one["id"]
        if page["next"] is None:
            return
        answer = await http.get(page["next"])


class Mover:
    """Moves orders to one release by way of the API."""

    def __init__(self, http: httpx.AsyncClient, release: str) -> None:
        self._http = http
        self._release = release

    async def preview(self, order: str) -> MoveResult:
        """Say what moving would come to."""
        found = _answered(await self._http.get(f"/v1/orders/{order}/release", params={"to": self._release}))
        tasks = [f"{it['flow']} at {it['task'] or 'its beginning'}" for it in found["instances"]]
        return MoveResult(order=order, result=found["outcome"], reason=found["reason"], tasks=tasks)

    async def move(self, order: str) -> MoveResult:
        """Move it, unless it is there already."""
        found = _answered(await self._http.get(f"/v1/orders/{order}/release", params={"to": self._release}))
        if found["outcome"] == "unchanged":
            return MoveResult(order=order, result="unchanged")
        # A key of its own each time: an order that was refused may be moved later, and moving it twice is no harm.
        key = {"Idempotency-Key": f"migrate-{uuid7(Clock().now())}"}
        answer = await self._http.post(f"/v1/orders/{order}/release", json={"release": self._release}, headers=key)
        if answer.status_code == 202:
            return MoveResult(order=order, result="taken-in", reason=f"see {answer.headers['location']}")
        if answer.status_code == 409:
            return MoveResult(order=order, result="refused", reason=answer.json()["detail"])
        return MoveResult(order=order, result="moved" if _answered(answer)["receipt"]["seq"] else "unchanged")


class RequestRefused(OrderloomError):
    """The API has refused what was asked.

    The sentence says why; nothing was changed by it.
    """

    code = "api.refused"
    status = 422


_OBJECT: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


def _answered(answer: httpx.Response) -> dict[str, Any]:
    body = _OBJECT.validate_json(answer.content)
    if answer.is_success:
        return body
    raise RequestRefused(f"{body.get('code')}: {body.get('detail')}.")


def _show(result: MoveResult, format: str) -> None:
    if format == "json":
        sys.stdout.write(f"{result.model_dump_json(exclude_none=True)}\n")
    else:
        more = [result.reason] if result.reason else result.tasks
        sys.stdout.write("  ".join([result.order, result.result, *more]) + "\n")
    sys.stdout.flush()
