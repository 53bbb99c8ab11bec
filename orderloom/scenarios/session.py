"""Runs one case: its world, its steps one after the other, and what differs from what it demands."""

import asyncio
from datetime import datetime
from typing import Protocol

import httpx
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from orderloom.bootstrap.clock import VirtualClock
from orderloom.bootstrap.delivery import Courier
from orderloom.domain.errors import OrderloomError
from orderloom.domain.model import Frozen
from orderloom.persistence.vault import Vault
from orderloom.persistence.world import change_stock
from orderloom.readmodels.doctor import examine
from orderloom.readmodels.snapshot import snapshot
from orderloom.scenarios.case import Case
from orderloom.scenarios.checking import Checker
from orderloom.scenarios.clerk import Answer, Clerk
from orderloom.scenarios.compare import Difference, differences, tree
from orderloom.scenarios.expectation import Expectation
from orderloom.scenarios.names import Namespace, placed_names
from orderloom.scenarios.previews import balances, balances_tree, unlike_preview
from orderloom.scenarios.setup import set_up
from orderloom.scenarios.steps import Abandon, Attend, Change, Place, Reschedule, Resolve, Route, Step, Work
from orderloom.scenarios.stock_clerk import StockClerk
from orderloom.scenarios.timeline import IN_FLIGHT, Beside, Timeline
from worker.pooling import RoutingPools
from worker.proposing import Proposals
from worker.timers import Timers


class Servers(Protocol):
    """What a case runs against: the running system, with a clock of its own."""

    @property
    def engine(self) -> AsyncEngine:
        """Return the database."""
        ...

    @property
    def vault(self) -> Vault:
        """Return the keys."""
        ...

    @property
    def client(self) -> Client:
        """Return the Temporal client."""
        ...

    @property
    def clock(self) -> VirtualClock:
        """Return the clock that the whole system goes by."""
        ...

    @property
    def api_url(self) -> str:
        """Return the address of the API."""
        ...

    @property
    def gateway_url(self) -> str:
        """Return the address of the sandbox gateway."""
        ...


class Found(Frozen):
    """A difference, and the step that found it."""

    place: str
    """``file:line:column``."""
    step: str
    difference: Difference


class Session:
    """One case under way."""

    def __init__(self, case: Case, names: Namespace, servers: Servers, clerk: Clerk) -> None:
        self._case = case
        self._names = names
        self._servers = servers
        self._clerk = clerk
        beside = Beside(
            timers=Timers(servers.engine, servers.vault, servers.clock),
            proposals=Proposals(servers.engine, servers.vault, servers.clock),
            pools=RoutingPools(servers.engine, Courier(servers.client, servers.engine, servers.clock), servers.clock),
        )
        self._timeline = Timeline(servers.client, servers.engine, servers.clock, beside)
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._start: datetime = servers.clock.now()
        self._stock = StockClerk(clerk, case.world, names, self._start)

    async def run(self) -> list[Found]:
        """Run every step; return what differs. After a step that cannot be carried out the rest is left out."""
        found: list[Found] = []
        place, doing = f"{self._case.file}:1:1", "world"
        try:
            await set_up(self._servers.engine, self._case, self._names, self._start)
            await self._clerk.forgive()
            for step, place in zip(self._case.steps, self._case.places, strict=True):  # told below
                doing = step.kind
                found += [Found(place=place, step=doing, difference=one) for one in await self._step(step)]
            doing = "books"
            found += [Found(place=place, step=doing, difference=one) for one in await self._books()]
        except (OrderloomError, httpx.HTTPError) as error:
            failed = Difference(path=doing, expected="it can be done", actual=str(error) or repr(error))
            found.append(Found(place=place, step=doing, difference=failed))
        return found

    async def _step(self, step: Step) -> list[Difference]:
        found = await self._do(step)
        if step.expect is None:
            await self._timeline.settle(self._ids())
        return found

    async def _do(self, step: Step) -> list[Difference]:
        """Carry out a step and return what of its own demands is not so."""
        match step:
            case Step(place=Place() as place):
                return await self._place(place)
            case Step(cancel=Change() as change):
                return await self._change("cancel", change)
            case Step(return_=Change() as change):
                return await self._change("return", change)
            case Step(expect=Expectation() as expectation):
                return await self._expect(expectation)
            case _:
                return await self._other(step)

    async def _other(self, step: Step) -> list[Difference]:
        match step:
            case Step(route=Route() as asked):
                answer = await self._clerk.route(asked.order)
            case Step(reschedule=Reschedule() as asked):
                answer = await self._clerk.reschedule(asked, self._start)
            case Step(abandon=Abandon() as asked):
                answer = await self._clerk.abandon(asked)
            case Step(attend=Attend() as asked):
                answer = await self._clerk.attend(asked)
            case Step(work=Work() as asked):
                answer = await self._clerk.work(asked)
            case Step(resolve=Resolve() as asked):
                answer = await self._clerk.resolve(asked)
            case Step(stock_step=stock_step) if stock_step is not None:
                return await self._stock.do(stock_step)
            case _:
                await self._happen(step)
                return []
        return answer.unlike(asked.refused)

    async def _happen(self, step: Step) -> None:
        """Let happen what nobody can refuse."""
        if step.report is not None:
            await self._clerk.report(step.report)
        elif step.restock is not None:
            await self._restock(step.restock)
        elif step.gateway is not None:
            await self._clerk.misbehave(step.gateway)
        elif step.advance_seconds is not None:
            await self._timeline.advance(self._ids(), step.advance_seconds)

    async def _expect(self, expectation: Expectation) -> list[Difference]:
        async with snapshot(self._servers.engine) as conn:
            checker = Checker(conn, self._case.world.currency, self._names, self._start)
            return await checker.check(expectation, self._clerk.orders, await self._clerk.operations())

    async def _books(self) -> list[Difference]:
        """Return what is not right with the books of the case's orders, whatever the scenario demands."""
        async with snapshot(self._servers.engine) as conn:
            examined = await examine(conn)
        mine = {None, *self._ids()}
        return [
            Difference(
                path=f"{finding.check} {finding.subject}", expected=str(finding.expected), actual=str(finding.found)
            )
            for finding in examined.findings
            if finding.order in mine
        ]

    def _ids(self) -> list[str]:
        return list(self._clerk.orders.values())

    async def _place(self, place: Place) -> list[Difference]:
        order = self._case.orders[place.order]

        async def one(name: str) -> Answer:
            async with self._slots:
                return await self._clerk.place(name, order, self._case.world.currency, self._servers.clock.now())

        answers = await asyncio.gather(*(one(name) for name in placed_names(place)))
        return [difference for answer in answers for difference in answer.unlike(place.refused)]

    async def _change(self, kind: str, change: Change) -> list[Difference]:
        found: list[Difference] = []
        previewed: dict[str, int] | None = None
        if change.preview is not None:
            said = await self._clerk.preview(kind, change)
            found += said.unlike(None)
            if not found:
                previewed = balances(said.body)
                actual = balances_tree(previewed, self._case.world.currency)
                found += differences(tree(change.preview), actual, f"{kind}.preview")
        if change.preview_only:
            return found
        found += (await self._clerk.change(kind, change)).unlike(change.refused)
        if previewed is not None and change.refused is None and not found:
            await self._timeline.settle(self._ids())
            async with snapshot(self._servers.engine) as conn:
                found += await unlike_preview(conn, self._clerk.orders[change.order], previewed)
        return found

    async def _restock(self, added: dict[str, dict[str, int]]) -> None:
        async with self._servers.engine.begin() as conn:
            for location, skus in sorted(added.items()):
                for sku, quantity in sorted(skus.items()):
                    where, what = self._names.inside(location), self._names.inside(sku)
                    await change_stock(conn, where, what, quantity, "restock", self._servers.clock.now())
