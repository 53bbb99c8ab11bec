"""Whatever goes wrong while an order is at work, the line about it names the order."""

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from orderloom.bootstrap.delivery import Courier
from orderloom.contracts.queues import RECORD
from orderloom.stack import Activities, Options, Stack
from tests.telemetry import Lines, captured_lines
from tests.workflows.shop import SECRETS, Shop, order_body


def _refuse_first_record(activities: Activities) -> Activities:
    """Let the first recording be refused for good."""
    errors = [ApplicationError("not today", non_retryable=True)]

    def around(activity: Callable[..., Any]) -> Callable[..., Any]:
        name = getattr(activity, "__temporal_activity_definition").name  # what the decorator left

        @wraps(activity)
        async def run(request: Any) -> Any:
            if name == RECORD and errors:
                raise errors.pop()
            return await activity(request)

        return run

    return [around(activity) for activity in activities]


@pytest.fixture
def options() -> Options:
    """Start a stack whose first recording is refused."""
    return Options(webhook_lag=0.0, patience=20.0, wrap=_refuse_first_record)


@pytest.fixture
def lost_deliveries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the API's delivery and the relay's first one be lost; the relay looks at once."""
    deliver, errors = Courier._deliver, [OSError("lost"), OSError("lost")]

    async def lose(self: Courier, *what: Any) -> Any:
        if errors:
            raise errors.pop()
        return await deliver(self, *what)

    monkeypatch.setattr(Courier, "_deliver", lose)
    monkeypatch.setattr("worker.relay.GRACE", 0.0)


@pytest.fixture
def lines() -> Iterator[Lines]:
    """Return what is logged during the test."""
    with captured_lines() as lines:
        yield lines


@pytest.mark.usefixtures("lost_deliveries")
async def test_every_line_about_an_order_names_it(lines: Lines, stack: Stack) -> None:
    """
    The API, the relay, the order's workflow, its transactions and the call to the gateway: each has a line to write,
    and each line carries the number that the channel was given, and nothing of the customer.
    """
    shop = Shop(stack)
    await shop.authorise("W-unlucky")
    order = (await shop.post("/v1/orders", order_body("W-unlucky"))).json()["order"]
    await shop.until_journal(order, "fulfillment.created")
    await shop.fault({"kind": "unavailable", "operation": "capture"})
    await shop.fulfil(order)
    await shop.until_journal(order, "payment.captured")

    written = [(line["event"], line["order"], line.get("activity")) for line in lines.read_all()]
    assert written == [
        ("api.delivery_left_to_relay", order, None),
        ("delivery failed", order, None),
        ("Completing activity as failed", order, RECORD),
        (f"order {order}: not today", order, None),
        ("gateway answer unknown", order, RECORD),
    ]
    assert [secret for secret in SECRETS.values() if secret in lines.getvalue()] == []
