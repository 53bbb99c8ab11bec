"""The base of all parts of a scenario file: closed to unknown keys, with a hint at the key that was meant."""

import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from difflib import get_close_matches
from typing import Annotated, Any, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


class Part(BaseModel):
    """A mapping of a scenario file. An unknown key is an error that names the nearest known one."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _know_keys(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            known = sorted({field.alias or name for name, field in cls.model_fields.items()} | set(cls.model_fields))
            for key in cast("Mapping[str, Any]", value):
                if key not in known:
                    near = get_close_matches(str(key), known, n=1)
                    hint = f"did you mean {near[0]!r}?" if near else f"known keys are {', '.join(known)}"
                    raise PydanticCustomError("unknown_key", "unknown key; {hint}", {"key": str(key), "hint": hint})
        return cast("Any", value)


def seconds(text: str) -> float:
    """
    Return the seconds that a duration such as ``2h``, ``90s`` or ``1d12h30m`` stands for.

    Raises:
        ValueError: it is none.
    """
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise ValueError(f"{text!r} is no duration: write 45s, 30m, 2h, 1d or a combination such as 1d12h")
    days, hours, minutes, rest = (int(group or 0) for group in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=rest).total_seconds()


def _duration(value: Any) -> Any:
    if isinstance(value, str):
        seconds(value)
        return value
    raise ValueError("a duration is text such as 45s, 30m, 2h or 1d12h")


def _percent(value: Any) -> Any:
    if isinstance(value, str) and value.endswith("%"):
        return Decimal(value.removesuffix("%")) / 100
    return value


Name = Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
"""A name within the scenario: letters, digits, ``.``, ``_`` and ``-``."""

Amount = Decimal
"""Money as plain decimals in the channel's currency: ``93.50``."""

Duration = Annotated[str, BeforeValidator(_duration), StringConstraints(pattern=r"^(\d+d)?(\d+h)?(\d+m)?(\d+s)?$")]
"""A span of business time: ``45s``, ``30m``, ``2h``, ``1d12h``."""

Rate = Annotated[Decimal, BeforeValidator(_percent)]
"""A tax rate: ``10%`` or ``0.10``."""
