"""Reads JSON bodies as strictly as money deserves: bounded while streaming, one meaning only, no card numbers."""

import json
import math
from collections.abc import Iterator

from fastapi import Request

from api.errors import BodyTooLarge, MalformedJson, MediaTypeUnsupported
from api.fields import pointer
from orderloom.domain.cards import refuse_card_numbers
from orderloom.domain.model import Json

_MAX_DEPTH = 32


def parse(raw: bytes) -> Json:
    """
    Return the JSON value in *raw*.

    Raises:
        MalformedJson: it is no JSON, names something twice, holds NaN, Infinity or a number beyond a double's range,
            is nested deeper than 32 levels, or a text in it holds what a database cannot store.
    """
    try:
        value: Json = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
        if not _plain(raw):
            for where, text in _texts(value, ()):
                _storable(where, text)
    except UnicodeDecodeError:
        raise MalformedJson("the body is not UTF-8") from None
    except json.JSONDecodeError as error:
        detail = f"the body is no JSON: {error.msg} in line {error.lineno}, column {error.colno}"
        raise MalformedJson(detail, line=error.lineno, column=error.colno) from None
    except RecursionError:
        raise MalformedJson(f"the body is nested deeper than {_MAX_DEPTH} levels") from None
    except ValueError:
        raise MalformedJson("a number in the body is too long to read") from None
    return value


def _plain(raw: bytes) -> bool:
    """Return whether a look at all of it is enough: no character to be refused, and not deep enough for a limit."""
    return raw.isascii() and b"\\u" not in raw and raw.count(b"{") + raw.count(b"[") <= _MAX_DEPTH


def _object(pairs: list[tuple[str, Json]]) -> Json:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))
        raise MalformedJson(f"an object names {twice!r} twice", name=twice)
    return value


def _no_constant(text: str) -> Json:
    raise MalformedJson(f"{text} is no JSON number", value=text)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise MalformedJson("a number in the body is out of range")
    return value


def _texts(value: Json, path: tuple[object, ...]) -> Iterator[tuple[tuple[object, ...], str]]:
    if len(path) > _MAX_DEPTH:
        raise RecursionError
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index))
    elif isinstance(value, dict):
        for name, item in value.items():
            yield (*path, name), name
            yield from _texts(item, (*path, name))


def _storable(where: tuple[object, ...], text: str) -> None:
    if text.isascii() and "\0" not in text:
        return
    if "\0" in text or any(0xD800 <= ord(character) <= 0xDFFF for character in text):
        at = pointer(where).encode("ascii", "backslashreplace").decode()
        raise MalformedJson(f"the text at {at} holds a character that is none", pointer=at)


class StrictRequest(Request):
    """A request whose JSON body was read by :func:`parse`."""

    raw: bytes = b""
    value: Json = None

    async def load(self, limit: int) -> None:
        """
        Read the body, at most *limit* bytes of it.

        Raises:
            BodyTooLarge: it is larger; reading stops where that is seen.
            MediaTypeUnsupported: it is not declared as JSON.
            MalformedJson: see :func:`parse`.
            CardNumberRefused: a card number stands somewhere in it.
        """
        chunks: list[bytes] = []
        size = _declared(self)
        if size <= limit:
            size = 0
            async for chunk in self.stream():
                size += len(chunk)
                if size > limit:
                    break
                chunks.append(chunk)
        if size > limit:
            raise BodyTooLarge(f"the body has more than {limit} bytes", limit=limit)
        self.raw = b"".join(chunks)
        if not self.raw:
            return
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise MediaTypeUnsupported(f"the body is declared as {kind or 'nothing'}", media_type=kind)
        self.value = parse(self.raw)
        refuse_card_numbers(self.value)

    async def body(self) -> bytes:
        """Return the body as it was sent."""
        return self.raw

    async def json(self) -> Json:
        """Return the body as it was parsed."""
        return self.value


def _declared(request: Request) -> int:
    text = request.headers.get("content-length", "")
    return int(text) if text.isdecimal() and len(text) < 19 else 0
