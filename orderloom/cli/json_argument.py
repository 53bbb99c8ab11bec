"""JSON on the command line: as it stands, or in a file that is named with ``@``."""

import json
from pathlib import Path

from orderloom.domain.errors import OrderloomError
from orderloom.domain.model import Json


class ArgumentUnreadable(OrderloomError):
    """What was given is no JSON.

    Give JSON between single quotes, or @ and the name of a file that holds it.
    """

    code = "argument.unreadable"
    status = 422


def read_json(option: str, given: str) -> Json:
    """
    Return the JSON that *given* is, or that the file it names holds.

    Raises:
        ArgumentUnreadable: it is none, or the file cannot be read; *option* is named.
    """
    try:
        text = Path(given[1:]).read_text(encoding="utf-8") if given.startswith("@") else given
        value: Json = json.loads(text)
    except OSError as error:
        raise ArgumentUnreadable(f"{option}: {given[1:]} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ArgumentUnreadable(f"{option} is no JSON: {error}.") from error
    return value
