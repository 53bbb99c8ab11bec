"""Bodies that the documentation shows. Tests send them."""

from orderloom.domain.model import JsonObject

PLACE_ORDER: JsonObject = {
    "channel": "web",
    "external_id": "W-1001",
    "currency": "EUR",
    "life_cycle": "managed",
    "customer": {"reference": "C-77", "name": "Ada Example", "email": "ada@example.org"},
    "delivery_groups": [
        {
            "id": "1",
            "method": "standard",
            "recipient": {
                "name": "Ada Example",
                "line1": "1 Example Road",
                "postal_code": "10115",
                "city": "Berlin",
                "country": "DE",
            },
            "country": "DE",
            "position": {"latitude": 52.53, "longitude": 13.38},
        }
    ],
    "lines": [
        {
            "id": "1",
            "kind": "product",
            "sku": "MUG-BLUE",
            "name": "Blue mug",
            "quantity": 2,
            "unit_price": {"amount": 2500, "currency": "EUR"},
            "adjustments": [{"amount": {"amount": -500, "currency": "EUR"}, "reason": "welcome"}],
        },
        {
            "id": "2",
            "kind": "delivery",
            "name": "Standard delivery",
            "quantity": 1,
            "unit_price": {"amount": 1000, "currency": "EUR"},
        },
    ],
    "payments": [
        {
            "method": "card",
            "gateway": "sandbox",
            "token": "tok_ok",
            "amount": {"amount": 6050, "currency": "EUR"},
        }
    ],
}
"""Two mugs at a discount, with delivery, to be paid by card."""

PLACE_IN_PARTS: JsonObject = {
    "channel": "web",
    "external_id": "W-1002",
    "currency": "EUR",
    "ship_complete": True,
    "delivery_groups": [
        {"id": "home", "country": "DE", "position": {"latitude": 52.53, "longitude": 13.38}},
        {"id": "shop", "country": "DE", "pickup_location": "BER"},
    ],
    "lines": [
        {
            "id": "1",
            "sku": "MUG-BLUE",
            "delivery_group": "home",
            "quantity": 2,
            "unit_price": {"amount": 2500, "currency": "EUR"},
        },
        {
            "id": "2",
            "kind": "delivery",
            "delivery_group": "home",
            "quantity": 1,
            "unit_price": {"amount": 500, "currency": "EUR"},
        },
        {
            "id": "3",
            "sku": "MUG-RED",
            "delivery_group": "shop",
            "quantity": 1,
            "unit_price": {"amount": 3000, "currency": "EUR"},
        },
    ],
    "payments": [
        {"method": "card", "gateway": "sandbox", "token": "tok_ok", "amount": {"amount": 9350, "currency": "EUR"}}
    ],
}
"""Two mugs sent home and one fetched at a store, nothing before all of it can go out."""

CANCEL: JsonObject = {"items": [{"line": "1", "quantity": 1, "reason": "changed mind"}], "allocated": "give_back"}
"""Cancel one unit, also when a location has it already."""

RETURN: JsonObject = {"items": [{"line": "1", "quantity": 1, "reason": "damaged", "reduce_delivery": False}]}
"""Return one unit."""

SHIPPED: JsonObject = {"id": "WH-88-3", "type": "shipped"}
"""Everything of the fulfillment order has left the location."""

HOLD: JsonObject = {"reason": "the address is being checked"}
"""Nobody is to work on it for now."""

MOVE: JsonObject = {"location": "hamburg"}
"""Another location is to send it."""

SPLIT: JsonObject = {"lines": [{"line": "1", "quantity": 1}]}
"""One unit goes into a fulfillment order of its own."""

MERGE: JsonObject = {"other": "100001-F2"}
"""Take in what the order's second fulfillment order holds."""

CANCEL_LINES: JsonObject = {"lines": [{"line": "1", "quantity": 1}]}
"""One unit is not to be sent from here."""

RESET_REJECTIONS: JsonObject = {"sku": "MUG-BLUE"}
"""The shelf was counted: what was turned down of this SKU counts no more."""

SET_SELL_AHEAD: JsonObject = {
    "policies": [
        {
            "channel": "web",
            "sku": "MUG-BLUE",
            "backorder": True,
            "limit": 200,
            "until": "2026-12-20T00:00:00Z",
        },
        {"sku": "MUG-RED", "release_at": "2027-01-15T00:00:00Z"},
        {"channel": "web", "backorder": True, "limit": 10},
    ],
    "by": "ada",
    "reason": "before the holidays",
}
"""Blue mugs may be backordered in one channel, red ones are preordered in all, and the rest up to ten of each."""

REMOVE_SELL_AHEAD: JsonObject = {"policies": [{"channel": "web", "sku": "MUG-BLUE"}], "by": "ada"}
"""Blue mugs are sold as all others are in the channel."""

NOTICE: JsonObject = {
    "event_id": "evt-501",
    "intent_id": "100001-T1",
    "operation": "capture",
    "outcome": "succeeded",
    "reference": "cap-9001",
    "amount": 6050,
    "currency": "EUR",
}
"""A gateway says that a capture succeeded."""

MOVE_RELEASE: JsonObject = {"release": "0d7c3a5be1f24b7e9c62a8f1d4e05b93"}
"""Put the order on another release."""

RESOLVE: JsonObject = {"kind": "retry"}
"""Let the flow that waits try its task again."""

CHANGE_EXCEPTION: JsonObject = {"status": "triaged", "owner": "payments", "reason": "the bank is asked", "by": "ines"}
"""Somebody has seen it, and a team sees to it."""

BULK: JsonObject = {
    "where": {"code": "payment.declined", "older_than": 7200},
    "decision": {"kind": "retry", "by": "ines", "reason": "the gateway is back"},
}
"""Try all declined payments of more than two hours ago again."""
BULK_CHANGE: JsonObject = {
    "where": {"category": "Fulfillment", "owner": "-"},
    "change": {"status": "triaged", "owner": "warehouse", "by": "ines"},
}
"""Give all of Fulfillment that nobody has to the warehouse."""

RESERVE: JsonObject = {
    "owner": "cart-77",
    "channel": "web",
    "records": [{"group": "EU", "sku": "MUG-BLUE", "quantity": 2}],
    "expires_in": 900,
}
"""A cart holds two mugs of a location group for a quarter of an hour."""

RESERVE_MORE: JsonObject = {"records": [{"group": "EU", "sku": "MUG-BLUE", "quantity": 3}], "all_or_nothing": True}
"""Three from now on."""

TRANSFER: JsonObject = {
    "records": [{"from": {"group": "EU"}, "to": {"location": "BERLIN"}, "sku": "MUG-BLUE", "quantity": 2}]
}
"""Hold them at a location of the group."""

SHIP_RESERVED: JsonObject = {"records": [{"location": "BERLIN", "sku": "MUG-BLUE", "quantity": 1}]}
"""One has left the location."""

RELEASE: JsonObject = {"records": [{"location": "BERLIN", "sku": "MUG-BLUE", "quantity": 1}]}
"""One is not wanted any more."""

AVAILABILITY: JsonObject = {"skus": ["MUG-BLUE", "MUG-RED"], "groups": ["EU"]}
"""Two SKUs at one location group."""

PREVIEW_ROUTING: JsonObject = {"stock": {"BER": {"MUG-BLUE": 5}}, "without": ["PAR"], "trade_off": 3}
"""Five mugs in Berlin, nothing from Paris, and what each split limit up to three would come to."""

PUBLISH_POLICY: JsonObject = {
    "policy": {
        "name": "near-and-cheap",
        "version": "1.0.0",
        "eligible": {"countries": ["DE", "FR"], "holidays": True},
        "objectives": ["fewest_splits", "shipping_cost", "distance"],
        "max_splits": 1,
    }
}
"""From two countries, in at most two shipments, as cheap as that can be."""

PUBLISH_POLICY_TEXT: JsonObject = {
    "text": "name: nearest\nversion: 1.0.0\nobjectives: [distance]  # whatever it takes\n"
}
"""The same request with a file as its author wrote it."""

ACTIVATE_POLICY: JsonObject = {"channel": "web", "by": "ada", "reason": "fewer kilometres"}
"""The next orders of a channel follow it."""

ADJUST: JsonObject = {"records": [{"location": "BERLIN", "sku": "MUG-BLUE", "delta": -1, "reason": "broken"}]}
"""One has broken."""

COUNT: JsonObject = {
    "records": [{"location": "BERLIN", "sku": "MUG-BLUE", "quantity": 12, "counted_at": "2026-03-01T08:00:00Z"}]
}
"""Twelve were counted this morning."""

KEEP_BACK: JsonObject = {"records": [{"location": "BERLIN", "sku": "MUG-BLUE", "quantity": 2}], "reason": "season"}
"""Two are kept back."""

EXPECT: JsonObject = {
    "records": [
        {"id": "PO-9", "location": "BERLIN", "sku": "MUG-BLUE", "quantity": 40, "expected_at": "2026-03-08T00:00:00Z"}
    ]
}
"""Forty are to come in a week."""

RECEIVED: JsonObject = {"quantity": 25}
"""Twenty-five of them have arrived."""

RESCHEDULE: JsonObject = {"scheduled_at": "2026-03-02T14:00:00Z"}
"""Try to route at two in the afternoon."""
