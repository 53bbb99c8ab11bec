"""A scenario file as a whole, and the cases in it."""

from pathlib import Path

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from orderloom.scenarios.base import Name, Part
from orderloom.scenarios.case import Case
from orderloom.scenarios.names import name_problems
from orderloom.scenarios.source import ScenarioInvalid, Source
from orderloom.scenarios.steps import Step
from orderloom.scenarios.world import Order, World


class CaseBody(Part):
    """One case: what it changes of the file's world and orders, and its own steps after the file's."""

    world: World | None = None
    """Keys given here replace those of the file's world."""
    orders: dict[Name, Order] = {}
    """Further orders, or others in place of the file's."""
    steps: list[Step] = []


class ScenarioFile(Part):
    """A scenario: the given, the steps, the outcome. ``cases`` share the servers and the file's given and steps."""

    scenario: str
    """Its name, as shown."""
    claim: str = ""
    """What it proves, in a sentence."""
    world: World = World()
    orders: dict[Name, Order] = {}
    """Orders that steps place by name."""
    steps: list[Step] = []
    cases: dict[str, CaseBody] = {}
    """Variants by name: each runs the file's steps, then its own, in a world of its own."""

    @model_validator(mode="after")
    def _something_to_do(self) -> "ScenarioFile":
        if not self.steps and not self.cases:
            raise PydanticCustomError("no_steps", "a scenario needs 'steps' or 'cases'")
        for name, case in self.cases.items():
            if not self.steps and not case.steps:
                raise PydanticCustomError("no_steps", "case {case!r} has no steps", {"case": name, "key": "cases"})
        return self


def read_cases(path: Path) -> list[Case]:
    """
    Return the cases of the scenario file *path*, checked.

    Raises:
        ScenarioInvalid: with ``file:line:column`` of every problem.
    """
    source = Source.read(path)
    document = source.model(ScenarioFile)
    shared = [source.place(("steps", index)) for index in range(len(document.steps))]
    if not document.cases:
        bare = [("", CaseBody(), shared)]
    else:
        bare = [
            (f": {name}", body, shared + [source.place(("cases", name, "steps", i)) for i in range(len(body.steps))])
            for name, body in document.cases.items()
        ]
    cases = [_case(path, document, suffix, body, places) for suffix, body, places in bare]
    problems = [problem for case in cases for problem in name_problems(case)]
    if problems:
        raise ScenarioInvalid("\n".join(dict.fromkeys(problems)))
    return cases


def _case(path: Path, document: ScenarioFile, suffix: str, body: CaseBody, places: list[str]) -> Case:
    return Case(
        file=str(path),
        title=document.scenario + suffix,
        world=document.world.changed_by(body.world),
        orders={**document.orders, **body.orders},
        steps=(*document.steps, *body.steps),
        places=tuple(places),
    )
