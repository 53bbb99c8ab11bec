"""``use.functions``: calls of a flow's own, and the tasks that stand for a call of one."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from flows_dsl.model import FlowDocument
from orderloom.contracts.contract import ActionContract
from orderloom.domain.model import Frozen, JsonObject


def functions_of(
    document: FlowDocument, actions: Mapping[str, ActionContract[Frozen, Frozen]]
) -> dict[str, ActionContract[Frozen, Frozen]]:
    """Return by name the contracts of the functions that call an action and hand on what it returns."""
    return {
        name: actions[function.call]
        for name, function in document.use.functions.items()
        if function.call in actions and (function.output is None or function.output.as_ is None)
    }


def inlined(flow: JsonObject, tasks: Iterable[dict[str, Any]]) -> None:
    """
    Replace in *flow* calls of its functions by what they are, and drop the functions; *tasks* are all of its tasks.

    A call becomes a ``do`` of one task, the function, whose input is what the call gives ``with``, or the input of the
    task when it gives nothing. All else that the task says stays with it.
    """
    use = cast("JsonObject", flow.get("use", {}))
    functions = cast("Mapping[str, JsonObject]", use.pop("functions", {}))
    if not functions:
        return
    for task in list(tasks):
        name = str(task.get("call"))
        if name in functions:
            del task["call"]
            task["do"] = [{name: _called(functions[name], name, task.pop("with", None))}]
    if not use:
        del flow["use"]


def _called(function: JsonObject, name: str, given: Any) -> JsonObject:
    if given is None:
        return dict(function)
    if "input" not in function:
        return {**function, "input": {"from": given}}
    return {"input": {"from": given}, "do": [{name: dict(function)}]}
