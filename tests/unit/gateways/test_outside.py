"""The outside activity sends an intent once; after that it asks."""

import asyncio
import dataclasses

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.outside import OutsideActivities
from orderloom.contracts.outside import GatewayOperation, GatewayOutcome, GatewayRequest, Outcome
from orderloom.gateways.sandbox import Fault, FaultKind

from .conftest import Sandbox, a_request


class Spy:
    """A gateway that plays back answers and notes what it was asked."""

    def __init__(self, *, performs: Outcome = Outcome.SUCCEEDED, knows: Outcome | None = None) -> None:
        self.performs = performs
        self.knows = knows
        self.asked: list[str] = []

    async def perform(self, request: GatewayRequest) -> GatewayOutcome:
        self.asked.append("perform")
        return GatewayOutcome(intent_id=request.intent_id, outcome=self.performs)

    async def lookup(self, intent_id: str) -> GatewayOutcome | None:
        self.asked.append("lookup")
        return None if self.knows is None else GatewayOutcome(intent_id=intent_id, outcome=self.knows)


class SlowGateway(Spy):
    """A gateway that answers only when somebody has heard of the activity twice."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = 0
        self.enough = asyncio.Event()

    async def perform(self, request: GatewayRequest) -> GatewayOutcome:
        await self.enough.wait()
        return await super().perform(request)

    def hear(self, *_: object) -> None:
        self.heard += 1
        if self.heard == 2:
            self.enough.set()


async def test_a_slow_call_is_heard_of_until_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the gateway takes its time there are heartbeats; the answer comes all the same."""
    monkeypatch.setattr("activities.beating.BEAT", 0.01)
    gateway, environment = SlowGateway(), ActivityEnvironment()
    environment.on_heartbeat = gateway.hear

    async with asyncio.timeout(5):
        outcome = await environment.run(OutsideActivities({"sandbox": gateway}).perform_gateway_request, a_request())

    assert outcome.outcome is Outcome.SUCCEEDED
    assert gateway.heard >= 2


async def _run(gateway: Spy, request: GatewayRequest, attempt: int = 1) -> GatewayOutcome:
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, attempt=attempt)
    return await environment.run(OutsideActivities({"sandbox": gateway}).perform_gateway_request, request)


async def test_the_first_attempt_sends() -> None:
    """Nothing is looked up for an intent that cannot have been sent before."""
    gateway = Spy()

    outcome = await _run(gateway, a_request())

    assert outcome.outcome is Outcome.SUCCEEDED
    assert gateway.asked == ["perform"]


@pytest.mark.parametrize("knows", [Outcome.SUCCEEDED, Outcome.FAILED])
@pytest.mark.parametrize(
    ("asked", "attempt"), [pytest.param(False, 2, id="second attempt"), pytest.param(True, 1, id="asked again")]
)
async def test_a_later_attempt_asks_and_does_not_send_what_was_seen(knows: Outcome, asked: bool, attempt: int) -> None:
    """What the gateway says of the intent is the outcome, good or bad."""
    gateway = Spy(knows=knows)

    outcome = await _run(gateway, a_request(asked=asked), attempt)

    assert outcome.outcome is knows
    assert gateway.asked == ["lookup"]


async def test_a_later_attempt_sends_what_was_never_seen() -> None:
    """The first attempt never reached the gateway, so sending is safe."""
    gateway = Spy(knows=None)

    outcome = await _run(gateway, a_request(), attempt=2)

    assert outcome.outcome is Outcome.SUCCEEDED
    assert gateway.asked == ["lookup", "perform"]


async def test_a_lookup_that_cannot_tell_never_sends() -> None:
    """The activity fails for another attempt, and sends nothing on a guess."""
    gateway = Spy(knows=Outcome.UNKNOWN)

    with pytest.raises(ApplicationError) as caught:
        await _run(gateway, a_request(), attempt=2)

    assert (caught.value.type, caught.value.non_retryable) == ("gateway.unknown", False)
    assert gateway.asked == ["lookup"]


async def test_an_unknown_outcome_is_retried() -> None:
    """The attempt fails in a way that Temporal tries again."""
    with pytest.raises(ApplicationError) as caught:
        await _run(Spy(performs=Outcome.UNKNOWN), a_request())

    assert (caught.value.type, caught.value.non_retryable) == ("gateway.unknown", False)


async def test_a_decline_is_an_answer() -> None:
    """A definite failure is returned, not raised: trying again would not help."""
    assert (await _run(Spy(performs=Outcome.FAILED), a_request())).outcome is Outcome.FAILED


async def test_a_gateway_that_nobody_configured_is_not_a_failure_of_the_payment() -> None:
    """It is worth another attempt, on a worker that has the adapter."""
    with pytest.raises(ApplicationError) as caught:
        await _run(Spy(), a_request().model_copy(update={"gateway": "elsewhere"}))

    assert (caught.value.type, caught.value.non_retryable) == ("gateway.not_configured", False)


@pytest.mark.parametrize("kind", [FaultKind.TIMEOUT_AFTER, FaultKind.TIMEOUT_BEFORE, FaultKind.UNAVAILABLE])
async def test_two_attempts_settle_a_timeout_with_one_capture(sandbox: Sandbox, kind: FaultKind) -> None:
    """Whether it was done or not before the timeout, the books hold exactly one capture in the end."""
    authorised = await sandbox.adapter.perform(a_request("T1"))
    await sandbox.fault(Fault(kind=kind))
    request = a_request("T2", GatewayOperation.CAPTURE, reference=str(authorised.reference))
    activities = OutsideActivities({"sandbox": sandbox.adapter})
    environment = ActivityEnvironment()
    with pytest.raises(ApplicationError):
        await environment.run(activities.perform_gateway_request, request)

    environment.info = dataclasses.replace(environment.info, attempt=2)
    outcome = await environment.run(activities.perform_gateway_request, request)

    assert outcome.outcome is Outcome.SUCCEEDED
    [row] = sandbox.gateway.books.statement().rows
    assert (row.captured, row.captures) == (9350, 1)
