"""The activity that answers large routing questions."""

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import activity

from activities.beating import heard_of
from activities.processors import Processors
from activities.searching import searched
from orderloom.contracts.searching import SEARCH_ROUTES, SearchRoutes
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.domain.situation import Situation
from orderloom.persistence.tables.fulfillment import routing_searches
from orderloom.persistence.transactions import Transaction

_questions = routing_searches.c
_ASKED = (
    _questions.order_id == bindparam("of_order"),
    _questions.key == bindparam("of_key"),
    _questions.attempted.is_(None),
)
_READ = select(_questions.policy, _questions.situation).where(*_ASKED)
_KEEP = update(routing_searches).where(*_ASKED).values(attempted=bindparam("found"))


class Searches:
    """Searches for routes."""

    def __init__(self, engine: AsyncEngine, processors: Processors) -> None:
        """Take the database where questions and answers lie, and where searching is done."""
        self._engine = engine
        self._processors = processors

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
            found = await self._processors.run(_search, policy, situation)
            async with Transaction(self._engine) as conn:
                await conn.execute(_KEEP, {**asked, "found": found})


def _search(policy: RoutingPolicy, situation: Situation) -> object:
    return searched(policy, situation).model_dump(mode="json")
