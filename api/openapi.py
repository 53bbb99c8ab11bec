"""What the OpenAPI document says beside the endpoints: tags, and which problems each can answer."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI

from api.errors import BodyTooLarge, IdempotencyKeyRequired, MalformedJson, MediaTypeUnsupported
from api.problems import MEDIA_TYPE
from orderloom.domain.cards import CardNumberRefused
from orderloom.domain.errors import InvalidInput, OrderloomError, Problem
from orderloom.domain.model import JsonObject
from orderloom.persistence.intake import IdempotencyKeyReused

TITLE = "Orderloom API"
DESCRIPTION = (
    "Place orders, change them, tell what locations and gateways did, and see what became of it. Amounts are whole "
    "minor units with their currency. Every change carries an Idempotency-Key; every error is an RFC 9457 problem "
    "whose `code` never changes."
)
TAGS = [
    {"name": "orders", "description": "Place an order and read it."},
    {"name": "changes", "description": "Cancel and return items; previews write nothing."},
    {
        "name": "routing",
        "description": "How an order would be routed, which changes nothing, and how pools of orders are.",
    },
    {
        "name": "routing policies",
        "description": "Which locations may send, and what is better: published for ever, in force by channel.",
    },
    {"name": "fulfillment", "description": "What locations have to ship, and what they say about it."},
    {"name": "locations", "description": "How full the days of locations are, and what they turned down lately."},
    {"name": "gateways", "description": "What payment gateways say."},
    {"name": "exceptions", "description": "What went wrong and waits for a person."},
    {"name": "stock", "description": "What is there, and what may be promised."},
    {"name": "selling ahead", "description": "What may be sold beyond what is there, or before its release."},
    {"name": "stock changes", "description": "What is counted, adjusted, kept back, expected and received."},
    {"name": "reservations", "description": "Stock held by carts, agents and other systems."},
    {"name": "intake", "description": "What became of something that was taken in."},
    {"name": "health", "description": "Whether the service lives and can work."},
]

type Responses = dict[int | str, dict[str, Any]]


def problems(*errors: type[OrderloomError]) -> Responses:
    """Return the answers of an endpoint that can refuse with *errors*, by status, for its ``responses``."""
    by_status: dict[int, list[type[OrderloomError]]] = {}
    for error in errors:
        by_status.setdefault(error.status, []).append(error)
    return {status: _answer(found) for status, found in sorted(by_status.items())}


def _answer(errors: Sequence[type[OrderloomError]]) -> dict[str, Any]:
    examples = {error.code: {"summary": error.title(), "value": _example(error)} for error in errors}
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples}}
    return {"description": " ".join(f"`{error.code}`: {error.title()}" for error in errors), "content": content}


def _example(error: type[OrderloomError]) -> dict[str, Any]:
    return error(error.title().rstrip(".").lower()).problem().model_dump(mode="json", exclude={"instance", "facts"})


class DocumentedApi(FastAPI):
    """FastAPI whose OpenAPI document knows the problem schema and that the idempotency key is required."""

    def openapi(self) -> dict[str, Any]:
        """Return the document."""
        document = super().openapi()
        document["components"]["schemas"].update(_problem_schemas())
        for methods in document["paths"].values():
            for operation in methods.values():
                for parameter in operation.get("parameters", ()):
                    if parameter["name"] == "idempotency-key":
                        parameter.update(name="Idempotency-Key", required=True, schema=_KEY_SCHEMA)
        return document


_KEY_SCHEMA = {"type": "string", "minLength": 1, "maxLength": 200}


def _problem_schemas() -> dict[str, Any]:
    whole = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**whole.pop("$defs", {}), "Problem": whole}


BODY_PROBLEMS: tuple[type[OrderloomError], ...] = (
    InvalidInput,
    CardNumberRefused,
    BodyTooLarge,
    MediaTypeUnsupported,
    MalformedJson,
)
"""What any endpoint with a body can refuse."""

COMMAND_PROBLEMS: tuple[type[OrderloomError], ...] = (IdempotencyKeyRequired, IdempotencyKeyReused)
"""What any change by a channel or an operator can refuse."""


def pending() -> Responses:
    """Return the answer of a change that no worker has taken up yet."""
    schema = {"schema": {"$ref": "#/components/schemas/IntakeResource"}}
    return {
        202: {
            "description": "Taken in, and never lost; the header Location leads to what becomes of it.",
            "content": {"application/json": schema},
            "headers": {"Location": {"schema": {"type": "string"}, "description": "Path of the intake resource."}},
        }
    }


def body_examples(example: JsonObject, **others: JsonObject) -> dict[str, Any]:
    """Return what an endpoint says of its body beside the schema; *others* are further examples by name."""
    shown: dict[str, Any] = {"example": example}
    if others:
        named = {"simple": example, **others}
        shown = {"examples": {name.replace("_", " "): {"value": value} for name, value in named.items()}}
    return {"requestBody": {"content": {"application/json": shown}}}
