"""The two kinds of routes: what each does with a request before FastAPI looks at it."""

from collections.abc import Callable, Coroutine

from fastapi import Request, Response
from fastapi.routing import APIRoute

from api.bodies import StrictRequest
from api.dependencies import of
from orderloom.domain.errors import FieldProblem, InvalidInput

type Handler = Callable[[Request], Coroutine[None, None, Response]]
"""Answers a request."""


class PlainRoute(APIRoute):
    """A route that refuses parameters which PostgreSQL cannot read; every route is one."""

    def get_route_handler(self) -> Handler:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return FastAPI's handler with the refusal before it."""
        answer = super().get_route_handler()

        async def refuse_or_answer(request: Request) -> Response:
            _refuse_nul(request)
            return await answer(request)

        return refuse_or_answer


class StrictRoute(PlainRoute):
    """A route whose body is read by :class:`StrictRequest` before FastAPI looks at it."""

    def get_route_handler(self) -> Handler:
        """Return FastAPI's handler with the strict reading before it."""
        answer = super().get_route_handler()

        async def read_then_answer(request: Request) -> Response:
            strict = StrictRequest(request.scope, request.receive)
            await strict.load(of(request).max_body)
            return await answer(strict)

        return read_then_answer


def _refuse_nul(request: Request) -> None:
    """
    Refuse parameters that PostgreSQL cannot read.

    Raises:
        InvalidInput: one in the path or the query holds a NUL.
    """
    given = [("path", *item) for item in request.path_params.items()]
    given += [("query", *item) for item in request.query_params.multi_items()]
    errors = tuple(
        FieldProblem(pointer=f"{kind}/{name}", detail=f"{name} must not hold a NUL.", code="field.malformed")
        for kind, name, value in given
        if "\0" in value
    )
    if errors:
        raise InvalidInput(errors[0].detail.rstrip("."), errors=errors)
