"""Turns what pydantic finds wrong into field problems: where, why, and what would be right. Never echoes a value."""

from collections.abc import Iterable, Mapping, Sequence

from orderloom.domain.errors import FieldProblem

_WHOLE = ("field.not_whole", "must be a whole number: send it without a fraction and without quotes")
_TEXT = ("field.not_text", "must be a text: put it in quotes")
_ADVICE: dict[str, tuple[str, str]] = {
    "missing": ("field.missing", "is required: add it"),
    "extra_forbidden": ("field.unknown", "is not known here: remove it or correct its name"),
    "int_type": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "string_type": _TEXT,
    "string_unicode": _TEXT,
    "bool_type": ("field.not_boolean", "must be true or false"),
    "bool_parsing": ("field.not_boolean", "must be true or false"),
    "list_type": ("field.not_list", "must be a list"),
    "tuple_type": ("field.not_list", "must be a list"),
    "dict_type": ("field.not_object", "must be an object"),
    "model_type": ("field.not_object", "must be an object"),
    "model_attributes_type": ("field.not_object", "must be an object"),
    "greater_than_equal": ("field.out_of_range", "must be at least {ge}"),
    "greater_than": ("field.out_of_range", "must be more than {gt}"),
    "less_than_equal": ("field.out_of_range", "must be at most {le}"),
    "less_than": ("field.out_of_range", "must be less than {lt}"),
    "string_too_short": ("field.too_short", "must have at least {min_length} characters"),
    "string_too_long": ("field.too_long", "must have at most {max_length} characters"),
    "too_short": ("field.too_short", "must have at least {min_length} entries"),
    "too_long": ("field.too_long", "must have at most {max_length} entries"),
    "string_pattern_mismatch": ("field.malformed", "must match the pattern {pattern}"),
    "literal_error": ("field.not_allowed", "must be {expected}"),
    "enum": ("field.not_allowed", "must be {expected}"),
    "value_error": ("field.invalid", "{error}"),
    "timezone_aware": ("field.malformed", "must have a time zone, such as 2026-03-01T12:00:00Z"),
}


def pointer(parts: Iterable[object]) -> str:
    """Return the JSON pointer (RFC 6901) of the path *parts*."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def _where(location: Sequence[int | str]) -> str:
    """Return a JSON pointer into the body; for a parameter its kind and name without a leading slash."""
    kind, *rest = location
    return pointer(rest) if kind == "body" else "/".join(str(part) for part in location)


def field_problem(error: Mapping[str, object]) -> FieldProblem:
    """Return one of pydantic's error records as a field problem; a type with a dot is a code of the domain's own."""
    location: Sequence[int | str] = error["loc"]  # pyright: ignore[reportAssignmentType]
    where = _where(location)
    kind = str(error["type"])
    if "." in kind:
        return FieldProblem(pointer=where, detail=_sentence(_own(location, str(error["msg"]))), code=kind)
    code, advice = _ADVICE.get(kind, ("field.invalid", str(error["msg"])))
    context: Mapping[str, object] = error.get("ctx") or {}  # pyright: ignore[reportAssignmentType]
    known = {name: str(value) for name, value in context.items()}
    detail = advice.format_map(known) if kind in _ADVICE else advice
    return FieldProblem(pointer=where, detail=_sentence(f"{_name(location)} {detail}"), code=code)


def _own(location: Sequence[int | str], message: str) -> str:
    """Return a message of the domain's own, which may lack its subject, as a clause."""
    if not message.startswith(("must ", "needs ")):
        return message
    return f"{_name(location) if isinstance(location[-1], str) else 'This entry'} {message}"


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def _name(location: Sequence[int | str]) -> str:
    """Return the last name in *location* for use in a sentence."""
    names = [part for part in location[1:] if isinstance(part, str)]
    return names[-1] if names else "The body"
