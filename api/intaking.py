"""Takes commands and events in, brings them to their order, and answers: the same question, the same bytes."""

from collections.abc import Callable

import structlog
from fastapi import BackgroundTasks, Request, Response

from api.dependencies import ApiDependencies
from api.errors import OrderUnknown
from api.problems import problem_response
from api.schemas import Accepted, EventTaken, IntakeResource, OrderPlaced, intake_links, order_links
from orderloom.contracts.messages import Delivery, Receipt
from orderloom.domain.model import Frozen, JsonObject
from orderloom.domain.placing import PlaceOrder
from orderloom.persistence.intake import Submission, Submitted, submit
from orderloom.persistence.reports import Report, submit_report
from orderloom.readmodels.catalog import ChannelInForce
from orderloom.readmodels.intake import intake_status
from orderloom.readmodels.orders import channel_of
from orderloom.readmodels.snapshot import snapshot
from orderloom.telemetry.logs import bind_order

ORDER_PLACED = "order.placed"

_log = structlog.get_logger(__name__)


class Command(Frozen):
    """What a channel or an operator wants of an order."""

    type: str
    order_id: str
    source: str
    key: str
    body: JsonObject


type Answer = Callable[[Submitted, Receipt], tuple[int, Frozen, str]]
"""Status, body and ``Location`` of an accepted command."""


async def answer_placement(
    given: ApiDependencies, request: Request, order: PlaceOrder, channel: ChannelInForce, key: str
) -> Response:
    """Take a checked order in and answer with its number, or with 202 when no worker takes it up in time."""
    submission = Submission(
        kind="command",
        type=ORDER_PLACED,
        source=channel.id,
        idempotency_key=key,
        external_id=order.external_id,
        body=order.model_dump(mode="json", exclude_none=True),
        person={} if order.customer is None else order.customer.model_dump(mode="json", exclude_none=True),
        received_at=given.clock.now(),
    )
    return await _answer(given, request, submission, _placed)


async def answer_command(given: ApiDependencies, request: Request, command: Command) -> Response:
    """Take a command in and answer that it was accepted, why it was refused, or 202."""
    return await _answer(given, request, _submission(given, command), _accepted)


async def answer_order_command(
    given: ApiDependencies, request: Request, order: str, *, key: str, type: str, body: Frozen
) -> Response:
    """
    Take a command of the order's channel in and answer as ``answer_command`` does.

    Raises:
        OrderUnknown: there is no such order.
    """
    async with snapshot(given.engine) as conn:
        channel = await channel_of(conn, order)
    if channel is None:
        raise OrderUnknown(f"there is no order {order}")
    command = Command(type=type, order_id=order, source=channel, key=key, body=body.model_dump(mode="json"))
    return await answer_command(given, request, command)


async def carry_out(given: ApiDependencies, command: Command) -> Receipt | None:
    """Take a command in and return what became of it; None: no worker has taken it up yet, and it is not lost."""
    submission = _submission(given, command)
    taken = await _take_in(given, submission)
    return taken.answer or await _deliver(given, taken, submission.type)


def _submission(given: ApiDependencies, command: Command) -> Submission:
    return Submission(
        kind="command",
        type=command.type,
        source=command.source,
        idempotency_key=command.key,
        order_id=command.order_id,
        body=command.body,
        received_at=given.clock.now(),
    )


async def take_event(given: ApiDependencies, later: BackgroundTasks, event: Report) -> EventTaken | None:
    """
    Take in what a location or gateway tells: it cannot take a no. None: nobody has what it is about.

    An event that its order waits for is delivered right after the answer, others by the relay.
    """
    found = await submit_report(given.engine, given.vault, event)
    if found is None:
        return None
    taken, wanted = found
    bind_order(taken.order_id)
    if taken.answer is None and wanted:
        later.add_task(_deliver, given, taken, event.type)
    links = intake_links(taken.intake_id, taken.order_id)
    return EventTaken(intake=taken.intake_id, order=taken.order_id, links=links)


async def _answer(given: ApiDependencies, request: Request, submission: Submission, answer: Answer) -> Response:
    taken = await _take_in(given, submission)
    receipt = taken.answer or await _deliver(given, taken, submission.type)
    headers = {"Idempotent-Replayed": "true"} if taken.replayed else {}
    if receipt is None:
        return await _pending(given, taken, headers)
    if receipt.problem is not None:
        problem = receipt.problem.model_copy(update={"instance": request.url.path})
        return problem_response(problem, headers)
    status, body, location = answer(taken, receipt)
    return _json(body, status, {**headers, "Location": location} if status == 201 else headers)


async def _take_in(given: ApiDependencies, submission: Submission) -> Submitted:
    """Store it; every log line of the request names its order from then on."""
    taken = await submit(given.engine, given.vault, submission, to_deliver=True)
    bind_order(taken.order_id)
    return taken


async def _deliver(given: ApiDependencies, taken: Submitted, kind: str) -> Receipt | None:
    """Return the receipt, or None: what is taken in is safe, and the relay brings it later."""
    delivery = Delivery(intake_id=taken.intake_id, type=kind)
    try:
        return await given.deliver(taken.order_id, delivery, within=given.patience, start=taken.start)
    except Exception as error:  # noqa: BLE001  # whatever it is, nothing is lost by it
        _log.warning("api.delivery_left_to_relay", intake=taken.intake_id, reason=type(error).__name__)
        return None


async def _pending(given: ApiDependencies, taken: Submitted, headers: dict[str, str]) -> Response:
    async with snapshot(given.engine) as conn:
        found = await intake_status(conn, taken.intake_id)
    assert found is not None
    links = intake_links(taken.intake_id, taken.order_id)
    body = IntakeResource(**found.model_dump(), links=links)
    return _json(body, 202, {**headers, "Location": links["self"]})


def _placed(taken: Submitted, receipt: Receipt) -> tuple[int, Frozen, str]:
    links = {**order_links(taken.order_id), "intake": f"/v1/intake/{taken.intake_id}"}
    body = OrderPlaced(id=taken.order_id, number=taken.order_id, receipt=receipt, links=links)
    return 201, body, links["self"]


def _accepted(taken: Submitted, receipt: Receipt) -> tuple[int, Frozen, str]:
    links = {"order": f"/v1/orders/{taken.order_id}", "intake": f"/v1/intake/{taken.intake_id}"}
    body = Accepted(order=taken.order_id, intake=taken.intake_id, receipt=receipt, links=links)
    return 200, body, links["order"]


def _json(body: Frozen, status: int, headers: dict[str, str]) -> Response:
    return Response(body.model_dump_json(), status, headers, "application/json")
