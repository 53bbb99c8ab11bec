"""The calls that the language itself knows, beside core actions: requests to the outside."""

from collections.abc import Mapping
from typing import Any

from pydantic import RootModel, ValidationError

from flows_dsl.http_call import HTTP, HttpRequest, with_variables
from flows_dsl.openapi_call import OPENAPI, OpenApiRequest
from flows_dsl.problems import expression_failure
from orderloom.contracts.contract import ActionContract, Runs
from orderloom.domain.errors import OrderloomError
from orderloom.domain.model import Json, JsonObject


class CommunicationFailed(OrderloomError):
    """A call to the outside did not succeed.

    See whether the other side works, or catch the error.
    """

    code = "communication"


class HostNotAllowed(OrderloomError):
    """A flow wants to call a host that it may not.

    Allow the host, if you trust the flow with it: with --allow for `flows run`, for workers with ORDERLOOM_HTTP_ALLOW.
    """

    code = "http.not_allowed"
    status = 403


class Anything(RootModel[Json]):
    """Whatever the other side answers."""


class OutsideContract(ActionContract[Any, Any]):
    """The contract of a call that the language knows: it has no versions."""

    @property
    def activity(self) -> str:
        """Return its name, as flows call it."""
        return self.name


def _contract(name: str, input: type[HttpRequest | OpenApiRequest], changes: str) -> OutsideContract:
    return OutsideContract(
        name=name,
        input=input,
        output=Anything,
        changes=changes,
        errors=(CommunicationFailed, HostNotAllowed),
        final="What the other side has done stays done.",
        runs=Runs.OUTSIDE,
    )


OUTSIDE_CALLS: Mapping[str, OutsideContract] = {
    HTTP: _contract(HTTP, HttpRequest, "Makes an HTTP request to a host that is allowed."),
    OPENAPI: _contract(OPENAPI, OpenApiRequest, "Calls an operation of an API that is described by OpenAPI."),
}
"""By name, the contracts of these calls."""


def prepared(call: str, arguments: JsonObject, input: Json, reference: str) -> JsonObject:
    """
    Return the evaluated *arguments* of a call as they are asked of the outside; *input* is that of the task.

    Raises:
        FlowFailure: they are no request, or the input lacks a field that a URI names.
    """
    try:
        request = OUTSIDE_CALLS[call].input.model_validate(arguments)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = "".join(f"/{it}" for it in first["loc"])
        raise expression_failure(f"with{place}: {first['msg']}.", reference) from None
    if isinstance(request, HttpRequest):
        return with_variables(arguments, request.endpoint, input, reference)
    return arguments
