"""
Prints ``docs/reference/api.md``: the endpoints and every error code, from the code itself.

``python -m api.reference > docs/reference/api.md`` writes it anew; a test compares.
"""

import sys
from collections.abc import Iterator
from typing import Any

from api.app import build
from api.errors import MethodNotAllowed, PathUnknown, Unavailable, Unexpected
from api.problems import MEDIA_TYPE

_ANYWHERE = (PathUnknown, MethodNotAllowed, Unavailable, Unexpected)

_HEAD = """# API reference

<!-- Printed by `python -m api.reference`: change the code, not this file. -->

The service describes itself: `/docs` is a page to read, `/openapi.json` the OpenAPI document with examples. Amounts
are whole minor units with their ISO 4217 currency: `{"amount": 9350, "currency": "EUR"}` is 93.50 EUR.

## What holds everywhere

- **Durable when it answers.** A change that is answered with 200 or 201 stands in the order's journal. An answer 202
  means that it is stored and no worker took it up within two seconds; `Location` leads to what becomes of it.
- **`Idempotency-Key`** is required on every change by a channel or an operator. The same key with the same body gets
  the same answer, byte for byte, with the header `Idempotent-Replayed: true`; with another body it is refused. Events
  of locations and gateways carry their own id instead, and the same id gets the same answer.
- **A refused order leaves nothing behind**: no row, no workflow, no number.
- **Lists** go by keyset: `limit` (1 to 200, 50 unless given) and `after`; `next` is the path of the following page,
  and null at the end.
- **Errors** are RFC 9457 problem details (`application/problem+json`): `code` is stable and meant for programs,
  `detail` and `remedy` for people, `facts` hold the values, and `errors` names each wrong field by its JSON pointer
  (a parameter by its kind and name, such as `query/limit`). No error repeats what was sent in a text field.
"""


def reference() -> str:
    """Return the document."""
    document = build().openapi()
    return "\n".join([_HEAD, *_endpoints(document), *_errors(document)])


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def _endpoints(document: dict[str, Any]) -> Iterator[str]:
    yield "## Endpoints\n"
    for tag in document["tags"]:
        yield f"### {tag['name']}\n\n{tag['description']}\n\n| Endpoint | What it does | Answers |\n|---|---|---|"
        for method, path, operation in _operations(document):
            if tag["name"] in operation["tags"]:
                answers = ", ".join(sorted(operation["responses"]))
                yield f"| `{method} {path}` | {_line(operation['description'])} | {answers} |"
        yield ""


def _errors(document: dict[str, Any]) -> Iterator[str]:
    yield "## Errors\n\n| Code | Status | Meaning | Remedy |\n|---|---|---|---|"
    problems = {error.code: error("").problem().model_dump() for error in _ANYWHERE}
    for _, _, operation in _operations(document):
        for answer in operation["responses"].values():
            examples = answer.get("content", {}).get(MEDIA_TYPE, {}).get("examples", {})
            problems |= {code: example["value"] for code, example in examples.items()}
    for code, problem in sorted(problems.items()):
        yield f"| `{code}` | {problem['status']} | {_line(problem['title'])} | {_line(problem['remedy'])} |"
    yield ""


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(reference())
