"""What the orders of all scenarios have recorded is enough to run it again, to the letter."""

from sqlalchemy import select

from flows_dsl import prebuilt
from flows_dsl.compiler import compile_flow
from orderloom.bootstrap.clock import VirtualClock
from orderloom.cli.flows.simulate import Simulator
from orderloom.cli.scenario import ScenarioServers
from orderloom.persistence.tables.orders import orders
from orderloom.readmodels.moving import release_flows
from orderloom.readmodels.snapshot import snapshot
from orderloom.scenarios.runner import run_cases
from orderloom.stack import Stack
from tests.scenarios.test_scenarios import CASES
from tests.workflows.shop import flow


async def test_every_order_of_every_scenario_is_simulated_to_the_letter(stack: Stack) -> None:
    """
    Under flows that differ in nothing but their version no order would have gone otherwise, and none is unclear.

    Calls are compared with the arguments that were recorded: so are the headers that their expressions saw.
    """
    assert isinstance(stack.clock, VirtualClock)
    await run_cases(CASES, ScenarioServers(stack, stack.clock), tell=lambda _: None, prefix="sim")
    shipped = {compile_flow(prebuilt.document(name)).hash: name for name in prebuilt.names()}
    async with snapshot(stack.engine) as conn:
        rows = (await conn.execute(select(orders.c.id, orders.c.release))).all()
        own = {release: (await release_flows(conn, release, [])).flows for release in {row.release for row in rows}}

    verdicts = []
    for row in rows:
        texts = [prebuilt.text(shipped[hash]) for hash in own[row.release] if hash in shipped]
        again = [compile_flow(flow(text.replace("version: 1.0.0", "version: 9.0.0"))) for text in texts]
        verdicts.append(await Simulator(stack.engine, again, instead=True).verdict(row.id))

    assert [verdict for verdict in verdicts if verdict.outcome != "same"] == []
    assert len(verdicts) > 80
