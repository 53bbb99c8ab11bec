"""Every number that Orderloom counts itself: what Prometheus calls it, and what it says."""

from typing import Literal, NamedTuple


class Number(NamedTuple):
    """One metric family."""

    name: str
    kind: Literal["counter", "histogram", "gauge"]
    labels: tuple[str, ...]
    says: str


TRANSACTIONS = Number(
    "orderloom_transaction_seconds",
    "histogram",
    ("transaction", "outcome"),
    "Attempts at transactions of orders (local activities): done, refused by a precondition, or failed and tried again",
)
PLACED = Number(
    "orderloom_orders_placed_total",
    "counter",
    (),
    "Orders that were placed and accepted; one whose answer was lost and asked for again counts again",
)
DELIVERIES = Number(
    "orderloom_delivery_seconds",
    "histogram",
    ("outcome",),
    "Deliveries to an order's workflow by this process: answered, refused by the order, or left to the relay",
)
GATEWAY = Number(
    "orderloom_gateway_request_seconds",
    "histogram",
    ("operation", "outcome"),
    "Requests to payment gateways: succeeded, failed or unknown; a lookup may also find that it was never_seen",
)
HTTP = Number(
    "orderloom_http_request_seconds",
    "histogram",
    ("method", "route", "status"),
    "Requests to the API until the last byte of the answer, by the route's template",
)
WAVES = Number(
    "orderloom_wave_seconds",
    "histogram",
    ("outcome",),
    "Passes over the due orders of a routing pool: done, or failed and tried again",
)
IN_WAVES = Number(
    "orderloom_wave_orders_total",
    "counter",
    ("outcome",),
    "Orders that waves took: proposed, told what was found, or left_over for the next wave",
)
UNDELIVERED = Number("orderloom_intake_undelivered", "gauge", (), "Commands and events that no order has answered")
OLDEST = Number("orderloom_intake_oldest_seconds", "gauge", (), "Age of the oldest of them; 0 without any")
DEAD = Number("orderloom_intake_dead", "gauge", (), "Commands and events that the relay has given up")
UNPUBLISHED = Number("orderloom_outbox_unpublished", "gauge", (), "Journal entries without a place in the feed")
OVERDUE = Number("orderloom_orders_overdue", "gauge", (), "Orders whose next deadline passed over a minute ago")
EXCEPTIONS = Number("orderloom_process_exceptions_open", "gauge", ("category",), "Process exceptions that are open")
PROPOSALS = Number(
    "orderloom_proposals",
    "gauge",
    ("status",),
    "Proposals of stock to orders: open, and those of the last hour that were accepted, released or lapsed",
)
FINDINGS = Number(
    "orderloom_doctor_findings", "gauge", (), "What the doctor found last; missing while it does not run by itself"
)
EXAMINED = Number("orderloom_doctor_age_seconds", "gauge", (), "How long ago the doctor looked last")

COUNTED = (TRANSACTIONS, PLACED, DELIVERIES, GATEWAY, HTTP, WAVES, IN_WAVES)
"""What a process counts of its own work."""
LEFT_LYING = (UNDELIVERED, OLDEST, DEAD, UNPUBLISHED, OVERDUE, EXCEPTIONS, PROPOSALS, FINDINGS, EXAMINED)
"""What the relay that leads reads from PostgreSQL when it is asked."""

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the histograms, in seconds."""
