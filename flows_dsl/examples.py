"""For each finding a flow that has it: what the reference shows, and what the tests hold the check to."""

from typing import cast

from flows_dsl.check import check_loaded
from flows_dsl.findings import Finding
from flows_dsl.loader import load
from orderloom.contracts.actions import CORE_ACTIONS, ActionContract, Nothing
from orderloom.domain.errors import OrderloomError
from orderloom.domain.model import Frozen


class FraudSuspected(OrderloomError):
    """Someone may pretend to be someone else."""

    code = "fraud.suspected"
    status = 409


MARK = "¦"
"""Stands before the character that the finding is at."""

HEAD = """\
document: {dsl: 1.0.3, namespace: shop, name: mine, version: 1.0.0}
evaluate: {language: cel}
schedule: {on: {one: {with: {type: order.placed}}}}
"""
"""What stands above an example that begins with its tasks."""

CATALOG: tuple[ActionContract[Frozen, Frozen], ...] = (
    *CORE_ACTIONS,
    cast(
        "ActionContract[Frozen, Frozen]",
        ActionContract(name="look-for-fraud", input=Nothing, output=Nothing, changes="", errors=(FraudSuspected,)),
    ),
)
"""What the examples may call: the core actions, and one of one's own."""

_TOP = "document: {dsl: 1.0.3, namespace: shop, name: mine, version: 1.0.0}\n"
_CEL = f"{_TOP}evaluate: {{language: cel}}\n"
_END = "do:\n  - it: {call: create-reservation}\n"
_RETRY = "do:\n  - it:\n      try: [{ask: {call: authorize-payment}}]\n      catch:\n        retry: "


def _task(text: str) -> str:
    return f"do:\n  - it: {text}\n"


def _starts(text: str) -> str:
    return f"{_CEL}schedule: {text}\n{_END}"


EXAMPLES: dict[str, str] = {
    "action.argument": _task("{call: raise-exception, with: {code: x, category: ¦Payments}}"),
    "action.argument_type": _task("{call: find-routes, with: {schedule: ¦'${ order.id }'}}"),
    "action.missing_argument": _task("{call: ¦find-routes}"),
    "action.unhandled_error": _task("{call: ¦look-for-fraud}"),
    "action.unknown": _task("{call: ¦create-reservaton}"),
    "action.unknown_argument": _task("{call: create-reservation, with: {¦group: berlin}}"),
    "action.unknown_major": _task("{call: ¦find-routes@9}"),
    "catch.reserved": "do:\n  - it: {try: [{ask: {call: authorize-payment}}], catch: {as: ¦order}}\n",
    "duration.constant": _RETRY + "{limit: {duration: ¦'${ order.policy.remorse }'}}\n",
    "duration.invalid": _task("{wait: ¦5 minutes}"),
    "duration.type": _task("{wait: ¦'${ order.seq }', timeout: {after: P1D}}"),
    "emit.attribute": _task("{emit: {event: {with: {type: shop.told, ¦id: x}}}}"),
    "emit.data": _task("{emit: {event: {with: {type: shop.told, data: ¦plain}}}}"),
    "emit.type": _task("{emit: {event: {with: ¦{data: {}}}}}"),
    "error.missing": _task("{raise: {error: ¦{type: broken}}}"),
    "error.status": _task("{raise: {error: {type: broken, status: ¦broken}}}"),
    "error.unknown": _task("{raise: {error: {type: broken, status: 500, ¦titel: Broken}}}"),
    "event.unknown": _task("{listen: {to: {one: {with: {type: ¦fulfilment.shiped}}}}, timeout: {after: P1D}}"),
    "event.unknown_field": _task("{emit: {event: {with: {type: exception.occurred, data: {¦cod: x}}}}}"),
    "export.never_read": _task("{call: create-reservation, export: {as: {¦found: '${ output.outcome }'}}}"),
    "expression.invalid": _task("{set: {a: '${ order.seq +¦ }'}}"),
    "expression.map_macro": _task("{set: {a: '${ ¦input.map(x, x) }'}}"),
    "expression.no_output": _task("{set: {a: '${ ¦output.x }'}}"),
    "expression.not_a_condition": _task("{if: ¦'${ order.seq + 1 }', call: create-reservation}"),
    "expression.not_allowed": f"{_TOP}schedule: {{on: {{one: {{with: {{type: order.placed}}}}}}}}\n"
    "do:\n  - it: {set: {a: '${ ¦env.HOME }'}}\n",
    "expression.too_costly": _task("{set: {a: '${ ¦" + "[1].map(a, " * 9 + "a" + ")" * 9 + " }'}}"),
    "expression.too_long": _task("{set: {a: '${ ¦1" + " + 1" * 600 + " }'}}"),
    "expression.type": _task("{if: '${ order.id ¦> 3 }', call: create-reservation}"),
    "expression.unknown_field": _task("{set: {a: '${ ¦order.moneys.captured }'}}"),
    "expression.unknown_name": _task("{set: {a: '${ ¦inptu }'}}"),
    "flow.list_item": "do:\n  - ¦a: {call: create-reservation}\n    b: {call: create-reservation}\n",
    "flow.missing": "do:\n  - it:\n      ¦listen: {}\n      timeout: {after: P1D}\n",
    "flow.shape": "¦- a list\n",
    "flow.task_kind": "do:\n  - ¦it: {wiat: PT1S}\n",
    "flow.unknown_field": _task("{set: {a: 1}, ¦thn: end}"),
    "flow.value": _task("{listen: {to: {one: {with: {type: x}}}, read: ¦everything}, timeout: {after: P1D}}"),
    "for.type": "do:\n  - it: {for: {in: ¦'${ 1 + 1 }'}, do: [{a: {call: create-reservation}}]}\n",
    "listen.attribute": _task("{listen: {to: {one: {with: {type: x, ¦sorce: y}}}}, timeout: {after: P1D}}"),
    "listen.empty": _task("{listen: {to: {any: ¦[]}}, timeout: {after: P1D}}"),
    "listen.literal": _task("{listen: {to: {one: {with: {type: x, id: ¦5}}}}, timeout: {after: P1D}}"),
    "listen.mode": _task("{listen: {to: ¦{}}, timeout: {after: P1D}}"),
    "listen.no_expect": _task(
        "{listen: {to: {one: {with: {type: x}, correlate: {¦a: {from: '${ data.a }'}}}}}, timeout: {after: P1D}}"
    ),
    "listen.no_timeout": _task("{¦listen: {to: {one: {with: {type: x}}}}}"),
    "listen.type": _task("{listen: {to: {one: {with: ¦{id: x}}}}, timeout: {after: P1D}}"),
    "listen.until": _task("{listen: {to: {one: {with: {type: x}}, ¦until: 'true'}}, timeout: {after: P1D}}"),
    "retry.backoff": _RETRY + "{limit: {attempt: {count: 2}}, backoff: ¦{}}\n",
    "retry.factor": _RETRY + "{limit: {attempt: {count: 2}}, backoff: {exponential: {factor: ¦0}}}\n",
    "retry.jitter": _RETRY + "{limit: {attempt: {count: 2}}, jitter: {from: PT2S, to: ¦PT1S}}\n",
    "retry.no_limit": _RETRY + "¦{delay: PT1S}\n",
    "retry.setting": _RETRY + "{limit: {attempt: {count: 2}}, backoff: {exponential: {¦factr: 2}}}\n",
    "run.nothing": _task("{¦run: {}}"),
    "run.recursion": _task("{run: {workflow: {namespace: shop, name: ¦mine}}}"),
    "run.unknown_flow": _task("{run: {workflow: {namespace: shop, name: ¦other}}}"),
    "schedule.collects_for": "document:\n  dsl: 1.0.3\n  namespace: shop\n  name: mine\n  version: 1.0.0\n"
    "  metadata: {¦collectsFor: PT1H}\nschedule: {on: {one: {with: {type: order.placed}}}}\n" + _END,
    "schedule.missing": "¦" + _TOP + _END,
    "schema.invalid": _task("{set: {}, input: {schema: {document: {type: ¦text}}}}"),
    "schema.missing": _task("{set: {}, input: {¦schema: {format: json}}}"),
    "schema.no_export": _task("{set: {}, export: {¦schema: {document: {type: object}}}}"),
    "set.literal": _task("{set: ¦plain}"),
    "set.never_read": "do:\n  - it: {¦set: {a: 1}}\n  - then: {call: create-reservation}\n",
    "switch.unreachable": "do:\n  - it:\n      switch:\n        - always: {then: end}\n        - ¦never: {then: end}\n",
    "task.name_reserved": "do:\n  - ¦end: {call: create-reservation}\n",
    "task.name_twice": "do:\n  - it: {call: create-reservation}\n  - ¦it: {call: create-reservation}\n",
    "task.unreachable": "do:\n  - it: {call: create-reservation, then: end}\n  - ¦lost: {call: create-reservation}\n",
    "then.unknown": _task("{call: create-reservation, then: ¦notfy}"),
    "timeout.too_long": _task("{listen: {to: {one: {with: {type: x}}}}, timeout: ¦{after: P91D}}"),
    "unsupported.attempt_duration": _RETRY + "{limit: {attempt: {count: 2, ¦duration: PT1S}}}\n",
    "unsupported.call": _task("{call: ¦grpc}"),
    "unsupported.loose": f"{_TOP}evaluate: {{language: cel, mode: ¦loose}}\n"
    f"schedule: {{on: {{one: {{with: {{type: order.placed}}}}}}}}\n{_END}",
    "unsupported.run_container": _task("{run: {¦container: {image: x}}}"),
    "unsupported.run_script": _task("{run: {¦script: {language: js, code: x}}}"),
    "unsupported.run_shell": _task("{run: {¦shell: {command: ls}}}"),
    "unsupported.schedule": _starts("{on: {one: {with: {type: order.placed, ¦id: x}}}}"),
    "unsupported.schema": _task("{set: {}, input: {schema: {¦resource: {endpoint: 'https://shop.example/x.json'}}}}"),
    "unsupported.timeout": _task("{call: create-reservation, ¦timeout: {after: PT1S}}"),
    "unsupported.use": "use: {¦secrets: [a]}\n" + _END,
    "use.unknown_error": _task("{raise: {error: ¦gone}}"),
    "use.unknown_retry": _RETRY + "¦often\n",
    "use.unknown_timeout": _task("{wait: PT1S, timeout: ¦long}"),
    "variable.reserved": "do:\n  - it: {for: {each: ¦input, in: '${ [1] }'}, do: [{a: {call: create-reservation}}]}\n",
    "variable.twice": "do:\n  - it: {for: {at: ¦item, in: '${ [1] }'}, do: [{a: {call: create-reservation}}]}\n",
    "wait.no_timeout": _task("{¦wait: '${ order.policy.remorse }'}"),
    "yaml.alias": _task("¦&a {call: create-reservation}"),
    "yaml.documents": HEAD + _END + "¦---\na: 1\n",
    "yaml.duplicate": _task("{set: {a: 1, ¦a: 2}}"),
    "yaml.key": "¦[a]: 1\n",
    "yaml.syntax": "do: [¦",
    "yaml.tag": _task("{set: {a: ¦!x 1}}"),
    "yaml.too_deep": "[" * 65 + "¦[" + "]" * 66,
    "yaml.too_large": "¦# " + "x" * 256 * 1024,
}
"""By code. What begins with ``do`` or ``use`` stands below ``HEAD``."""


def example(code: str) -> tuple[str, int, int]:
    """Return the example of a finding without its mark, and the line and column that the mark stands at."""
    marked = EXAMPLES[code]
    text = HEAD + marked if marked.startswith(("do:", "use:")) else marked
    before, _, after = text.partition(MARK)
    return before + after, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def findings_of(code: str) -> list[Finding]:
    """Return what the check says of an example."""
    loaded = load(example(code)[0])
    beside = [loaded.document] if loaded.document is not None else []
    return check_loaded(loaded, CATALOG, flows=beside)
