"""What a stack counts while an order goes its way, and what it says of what is left lying."""

from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from orderloom.domain.routing_policy import RoutingPolicy, Wave
from orderloom.settings import Settings
from orderloom.stack import Options, Part, Stack
from orderloom.telemetry.numbers import COUNTED, LEFT_LYING
from tests.workflows.shop import BROKEN, SECRETS, Shop

type Numbers = dict[tuple[str, tuple[str, ...]], float]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Return settings with a monitor, and a doctor that runs by itself."""
    return settings.model_copy(update={"monitor_port": 0, "doctor_every": 60.0})


@pytest.fixture
def flows() -> Sequence[str]:
    """Beside the flows that ship, one that fails."""
    return (BROKEN,)


async def _text(stack: Stack) -> str:
    async with httpx.AsyncClient(timeout=10) as http:
        answer = await http.get(f"{stack.monitor_url}/metrics")
    answer.raise_for_status()
    return answer.text


def _read(text: str) -> Numbers:
    """Return every number by its name and the values of its labels, in the order of their names."""
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _of(numbers: Numbers, name: str) -> dict[tuple[str, ...], float]:
    return {labels: value for (found, labels), value in numbers.items() if found == name}


async def test_one_order_is_counted_everywhere_once(shop: Shop) -> None:
    """
    Placed, fulfilled and captured: the request, its delivery, its transactions and the capture are each counted, the
    exception is open, nothing is left lying, and Temporal's own numbers stand beside ours.
    """
    order = await shop.place()
    await shop.until_journal(order, "fulfillment.created")
    await shop.fulfil(order)
    await shop.until_journal(order, "payment.captured")
    await shop.exceptions(order)

    async def published() -> str | None:
        text = await _text(shop.stack)
        read = _read(text)
        idle = read["orderloom_intake_undelivered", ()] == 0 and read["orderloom_outbox_unpublished", ()] == 0
        return text if idle else None

    text = await shop.until(published, lambda: "nothing to deliver and nothing to publish")
    numbers = _read(text)
    requests = _of(numbers, "orderloom_http_request_seconds_count")
    transactions = _of(numbers, "orderloom_transaction_seconds_count")

    assert numbers["orderloom_orders_placed_total", ()] == 1
    assert requests["POST", "/v1/orders", "201"] == 1
    reports = {labels[2]: count for labels, count in requests.items() if labels[1].startswith("/v1/fulfillment-orders")}
    assert sum(reports.values()) == 3
    assert all(order not in label for labels in requests for label in labels)
    assert _of(numbers, "orderloom_gateway_request_seconds_count") == {("capture", "succeeded"): 1}
    assert set(_of(numbers, "orderloom_delivery_seconds_count")) == {("answered",)}
    assert transactions["done", "create-invoice@1"] == 1
    assert transactions["refused", "create-invoice@1"] == 1
    assert transactions["done", "record"] >= 1
    assert sum(_of(numbers, "orderloom_process_exceptions_open").values()) == 1
    assert [
        numbers[f"orderloom_{name}", ()] for name in ("intake_dead", "intake_oldest_seconds", "orders_overdue")
    ] == [
        0,
        0,
        0,
    ]
    assert _of(numbers, "temporal_request_total") != {}
    assert [secret for secret in SECRETS.values() if secret in text] == []


@pytest.mark.parametrize("policy", [{"routing": RoutingPolicy(wave=Wave(pool="central", interval=3_600))}])
async def test_a_wave_is_counted_with_its_orders(shop: Shop, policy: dict[str, Any]) -> None:
    """Two orders are proposed to by one pass, none is left over, and no pass failed."""
    orders = [await shop.place() for _ in range(2)]
    for order in orders:
        await shop.until_journal(order, "routing.scheduled")

    await shop.route_pool("central", orders=500, waves=50)

    numbers = _read(await _text(shop.stack))
    assert _of(numbers, "orderloom_wave_seconds_count") == {("done",): 1}
    assert _of(numbers, "orderloom_wave_orders_total") == {("proposed",): 2, ("left_over",): 0}
    assert {labels for labels in _of(numbers, "orderloom_transaction_seconds_count") if "route-wave" in labels} == set()


async def test_every_number_is_documented(shop: Shop) -> None:
    """All that a stack tells under our name is in the catalog, with kind and labels; all of the catalog is told."""
    order = await shop.place()
    await shop.exceptions(order)

    async def led() -> list[Any] | None:
        told = [f for f in text_string_to_metric_families(await _text(shop.stack)) if f.name.startswith("orderloom_")]
        return told if any(family.name == "orderloom_doctor_findings" for family in told) else None

    told = await shop.until(led, lambda: "a relay that leads and has examined the books")

    assert {(family.name, family.type, family.documentation) for family in told} == {
        (number.name.removesuffix("_total"), number.kind, number.says) for number in (*COUNTED, *LEFT_LYING)
    }
    labels = {number.name.removesuffix("_total"): set(number.labels) for number in (*COUNTED, *LEFT_LYING)}
    assert [
        sample for family in told for sample in family.samples if set(sample.labels) - {"le"} != labels[family.name]
    ] == []


async def test_a_process_without_the_relay_tells_nothing_of_the_backlog(settings: Settings) -> None:
    """Only the relay that leads reads it: with many processes it is told once."""
    async with Stack.start(settings, Options(parts=(Part.API,))) as stack:
        numbers = _read(await _text(stack))

    assert [name for name, _ in numbers if name in {number.name for number in LEFT_LYING}] == []
    assert numbers["orderloom_orders_placed_total", ()] == 0
