"""
Reads what the CEL checker knows of an expression: which fields it reads and what its macros run over.

The binding offers no syntax tree, only the serialised ``cel.expr.CheckedExpr`` message; the few fields of it
that matter are read here straight from the wire format.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

type Message = dict[int, list[bytes | int]]

_SCANNING = {"@in": 1, "_==_": 1, "_!=_": 1, "_+_": 1, "list": 4}
"""Calls that go through a whole value, and what that costs beside each other. Gathering results copies them."""
_RESULTS = frozenset({"@result", "__result__"})
"""What macros gather in; nobody can name it."""


@dataclass(frozen=True)
class Loop:
    """A macro (``all``, ``exists``, ``filter``, ``map``, …): the type it runs over and how often it names its item."""

    over: str
    """``list``, ``map`` or ``dyn``."""
    uses: int


@dataclass(frozen=True)
class Facts:
    """What was found in one expression."""

    paths: tuple[tuple[str, ...], ...]
    loops: tuple[Loop, ...]
    depth: int = 0
    """How many macros stand inside each other."""
    scans: int = 0
    """What the calls inside of macros cost that go through a whole value each time."""
    joins: int = 0
    """How many values are joined with ``+``."""
    written: int = 0
    """Items of the longest list that is written out."""

    @property
    def growth(self) -> int:
        """Return how many times bigger macros may make a value: the product of how often each names its item."""
        return prod(max(1, loop.uses) for loop in self.loops)


def read(serialized: bytes) -> Facts:
    """Return the facts of a serialised checked expression."""
    checked = _message(_one(_message(serialized), 2))
    types = {_number(entry, 1): _kind(_one(entry, 2)) for entry in map(_message, _all(checked, 3))}
    reader = _Reader(types)
    reader.walk(_one(checked, 4), frozenset())
    return Facts(
        tuple(sorted(reader.paths)), tuple(reader.loops), reader.depth, reader.scans, reader.joins, reader.written
    )


class _Reader:
    def __init__(self, types: dict[int, str]) -> None:
        self._types = types
        self.paths: set[tuple[str, ...]] = set()
        self.loops: list[Loop] = []
        self.depth = 0
        self.scans = 0
        self.joins = 0
        self.written = 0

    def walk(self, node: bytes, bound: frozenset[str], depth: int = 0) -> None:
        if path := _path(node):
            if path[0] not in bound:
                self.paths.add(path)
            return
        expr = _message(node)
        if 9 in expr:
            self._loop(_message(_one(expr, 9)), bound, depth)
        if 7 in expr:
            self.written = max(self.written, len(_all(_message(_one(expr, 7)), 1)))
        if 6 in expr:
            self._call(_message(_one(expr, 6)), inside=depth > 0)
        for child in _children(expr):
            self.walk(child, bound, depth)

    def _call(self, call: Message, *, inside: bool) -> None:
        name, given = _text(_one(call, 2)), [*_all(call, 1), *_all(call, 3)]
        if any(map(_counts, given)) or name not in _SCANNING:
            return
        gathers = any(_path(it) and _path(it)[0] in _RESULTS for it in given)
        self.joins += name == "_+_" and not gathers
        if inside and (gathers or not any(map(_constant, given))):
            self.scans += _SCANNING[name]

    def _loop(self, loop: Message, bound: frozenset[str], depth: int) -> None:
        source = _one(loop, 2)
        names = {_text(_one(loop, 1)), _text(_one(loop, 3))}
        body = [_one(loop, field) for field in (5, 6, 7) if field in loop]
        over = self._types.get(_number(_message(source), 2), "dyn")
        item = _text(_one(loop, 1))
        self.loops.append(Loop(over, sum(_count(part, item) for part in body)))
        self.depth = max(self.depth, depth + 1)
        self.walk(source, bound, depth)
        for part in body:
            self.walk(part, bound | names, depth + 1)


def _path(node: bytes) -> tuple[str, ...]:
    """Return ``a.b[0].c`` as parts (``a``, ``b``, ``[0]``, ``c``); empty for all but parts of a variable."""
    expr = _message(node)
    if 4 in expr:
        return (_text(_one(_message(_one(expr, 4)), 1)),)
    if 5 in expr:
        select = _message(_one(expr, 5))
        if 3 not in select and (base := _path(_one(select, 1))):
            return (*base, _text(_one(select, 2)))
    if 6 in expr:
        call = _message(_one(expr, 6))
        if _text(_one(call, 2)) == "_[_]" and (base := _path(_all(call, 3)[0])):
            index = _message(_one(_message(_all(call, 3)[1]), 3))
            return (*base, f"[{_number(index, 3)}]") if 3 in index else ()
    return ()


def _children(expr: Message) -> Iterator[bytes]:
    if 5 in expr:
        yield _one(_message(_one(expr, 5)), 1)
    if 6 in expr:
        call = _message(_one(expr, 6))
        yield from _all(call, 1)
        yield from _all(call, 3)
    if 7 in expr:
        yield from _all(_message(_one(expr, 7)), 1)
    if 8 in expr:
        for entry in map(_message, _all(_message(_one(expr, 8)), 2)):
            yield from _all(entry, 3)
            yield from _all(entry, 4)


def _counts(node: bytes) -> bool:
    """Return whether a value is a number or another one that is no list, written out."""
    return 3 in _message(node)


def _constant(node: bytes) -> bool:
    expr = _message(node)
    return 3 in expr or (7 in expr and all(map(_constant, _all(_message(_one(expr, 7)), 1))))


def _count(node: bytes, name: str) -> int:
    expr = _message(node)
    if 4 in expr:
        return int(_text(_one(_message(_one(expr, 4)), 1)) == name)
    if 9 in expr:
        loop = _message(_one(expr, 9))
        return sum(_count(_one(loop, field), name) for field in (2, 5, 6, 7) if field in loop)
    return sum(_count(child, name) for child in _children(expr))


def _kind(type_: bytes) -> str:
    fields = _message(type_)
    return "list" if 6 in fields else "map" if 7 in fields else "dyn" if 1 in fields else "other"


def _message(data: bytes) -> Message:
    fields: Message = defaultdict(list)
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        field, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(data, at)
            fields[field].append(value)
        elif wire == 2:
            length, at = _varint(data, at)
            fields[field].append(data[at : at + length])
            at += length
        else:
            width = 8 if wire == 1 else 4
            fields[field].append(data[at : at + width])
            at += width
    return fields


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _all(message: Message, field: int) -> list[bytes]:
    return [value for value in message.get(field, []) if isinstance(value, bytes)]


def _one(message: Message, field: int) -> bytes:
    return next(iter(_all(message, field)), b"")


def _number(message: Message, field: int) -> int:
    return next((value for value in message.get(field, []) if isinstance(value, int)), 0)


def _text(data: bytes) -> str:
    return data.decode()
