"""``call: http``: what its arguments must be, and the variables of its URI."""

import re
from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import BeforeValidator, StringConstraints

from flows_dsl.parts import Node
from flows_dsl.problems import expression_failure
from orderloom.domain.model import Json, JsonObject

HTTP = "http"
"""The name under which it is called."""

Scalar = str | int | float | bool | None

_VARIABLE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


def endpoint_uri(value: object) -> object:
    """Accept an endpoint that is an object with nothing but its URI."""
    match value:
        case {"uri": uri, **rest} if not rest:  # pyright: ignore[reportUnknownVariableType]
            return uri  # pyright: ignore[reportUnknownVariableType]
        case dict():
            raise ValueError("an endpoint is a URI; authentication is not supported")
        case _:
            return value


class HttpRequest(Node):
    """The arguments of ``call: http``."""

    method: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{1,20}$")]
    endpoint: Annotated[str, BeforeValidator(endpoint_uri)]
    """Where to call."""
    headers: dict[str, Scalar] = {}
    query: dict[str, Scalar | list[Scalar]] = {}
    """A list is sent as repetitions of its name."""
    body: Json = None
    output: Literal["content", "response", "raw"] = "content"
    redirect: bool = False
    """Follow redirects instead of taking them for errors."""


def with_variables(arguments: JsonObject, endpoint: str, input: Json, reference: str) -> JsonObject:
    """
    Return *arguments* with the variables of the URI *endpoint* replaced by fields of the task's *input*.

    Raises:
        FlowFailure: the input lacks a field.
    """
    given = input if isinstance(input, dict) else {}

    def value(found: re.Match[str]) -> str:
        field = given.get(found[1])
        if isinstance(field, bool) or not isinstance(field, str | int | float):
            raise expression_failure(f"The input has no {found[1]!r} for the URI {endpoint}.", reference)
        return quote(str(field), safe="")

    return {**arguments, "endpoint": _VARIABLE.sub(value, endpoint)}
