"""The canonical form of JSON, and hashes over it."""

import hashlib
import json

from orderloom.domain.model import Json


def canonical(value: Json) -> bytes:
    """Return *value* as UTF-8 JSON with sorted keys and no spaces: equal values, equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(value: Json) -> bytes:
    """Return the SHA-256 of the canonical form of *value*."""
    return hashlib.sha256(canonical(value)).digest()
