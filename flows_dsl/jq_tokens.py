"""Reads jq text as tokens, and refuses all that an allow-list does not name."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from flows_dsl.canonical import SAFE_INTEGER
from flows_dsl.expression import ExpressionRefused
from flows_dsl.findings import did_you_mean

KEYWORDS = frozenset({"if", "then", "elif", "else", "end", "and", "or", "as", "try", "catch"})

FUNCTIONS = frozenset({
    "abs", "add", "all", "any", "arrays", "ascii_downcase", "ascii_upcase", "booleans", "ceil", "contains", "empty",
    "endswith", "error", "explode", "false", "first", "flatten", "floor", "from_entries", "fromjson", "getpath",
    "group_by", "has", "implode", "in", "index", "indices", "inside", "isempty", "iterables", "join", "keys", "last",
    "length", "ltrim", "ltrimstr", "map", "map_values", "max", "max_by", "min", "min_by", "not", "null", "nulls",
    "numbers", "objects", "reverse", "rindex", "round", "rtrim", "rtrimstr", "scalars", "select", "sort", "sort_by",
    "split", "sqrt", "startswith", "strings", "to_entries", "toboolean", "tojson", "tonumber", "tostring", "trim",
    "true", "type", "unique", "unique_by", "utf8bytelength", "values", "with_entries",
})  # fmt: skip
"""Functions without clock, environment, input or output, regular expression, recursion, or loop of their own."""

FORMATS = frozenset({"@text", "@json", "@base64", "@base64d", "@uri"})

_GROWING = {"tojson": 2, "tostring": 2, "@json": 2, "@base64": 2, "@uri": 3}
_LOOPS = frozenset({
    "all", "any", "contains", "group_by", "inside", "join", "map", "map_values", "max_by", "min_by", "sort_by",
    "unique_by", "with_entries",
})  # fmt: skip

_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r\n]+)
  | (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
  | (?P<field>\.[A-Za-z_]\w*)
  | (?P<variable>\$[A-Za-z_]\w*)
  | (?P<format>@[A-Za-z0-9]+)
  | (?P<word>[A-Za-z_]\w*(?:::\w+)*)
  | (?P<operator>\?//=?|\.\.|//=|\|=|\+=|-=|\*=|/=|%=|==|!=|<=|>=|//|[.\[\]{}(),:;|?=<>+\-*/%"])
    """,
    re.VERBOSE | re.ASCII,
)

_REFUSED = {
    "..": "recursion without a bound",
    "?//": "?// (write `? //`)",
    **dict.fromkeys(("=", "|=", "+=", "-=", "*=", "/=", "%=", "//=", "?//="), "an update in place"),
}

MAX_WEIGHT = 100_000


@dataclass(frozen=True)
class Token:
    """One token: what kind it is, its text, where it begins, and the bracket that it stands in."""

    kind: str
    text: str
    offset: int
    within: str
    """The innermost open bracket, or an empty string."""
    depth: int


@dataclass(frozen=True)
class Usage:
    """What an expression reads, and how costly it may become."""

    variables: tuple[str, ...]
    weight: int
    """How many times bigger than its input its result may be, for each pass over the input."""
    degree: int
    """How many loops over its input may be nested."""


class _Scanner:
    """Splits text into tokens; what stands inside string interpolations is among them."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._open: list[str] = []
        self.found: list[Token] = []

    def scan(self, at: int = 0, *, interpolation: bool = False) -> int:
        floor = len(self._open)
        while at < len(self._text):
            match = _TOKEN.match(self._text, at)
            if match is None:
                raise _refused(f"the character {self._text[at]!r} is not allowed", at)
            kind, word = str(match.lastgroup), match[0]
            if word == '"':
                at = self._string(at)
                continue
            if word in ")]}" and len(self._open) == floor:
                if interpolation and word == ")":
                    return match.end()
                raise _refused(f"{word!r} closes nothing", at)
            self._take(kind, word, at)
            at = match.end()
        if interpolation or len(self._open) > floor:
            raise _refused("a bracket is not closed", at)
        return at

    def _take(self, kind: str, word: str, at: int) -> None:
        if word in ")]}" and {"(": ")", "[": "]", "{": "}"}[self._open.pop()] != word:
            raise _refused(f"{word!r} closes another bracket", at)
        if kind != "space":
            self._add(kind, word, at)
        if word in "([{":
            self._open.append(word)

    def _add(self, kind: str, word: str, at: int) -> None:
        self.found.append(Token(kind, word, at, self._open[-1] if self._open else "", len(self._open)))

    def _string(self, at: int) -> int:
        self._add("string", '"', at)
        at += 1
        while at < len(self._text):
            if self._text[at] == '"':
                return at + 1
            if self._text.startswith("\\(", at):
                self._add("operator", "+", at)
                self._open.append("(")
                at = self.scan(at + 2, interpolation=True)
                self._open.pop()
            else:
                at += 2 if self._text[at] == "\\" else 1
        raise _refused("a string is not closed", at)


def _refused(what: str, offset: int, remedy: str = "Only a part of jq is allowed in flows.") -> ExpressionRefused:
    return ExpressionRefused(f"jq: {what}.", code="expression.not_allowed", offset=offset, remedy=remedy)


def inspect(text: str, known: frozenset[str]) -> Usage:
    """
    Return what *text* uses; *known* are the variables that it is given.

    Raises:
        ExpressionRefused: it uses anything that the allow-list does not name, or may grow without measure.
    """
    scanner = _Scanner(text)
    scanner.scan()
    found = scanner.found
    for index, token in enumerate(found):
        _allow(found, index, token)
    weight = _weight(found)
    if weight > MAX_WEIGHT:
        raise _refused("the result may grow without measure", 0, "Split the expression over several set tasks.")
    names = {token.text[1:] for token in found if token.kind == "variable"}
    return Usage(tuple(sorted(names & known)), weight, _degree(found))


def _allow(found: Sequence[Token], index: int, token: Token) -> None:
    word = token.text
    if token.kind == "variable" and (word == "$ENV" or word.startswith("$__")):
        raise _refused(f"{word} is not allowed", token.offset, "A flow does not depend on where it runs.")
    if token.kind == "format" and word not in FORMATS:
        raise _refused(f"{word} is not allowed", token.offset, f"Use one of {', '.join(sorted(FORMATS))}.")
    if token.kind == "operator" and word in _REFUSED:
        raise _refused(f"{_REFUSED[word]} is not allowed", token.offset, "Build a new value instead.")
    if token.kind == "number" and abs(float(word)) > SAFE_INTEGER:
        raise _refused(f"{word} is beyond 2^53, which jq would round", token.offset, "Keep it as text.")
    if word == "*":
        _factor(found, index)
    if token.kind == "word" and not _is_key(found, index):
        if word not in FUNCTIONS and word not in KEYWORDS:
            raise _refused(f"{word!r} is not allowed", token.offset, did_you_mean(word, FUNCTIONS))
        if word == "split" and ";" in _arguments(found, index):
            raise _refused("split with a regular expression is not allowed", token.offset, "Split at a text.")


def _is_key(found: Sequence[Token], index: int) -> bool:
    """Return whether a word is an object's key; in an object a comma always begins the next key."""
    token = found[index]
    following = found[index + 1].text if index + 1 < len(found) else ""
    return token.within == "{" and found[index - 1].text in {"{", ","} and following in {":", ",", "}"}


def _arguments(found: Sequence[Token], index: int) -> list[str]:
    inside: list[str] = []
    for token in found[index + 2 :]:
        if token.depth <= found[index].depth:
            break
        if token.depth == found[index].depth + 1:
            inside.append(token.text)
    return inside


def _factor(found: Sequence[Token], index: int) -> int:
    """Return the number beside a ``*``: times a text it repeats the text, so one side must be a literal."""
    beside = [found[at] for at in (index - 1, index + 1) if 0 <= at < len(found)]
    for token in beside:
        if token.kind == "number":
            return max(1, ceil(float(token.text)))
    raise _refused(
        "* without a number beside it is not allowed",
        found[index].offset,
        "Texts would be repeated without bound: multiply by a literal, or write the flow in CEL.",
    )


def _weight(found: Sequence[Token]) -> int:
    weight, copies = 1, 1
    for index, token in enumerate(found):
        match token.text:
            case "|" | "as":
                weight, copies = weight * copies, 1
            case "," | "+":
                copies += 1
            case "*":
                weight *= _factor(found, index)
            case word:
                weight *= _GROWING.get(word, 1) if token.kind in {"word", "format"} else 1
    return weight * copies


def _degree(found: Sequence[Token]) -> int:
    """Count loops; pipes at the top keep them apart unless several values flow through."""
    segments = [0]
    together = False
    for index, token in enumerate(found):
        if token.text == "|" and token.depth == 0:
            segments.append(0)
        iterates = token.text == "[" and index + 1 < len(found) and found[index + 1].text == "]"
        segments[-1] += iterates or (token.kind == "word" and token.text in _LOOPS)
        together |= (iterates and token.depth == 0) or token.text == "as"
    return sum(segments) if together else max(segments)
