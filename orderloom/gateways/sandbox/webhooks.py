"""The sandbox gateway's courier: it tells Orderloom what became of intents, again and again until it is heard."""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from orderloom.contracts.outside import GatewayNotice
from orderloom.gateways.sessions import UNANSWERED, code_of, open_session

PATIENCE = 5.0
"""Seconds for a connection to be made, and for its other side to be silent."""

_log = structlog.get_logger(__name__)


class Courier:
    """Delivers notices to one URL; a notice that meets no 2xx answer is sent again after each of the delays."""

    def __init__(
        self,
        url: str | None,
        *,
        lag: float,
        delays: Sequence[float],
        told: Callable[[GatewayNotice], None],
    ) -> None:
        """
        Take where to deliver (None: nowhere), inside a running event loop.

        Args:
            lag: seconds between an operation and its first delivery.
            delays: seconds before each further delivery of a notice that was not taken.
            told: hears of every notice that has not to be delivered any more.
        """
        self._told = told
        self._url = url
        self._session = open_session(url, connect_seconds=PATIENCE, answer_seconds=PATIENCE) if url else None
        self._lag = lag
        self._delays = tuple(delays)
        self._under_way: set[asyncio.Task[None]] = set()

    @property
    def undelivered(self) -> int:
        """Return how many notices are on their way."""
        return len(self._under_way)

    def send(self, notice: GatewayNotice) -> None:
        """Deliver *notice* in the background."""
        if self._url is None:
            self._told(notice)
            return
        task = asyncio.create_task(self._deliver(notice))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def send_now(self, notice: GatewayNotice) -> None:
        """Deliver *notice* before going on; if it is not taken at once, go on and try again in the background."""
        if self._url is None or not await self._taken(notice):
            self.send(notice)

    async def drain(self) -> None:
        """Wait until every notice is delivered or given up."""
        while self._under_way:
            await asyncio.gather(*self._under_way)

    async def close(self) -> None:
        """Drop what is on its way and close all connections."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _deliver(self, notice: GatewayNotice) -> None:
        for delay in (self._lag, *self._delays):
            await asyncio.sleep(delay)
            if await self._taken(notice):
                return
        self._told(notice)
        _log.warning("webhook given up", notice=notice.event_id, intent=notice.intent_id)

    async def _taken(self, notice: GatewayNotice) -> bool:
        assert self._url is not None
        assert self._session is not None
        headers, body = {"Content-Type": "application/json"}, notice.model_dump_json().encode()
        try:
            async with self._session.post(self._url, data=body, headers=headers, allow_redirects=False) as response:
                await response.read()
        except UNANSWERED as error:
            _log.info("webhook not delivered", notice=notice.event_id, reason=code_of(error))
            return False
        taken = 200 <= response.status < 300
        if taken:
            self._told(notice)
        return taken
