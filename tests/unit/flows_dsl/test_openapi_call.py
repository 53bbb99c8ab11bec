"""`call: openapi`: which HTTP request an operation stands for."""

from typing import Any

import pytest

from flows_dsl.openapi_call import OpenApiRequest, request_of
from flows_dsl.runner import FlowFailure
from orderloom.domain.model import JsonObject

OPENAPI: JsonObject = {
    "openapi": "3.0.3",
    "servers": [{"url": "/{stage}/v1", "variables": {"stage": {"default": "live"}}}],
    "paths": {
        "/pets/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True}],
            "get": {
                "operationId": "get-pet",
                "parameters": [
                    {"$ref": "#/components/parameters/fields"},
                    {"name": "X-Shop", "in": "header"},
                    {"name": "session", "in": "cookie"},
                ],
            },
            "put": {"operationId": "put-pet", "requestBody": {"required": True}},
        }
    },
    "components": {"parameters": {"fields": {"name": "fields", "in": "query"}}},
}
SWAGGER: JsonObject = {
    "swagger": "2.0",
    "schemes": ["https"],
    "host": "pets.example",
    "basePath": "/v2",
    "paths": {"/pets": {"post": {"operationId": "add", "parameters": [{"name": "pet", "in": "body"}]}}},
}


def _asked(operation: str, **parameters: Any) -> OpenApiRequest:
    return OpenApiRequest.model_validate(
        {
            "document": {"endpoint": "http://shop.example/docs/api.json"},
            "operationId": operation,
            "parameters": parameters,
        }
    )


def _failure(asked: OpenApiRequest, document: Any = OPENAPI) -> tuple[str, str]:
    with pytest.raises(FlowFailure) as failed:
        request_of(asked, document)
    return failed.value.problem.code, failed.value.problem.detail


def test_parameters_go_where_the_document_says() -> None:
    """Into path, query and headers; values are quoted, lists repeat in a query and have commas elsewhere."""
    request = request_of(_asked("get-pet", **{"id": "a/b", "fields": ["x", 2, True], "X-Shop": [1, 2]}), OPENAPI)

    assert request == {
        "method": "get",
        "endpoint": "http://shop.example/live/v1/pets/a%2Fb",
        "query": {"fields": ["x", "2", "true"]},
        "headers": {"X-Shop": "1,2"},
        "output": "content",
        "redirect": False,
    }


def test_the_parameter_body_is_the_body() -> None:
    """Of an operation with a request body as of one of Swagger, whose address is in the document."""
    assert request_of(_asked("put-pet", id=1, body={"a": [1]}), OPENAPI)["body"] == {"a": [1]}
    added = request_of(_asked("add", body={"a": 1}), SWAGGER)
    assert (added["endpoint"], added["method"], added["body"]) == ("https://pets.example/v2/pets", "post", {"a": 1})


@pytest.mark.parametrize(
    ("operation", "parameters", "code", "told"),
    [
        ("get-pets", {}, "configuration", "has no operation 'get-pets'"),
        ("get-pet", {}, "validation", "needs the parameter 'id'"),
        ("get-pet", {"id": 1, "field": "x"}, "validation", "has no parameter 'field'"),
        ("get-pet", {"id": {"a": 1}}, "validation", "no object and no null for 'id'"),
        ("get-pet", {"id": 1, "session": "x"}, "validation", "in a cookie, which is not supported"),
        ("put-pet", {"id": 1}, "validation", "needs the parameter 'body'"),
    ],
)
def test_what_the_document_does_not_allow_is_refused(
    operation: str, parameters: JsonObject, code: str, told: str
) -> None:
    """The error says what is wrong, and nothing is sent."""
    found, detail = _failure(_asked(operation, **parameters))

    assert found == code
    assert told in detail


@pytest.mark.parametrize("document", [None, [], "text", {}, {"paths": []}, {"paths": {"/": {"get": None}}}])
def test_what_is_no_document_is_a_configuration_error(document: Any) -> None:
    """Whatever comes instead of a document."""
    assert _failure(_asked("get-pet"), document)[0] == "configuration"
