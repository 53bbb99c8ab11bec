"""Finds errors of actions that nobody would hear of: no catch takes them, and no category says whom they concern."""

from collections.abc import Iterator, Mapping

from flows_dsl import model
from flows_dsl.compiler import Items, blocks
from flows_dsl.expressions import unwrap
from flows_dsl.findings import escape
from flows_dsl.notes import Note
from flows_dsl.problems import OURS
from orderloom.contracts.actions import ActionContract
from orderloom.domain.errors import OrderloomError
from orderloom.domain.exceptions import has_category
from orderloom.domain.model import Frozen, Json

type Actions = Mapping[str, ActionContract[Frozen, Frozen]]


def error_findings(
    pointer: str, items: Items, actions: Actions, catches: tuple[model.Catch, ...] = ()
) -> Iterator[Note]:
    """Yield the errors of the calls in a list, at any depth, that nothing takes; *catches* are those around it."""
    for at, (name, task) in enumerate((name, task) for item in items for name, task in item.items()):
        here = f"{pointer}/{at}/{escape(name)}"
        if isinstance(task, model.CallTask) and (contract := actions.get(task.call)) is not None:
            yield from _call(here, contract, catches)
        for part, inner in zip(_parts(task), blocks(task), strict=True):
            around = (*catches, task.catch) if isinstance(task, model.TryTask) and part == "try" else catches
            yield from error_findings(f"{here}/{part}", inner, actions, around)


def _call(pointer: str, contract: ActionContract[Frozen, Frozen], catches: tuple[model.Catch, ...]) -> Iterator[Note]:
    for error in contract.errors:
        if not has_category(error.code) and not any(_takes(each, error) for each in catches):
            message = f"The error {error.code!r} of {contract.name} has no handler and no exception category."
            yield Note(f"{pointer}/call", "action.unhandled_error", message, "Catch it with try.")


def _takes(catch: model.Catch, error: type[OrderloomError]) -> bool:
    """Return whether *catch* may take *error*: what is only known when the flow runs counts as yes."""
    known: dict[str, Json] = {"type": f"{OURS}{error.code}", "code": error.code, "status": error.status}
    wanted = catch.errors.with_ if catch.errors is not None else {}
    return all(
        name not in known or value == known[name] or (isinstance(value, str) and unwrap(value) is not None)
        for name, value in wanted.items()
    )


def _parts(task: model.Task | model.BrokenTask) -> list[str]:
    """Return where the lists of tasks stand in *task*, in the order of ``blocks``."""
    match task:
        case model.TryTask():
            return ["try", "catch/do"] if task.catch.do else ["try"]
        case model.ForkTask():
            return ["fork/branches"]
        case model.ListenTask():
            return ["foreach/do"] if task.foreach and task.foreach.do else []
        case _:
            return ["do"] if blocks(task) else []
