"""
The keys of persons, and sealing with them.

Every person has two 256-bit keys, *service* and *statutory*. They stand in the keys database, wrapped by the
deployment's master key; what they seal stands in the main database. Erasing a key makes everything under it
unreadable, in every backup too.
"""

import hmac
import os
from collections import OrderedDict
from datetime import datetime
from enum import StrEnum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import DateTime, LargeBinary, bindparam, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.domain.errors import OrderloomError
from orderloom.persistence.single import fetch
from orderloom.persistence.tables.persons import person_keys
from orderloom.persistence.transactions import Transaction

DEPLOYMENT = "deployment"
"""The key id of bodies that belong to no person."""

KEY_BYTES = 32
_NONCE_BYTES = 12


class KeyErased(OrderloomError):
    """The personal data has been erased.

    Nothing brings it back; go on without it.
    """

    code = "person.erased"
    status = 410


class SealBroken(OrderloomError):
    """The sealed data cannot be opened with its key.

    Check that the keys database and the master key belong to this database, and that neither was restored alone.
    """

    code = "vault.seal_broken"
    status = 500


class Purpose(StrEnum):
    """What a key of a person is for: daily service, or what documents must keep until their legal date."""

    SERVICE = "service"
    STATUTORY = "statutory"


_CREATE = text(
    """
    INSERT INTO person_keys (id, service, statutory, created_at)
    VALUES (:id, :service, :statutory, COALESCE(:now, now()))
    ON CONFLICT DO NOTHING
    RETURNING id
    """
).bindparams(
    bindparam("service", type_=LargeBinary),
    bindparam("statutory", type_=LargeBinary),
    bindparam("now", type_=DateTime(timezone=True)),
)
_WRAPPED = {
    purpose: text(f"SELECT {purpose} FROM person_keys WHERE id = :id")  # noqa: S608  # a column of ours
    for purpose in Purpose
}


class Vault:
    """Seals and opens with the keys of persons. Unwrapped keys stay in memory, the most recently used ones."""

    def __init__(self, keys: AsyncEngine, master_key: bytes, *, remembered: int = 10_000) -> None:
        """
        Take the engine of the keys database.

        Args:
            master_key: 32 bytes; wraps every key.
            remembered: how many unwrapped keys are kept in memory. An erased key is forgotten here at once, by other
                processes when it falls out of theirs or they call ``forget``.
        """
        if len(master_key) != KEY_BYTES:
            raise ValueError(f"the master key has {len(master_key)} bytes instead of {KEY_BYTES}")
        self._keys = keys
        self._master = AESGCM(master_key)
        self._hash_key = hmac.digest(master_key, b"keyed hashes of persons", "sha256")
        self._remembered = remembered
        self._known: OrderedDict[tuple[str, Purpose], AESGCM] = OrderedDict()

    async def seal(self, key_id: str, body: bytes, purpose: Purpose = Purpose.SERVICE) -> bytes:
        """
        Return *body* encrypted and authenticated under the key (AES-256-GCM, a new random nonce in front).

        Raises:
            KeyErased: the person has been erased, or never was.
        """
        cipher = await self._cipher(key_id, purpose)
        return _seal(cipher, body, _bound(key_id, purpose))

    async def open(self, key_id: str, sealed: bytes, purpose: Purpose = Purpose.SERVICE) -> bytes:
        """
        Return what ``seal`` was given.

        Raises:
            KeyErased: the person has been erased.
            SealBroken: it was sealed by another key, or changed since.
        """
        cipher = await self._cipher(key_id, purpose)
        try:
            return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _bound(key_id, purpose))
        except InvalidTag:
            raise SealBroken(f"what key {key_id!r} sealed cannot be opened", key=key_id) from None

    async def create_person_keys(self, person_id: str, now: datetime) -> None:
        """Make the keys of a person, once: a person who has keys, or had and was erased, keeps that state."""
        await self._create_keys(person_id, now)

    async def _create_keys(self, person_id: str, now: datetime | None = None) -> None:
        keys = {purpose: os.urandom(KEY_BYTES) for purpose in Purpose}
        wrapped = {purpose.value: self._wrap(person_id, purpose, key) for purpose, key in keys.items()}
        if await fetch(self._keys, _CREATE, {"id": person_id, "now": now, **wrapped}):
            # Whoever makes keys seals with them next: they need not be read back.
            self._remember((person_id, Purpose.SERVICE), AESGCM(keys[Purpose.SERVICE]))

    def keyed_hash(self, text: str) -> bytes:
        """Return a hash of *text* that cannot be made without the master key: to find a person by an exact value."""
        return hmac.digest(self._hash_key, text.encode(), "sha256")

    async def erase(self, person_id: str, *purposes: Purpose) -> None:
        """Destroy keys of a person, both unless *purposes* says which; what they sealed can never be read again."""
        columns = {purpose.value: None for purpose in purposes or tuple(Purpose)}
        async with Transaction(self._keys) as conn:
            await conn.execute(update(person_keys).where(person_keys.c.id == person_id).values(columns))
        self.forget(person_id)

    def forget(self, person_id: str) -> None:
        """Drop the person's unwrapped keys from memory."""
        for purpose in Purpose:
            self._known.pop((person_id, purpose), None)

    async def _cipher(self, key_id: str, purpose: Purpose) -> AESGCM:
        name = (key_id, purpose)
        if (known := self._known.get(name)) is not None:
            self._known.move_to_end(name)
            return known
        cipher = AESGCM(await self._unwrapped(key_id, purpose))
        self._remember(name, cipher)
        return cipher

    def _remember(self, name: tuple[str, Purpose], cipher: AESGCM) -> None:
        self._known[name] = cipher
        if len(self._known) > self._remembered:
            self._known.popitem(last=False)

    async def _unwrapped(self, key_id: str, purpose: Purpose) -> bytes:
        wrapped = await self._wrapped(key_id, purpose)
        if wrapped is None and key_id == DEPLOYMENT:
            await self._create_keys(DEPLOYMENT)
            wrapped = await self._wrapped(DEPLOYMENT, purpose)
        if wrapped is None:
            raise KeyErased(f"there is no {purpose} key {key_id!r}", key=key_id)
        try:
            return self._master.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], _bound(key_id, purpose))
        except InvalidTag:
            raise SealBroken(f"the master key does not open key {key_id!r}", key=key_id) from None

    async def _wrapped(self, key_id: str, purpose: Purpose) -> bytes | None:
        found = await fetch(self._keys, _WRAPPED[purpose], {"id": key_id})
        return found[0][0] if found else None

    def _wrap(self, key_id: str, purpose: Purpose, key: bytes) -> bytes:
        return _seal(self._master, key, _bound(key_id, purpose))


def _seal(cipher: AESGCM, body: bytes, bound: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, body, bound)


def _bound(key_id: str, purpose: Purpose) -> bytes:
    """Return what a seal is bound to, so that it opens nowhere else."""
    return f"{purpose}:{key_id}".encode()
