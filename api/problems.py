"""Every error leaves the API as RFC 9457 problem details."""

import json
from collections.abc import Mapping, Sequence

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from api.errors import MethodNotAllowed, PathUnknown, Unavailable, Unexpected
from api.fields import field_problem
from orderloom.domain.errors import FieldProblem, InvalidInput, OrderloomError, Problem
from orderloom.domain.placing import TooManyLines
from orderloom.telemetry.logs import bind_order

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = "1"
"""Seconds."""
_MAX_FIELDS = 50
_OUTAGES = ("08", "53", "57")
"""Classes of PostgreSQL's states: no connection, no room, stopped."""
_ORDER_IN = ("order", "fulfillment_order", "exception")
"""Parameters of paths whose value is or begins with an order's number."""
_log = structlog.get_logger(__name__)


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Return *problem* as an answer with its own status: the same problem, the same bytes."""
    content = json.dumps(problem.model_dump(mode="json"), ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return Response(content, problem.status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make *app* answer every error as a problem."""
    app.add_exception_handler(OrderloomError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _by_framework)
    for outage in (DBAPIError, OSError, PoolTimeoutError):
        app.add_exception_handler(outage, _unreachable)
    app.add_exception_handler(Exception, _unexpected)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, OrderloomError)
    return problem_response(error.problem(request.url.path))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    fields = tuple(field_problem(record) for record in error.errors())
    kind = TooManyLines if any(field.code == TooManyLines.code for field in fields) else InvalidInput
    refused = kind(_summary(fields), errors=fields[:_MAX_FIELDS])
    return problem_response(refused.problem(request.url.path))


def _summary(fields: Sequence[FieldProblem]) -> str:
    count = len(fields)
    if count == 1:
        return fields[0].detail.rstrip(".")
    shown = f", the first {_MAX_FIELDS} are named" if count > _MAX_FIELDS else ""
    return f"{count} fields are not valid{shown}"


async def _by_framework(request: Request, error: Exception) -> Response:
    """Translate what Starlette raises by itself: no such path, no such method."""
    assert isinstance(error, HTTPException)
    path = request.url.path
    if error.status_code == 404:
        return problem_response(PathUnknown(f"there is nothing at {path}").problem(path))
    if error.status_code == 405:
        detail = f"{request.method} is not possible at {path}"
        return problem_response(MethodNotAllowed(detail).problem(path), error.headers)
    status = error.status_code
    refused = InvalidInput(str(error.detail)).problem(path).model_copy(update={"status": status})
    return problem_response(refused, error.headers)


async def _unreachable(request: Request, error: Exception) -> Response:
    """Tell an outage of PostgreSQL from a statement of ours that it refuses."""
    if isinstance(error, DBAPIError) and not _is_outage(error):
        return await _unexpected(request, error)
    _name_order(request)
    _log.warning("api.unavailable", path=request.url.path, reason=type(error).__name__)
    detail = "the database cannot be reached"
    return problem_response(Unavailable(detail).problem(request.url.path), {"Retry-After": RETRY_AFTER})


def _is_outage(error: DBAPIError) -> bool:
    return error.connection_invalidated or str(getattr(error.orig, "sqlstate", "")).startswith(_OUTAGES)


async def _unexpected(request: Request, error: Exception) -> Response:
    _name_order(request)
    _log.error("api.unexpected", path=request.url.path, method=request.method, exc_info=error)
    return problem_response(Unexpected("the request could not be carried out").problem(request.url.path))


def _name_order(request: Request) -> None:
    """Let log lines name the order that the path names, itself or in the id of something that belongs to it."""
    named = [request.path_params[name] for name in _ORDER_IN if name in request.path_params]
    if named:
        bind_order(named[0].partition("-")[0])
