"""How real channels, locations and gateways ask: the same question again until there is a definite answer."""

import asyncio
import json
from dataclasses import dataclass, field
from random import Random
from typing import Any

import aiohttp

from orderloom.domain.model import JsonObject

WITHIN = aiohttp.ClientTimeout(total=8.0, connect=2.0)
PAUSE = 0.25
"""Seconds before a question is asked again, and up to twice as many."""
SUSPICION = 0.1
"""Of all questions that were answered so many are asked once more."""


@dataclass(frozen=True)
class Answer:
    """A definite answer: done, taken in, or refused for good."""

    status: int
    body: Any


@dataclass
class Asking:
    """Everyone outside asks with this; it keeps what contradicts what was said before."""

    http: aiohttp.ClientSession
    random: Random
    repeated: int = 0
    """Questions that were asked again because no definite answer came."""
    contradictions: list[str] = field(default_factory=list[str])

    async def get(self, url: str) -> Answer:
        """Ask until there is an answer."""
        return await self._until_answered("GET", url, None, {})

    async def tell(self, url: str, body: JsonObject, key: str | None = None) -> Answer:
        """
        Post until there is a definite answer. Now and then ask again what was answered: the answer must be the same.

        Args:
            key: the idempotency key, if what is told does not carry an id of its own.
        """
        headers = {} if key is None else {"Idempotency-Key": key}
        answer = await self._until_answered("POST", url, body, headers)
        if self.random.random() < SUSPICION:
            again = await self._until_answered("POST", url, body, headers)
            if answer.status != 202 and again != answer:
                self.contradictions.append(f"{url} answered {answer}, and then {again}")
        return answer

    async def command(self, url: str, body: JsonObject, key: str) -> Answer:
        """Post a command until it was decided: what is only taken in is asked for again."""
        while True:
            answer = await self.tell(url, body, key)
            if answer.status != 202:
                return answer
            await self._pause()

    async def _until_answered(self, method: str, url: str, body: JsonObject | None, headers: dict[str, str]) -> Answer:
        while True:
            try:
                async with self.http.request(method, url, json=body, headers=headers, timeout=WITHIN) as response:
                    said = await response.text()
                    if response.status < 500:
                        return Answer(response.status, json.loads(said) if said else None)
            except (aiohttp.ClientError, TimeoutError, OSError):
                pass
            self.repeated += 1
            await self._pause()

    async def _pause(self) -> None:
        await asyncio.sleep(PAUSE * (1 + self.random.random()))
