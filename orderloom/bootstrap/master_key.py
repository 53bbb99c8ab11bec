"""The key that wraps the keys of persons."""

import os
from pathlib import Path

from orderloom.bootstrap.errors import StartRefused
from orderloom.settings import Settings

BYTES = 32


class MasterKeyInvalid(StartRefused):
    """The master key is not one.

    Give 64 hexadecimal digits in ORDERLOOM_MASTER_KEY; `openssl rand -hex 32` makes a new one.
    """

    code = "start.master_key_invalid"


def master_key(settings: Settings) -> bytes:
    """
    Return the deployment's master key; without one in the settings, that of the data directory, made when missing.

    Raises:
        MasterKeyInvalid: what is there is no key.
    """
    if settings.master_key is not None:
        return _parse(settings.master_key, "ORDERLOOM_MASTER_KEY")
    kept = settings.data_dir.expanduser() / "master.key"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        _keep(kept)
    return _parse(kept.read_text(), str(kept))


def _keep(path: Path) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(os.urandom(BYTES).hex())


def _parse(text: str, place: str) -> bytes:
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != BYTES:
        raise MasterKeyInvalid(f"{place} holds no key of {BYTES} bytes in hexadecimal digits.")
    return key
