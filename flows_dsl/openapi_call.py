"""``call: openapi``: an operation of an OpenAPI (3.x) or Swagger (2.0) document, as the HTTP request that it means."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, cast
from urllib.parse import quote, urljoin

from pydantic import BeforeValidator, Field

from flows_dsl.http_call import endpoint_uri
from flows_dsl.parts import Node
from flows_dsl.problems import configuration_failure, validation_failure
from flows_dsl.runner import FlowFailure
from orderloom.domain.model import Json, JsonObject

OPENAPI = "openapi"
"""The name under which it is called."""

BODY = "body"
"""The parameter that becomes the request's body."""

_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})


class OpenApiDocument(Node):
    """Where the document of an API is."""

    endpoint: Annotated[str, BeforeValidator(endpoint_uri)]


class OpenApiRequest(Node):
    """The arguments of ``call: openapi``."""

    document: OpenApiDocument
    operation_id: Annotated[str, Field(alias="operationId")]
    parameters: JsonObject = {}
    """By name; ``body`` is the body of the request."""
    output: Literal["content", "response", "raw"] = "content"
    redirect: bool = False


def request_of(asked: OpenApiRequest, document: Json) -> JsonObject:
    """
    Return the arguments of ``call: http`` that *asked* means by *document*.

    Values go into path, query and headers as OpenAPI's default styles write them: lists with commas, in a query by
    repetition.

    Raises:
        FlowFailure: the document is none or has no such operation; a parameter is missing, unknown, or an object.
    """
    if not isinstance(document, dict):
        raise _unusable(asked, "is no OpenAPI document")
    path, method, operation, shared = _operation(asked, document)
    request: dict[str, Any] = {
        "method": method,
        "endpoint": _base(asked, document) + path,
        "output": asked.output,
        "redirect": asked.redirect,
        "headers": {},
        "query": {},
    }
    places = _places(document, operation, shared)
    if unknown := sorted(asked.parameters.keys() - places.keys()):
        raise _wrong(asked, f"has no parameter {unknown[0]!r}")
    for name, (place, required) in sorted(places.items()):
        if name in asked.parameters:
            _put(asked, request, place, name)
        elif required:
            raise _wrong(asked, f"needs the parameter {name!r}")
    return request


def _operation(asked: OpenApiRequest, document: JsonObject) -> tuple[str, str, JsonObject, list[Json]]:
    """Return the operation's path, method and description, and the parameters that its path shares."""
    for path, item in _object(document.get("paths")).items():
        described = _object(item)
        for method in sorted(_METHODS & described.keys()):
            operation = _object(described[method])
            if operation.get("operationId") == asked.operation_id:
                return path, method, operation, _list(described.get("parameters"))
    raise _unusable(asked, f"has no operation {asked.operation_id!r}")


def _base(asked: OpenApiRequest, document: JsonObject) -> str:
    """Return where the API is: relative to the document, unless that says it in full."""
    if "swagger" in document:
        scheme = next((str(it) for it in _list(document.get("schemes"))), asked.document.endpoint.partition(":")[0])
        path = str(document.get("basePath", "/"))
        return (
            f"{scheme}://{document['host']}{path}" if "host" in document else urljoin(asked.document.endpoint, path)
        ).rstrip("/")
    server = _object((_list(document.get("servers")) or [None])[0])
    url = str(server.get("url", "/"))
    for name, variable in _object(server.get("variables")).items():
        url = url.replace(f"{{{name}}}", str(_object(variable).get("default", "")))
    return urljoin(asked.document.endpoint, url).rstrip("/")


def _places(document: JsonObject, operation: JsonObject, shared: list[Json]) -> dict[str, tuple[str, bool]]:
    """Return by name where a parameter goes, and whether it must be given; the operation's own come before shared."""
    places: dict[str, tuple[str, bool]] = {}
    for parameter in _resolved(document, [*shared, *_list(operation.get("parameters"))]):
        place, name = str(parameter.get("in")), str(parameter.get("name"))
        places[BODY if place == "body" else name] = (place, bool(parameter.get("required")))
    for body in _resolved(document, [operation["requestBody"]] if "requestBody" in operation else []):
        places[BODY] = ("body", bool(body.get("required")))
    return places


def _resolved(document: JsonObject, described: list[Json]) -> Iterator[JsonObject]:
    """Yield descriptions; one that refers to a place in the document is that of the place."""
    for each in described:
        found = _object(each)
        if isinstance(reference := found.get("$ref"), str) and reference.startswith("#/"):
            found = document
            for part in reference[2:].split("/"):
                found = _object(found.get(part.replace("~1", "/").replace("~0", "~")))
        yield found


def _put(asked: OpenApiRequest, request: dict[str, Any], place: str, name: str) -> None:
    value = asked.parameters[name]
    match place:
        case "body":
            request["body"] = value
        case "path":
            written = quote(",".join(_texts(asked, name, value)), safe=",")
            request["endpoint"] = request["endpoint"].replace(f"{{{name}}}", written)
        case "query":
            texts = _texts(asked, name, value)
            request["query"][name] = texts if isinstance(value, list) else texts[0]
        case "header":
            request["headers"][name] = ",".join(_texts(asked, name, value))
        case _:
            raise _wrong(asked, f"takes {name!r} in a {place}, which is not supported")


def _texts(asked: OpenApiRequest, name: str, value: Json) -> list[str]:
    if isinstance(value, list):
        return [text for each in value for text in _texts(asked, name, each)]
    if isinstance(value, dict) or value is None:
        raise _wrong(asked, f"takes no object and no null for {name!r}")
    return [str(value).lower() if isinstance(value, bool) else str(value)]


def _object(value: object) -> JsonObject:
    return cast("JsonObject", value) if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Json]:
    return cast("list[Json]", value) if isinstance(value, list) else []


def _unusable(asked: OpenApiRequest, why: str) -> FlowFailure:
    return configuration_failure(f"{asked.document.endpoint} {why}.")


def _wrong(asked: OpenApiRequest, why: str) -> FlowFailure:
    return validation_failure(f"/parameters: the operation {asked.operation_id} {why}.")
