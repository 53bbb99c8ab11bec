"""The activity that answers large routing questions: in processes of its own, so that nobody else waits meanwhile."""

import asyncio
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from threading import Thread
from types import TracebackType
from typing import Self

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import activity

from activities.beating import heard_of
from activities.searching import searched
from orderloom.contracts.searching import SEARCH_ROUTES, SearchRoutes
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.domain.situation import Situation
from orderloom.persistence.tables.fulfillment import routing_searches

PROCESSES = max(1, (os.cpu_count() or 1) // 2)
"""Searches at once; the other processors are for all else."""

_questions = routing_searches.c
_ASKED = (
    _questions.order_id == bindparam("of_order"),
    _questions.key == bindparam("of_key"),
    _questions.attempted.is_(None),
)
_READ = select(_questions.policy, _questions.situation).where(*_ASKED)
_KEEP = update(routing_searches).where(*_ASKED).values(attempted=bindparam("found"))


class Searches:
    """Searches for routes, within the block. Processes start with the first question and end with this one."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Take the database where questions and answers lie."""
        self._engine = engine
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @activity.defn(name=SEARCH_ROUTES)
    async def search_routes(self, question: SearchRoutes) -> None:
        """Answer the question and keep the answer beside it; one that has its answer, or is gone, is left alone."""
        asked = {"of_order": question.order_id, "of_key": question.key}
        async with heard_of():
            async with self._engine.connect() as conn:
                row = (await conn.execute(_READ, asked)).one_or_none()
            if row is None:
                return
            policy, situation = RoutingPolicy.model_validate(row.policy), Situation.model_validate(row.situation)
            found = await self._elsewhere(policy, situation)
            async with self._engine.begin() as conn:
                await conn.execute(_KEEP, {**asked, "found": found})

    async def _elsewhere(self, policy: RoutingPolicy, situation: Situation) -> object:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn"), initializer=_begin)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, _search, policy, situation)
        except BrokenProcessPool:
            # A process of it has been killed: the next attempt begins with new ones.
            self._end()
            raise

    def _end(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


def _search(policy: RoutingPolicy, situation: Situation) -> object:
    return searched(policy, situation).model_dump(mode="json")


def _begin() -> None:
    """Let this process end with the one that started it, however that ends, and not by Ctrl-C before it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
