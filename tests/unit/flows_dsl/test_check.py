"""The check of flows: everything at once, each with its line, column, code and remedy."""

import pytest

from flows_dsl import prebuilt
from flows_dsl.check import check_text
from flows_dsl.examples import CATALOG

HEAD = """\
document:
  dsl: 1.0.3
  namespace: shop
  name: mine
  version: 1.0.0
evaluate:
  language: cel
schedule:
  on:
    one:
      with:
        type: order.placed
"""


def _findings(body: str, head: str = HEAD) -> list[tuple[int, int, str]]:
    return [(it.line, it.column, it.code) for it in check_text(head + body)]


@pytest.mark.parametrize("name", prebuilt.names())
def test_prebuilt_flows_are_clean(name: str) -> None:
    """Every flow that ships passes its own check."""
    assert check_text(prebuilt.text(name)) == []


def test_all_findings_come_at_once() -> None:
    """Errors of shape, names, types and jumps are told in one go, by line."""
    body = """\
do:
  - reserve:
      call: create-reservaton
  - ship:
      call: fulfill-reservation
      with:
        fulfilment_order: 100001-F1
      then: notfy
  - pause:
      wiat: PT1S
  - hold:
      if: ${ order.money.captured + 1 }
      wait: 5 minutes
  - tell:
      call: raise-exception
      with:
        category: Payments
        code: ${ order.moneys.captured }
"""
    found = check_text(HEAD + body)

    assert [(it.line, it.column, it.code) for it in found] == [
        (15, 13, "action.unknown"),
        (18, 7, "action.missing_argument"),
        (19, 9, "action.unknown_argument"),
        (20, 13, "then.unknown"),
        (21, 5, "flow.task_kind"),
        (24, 11, "expression.not_a_condition"),
        (25, 13, "duration.invalid"),
        (29, 19, "action.argument"),
        (30, 18, "expression.unknown_field"),
    ]
    assert found[0].remedy == "Did you mean 'create-reservation'?"
    assert found[2].remedy == "Did you mean 'fulfillment_order'?"
    assert found[4].remedy == "Did you mean 'wait'?"
    assert found[8].remedy == "Did you mean 'money'?"
    assert found[8].pointer == "/do/4/tell/with/code"


@pytest.mark.parametrize(
    ("task", "code", "line", "column"),
    [
        pytest.param("fork: {branches: []}", "flow.value", 15, 24, id="fork-of-nothing"),
        pytest.param("fork: {branches: [{a: {set: {}, then: b}}, {b: {set: {}}}]}", "then.unknown", 15, 45, id="fork"),
        pytest.param("for: {in: '\"a\"'}\n      do: [{a: {set: {}}}]", "for.type", 15, 17, id="for-no-list"),
        pytest.param(
            "for: {each: input, in: '[1]'}\n      do: [{a: {set: {}}}]", "variable.reserved", 15, 19, id="for-reserved"
        ),
        pytest.param(
            "for: {at: item, in: '[1]'}\n      do: [{a: {set: {}}}]", "variable.twice", 15, 17, id="for-twice"
        ),
        pytest.param(
            "for: {in: '[1]'}\n      while: item + 1\n      do: [{a: {set: {}}}]",
            "expression.not_a_condition", 16, 14, id="while",
        ),
        pytest.param("run: {script: {language: js, code: x}}", "unsupported.run_script", 15, 13, id="script"),
        pytest.param("run: {shell: {command: x}}", "unsupported.run_shell", 15, 13, id="shell"),
        pytest.param("run: {container: {image: x}}", "unsupported.run_container", 15, 13, id="container"),
        pytest.param("run: {}", "run.nothing", 15, 7, id="run-nothing"),
        pytest.param(
            "run: {workflow: {namespace: shop, name: other}}", "run.unknown_flow", 15, 47, id="run-unknown"
        ),
        pytest.param("call: http\n      with: {method: get}", "action.missing_argument", 16, 7, id="http"),
        pytest.param(
            "call: openapi\n      with: {document: {endpoint: 'http://x'}, operationId: a, body: 1}",
            "action.unknown_argument", 16, 64, id="openapi",
        ),
        pytest.param("call: grpc", "unsupported.call", 15, 13, id="grpc"),
        pytest.param("call: asyncapi", "unsupported.call", 15, 13, id="asyncapi"),
        pytest.param("call: find-routes@2", "action.unknown_major", 15, 13, id="major"),
        pytest.param("listen: {to: {one: {with: {type: a}}}}", "listen.no_timeout", 15, 7, id="listen-for-ever"),
        pytest.param(
            "listen: {to: {one: {with: {type: order.approved}}}}\n      timeout: {after: P1D}",
            "event.unknown", 15, 40, id="event",
        ),
        pytest.param(
            "listen: {to: {one: {with: {type: a}}, until: 'true'}}\n      timeout: {after: P1D}",
            "listen.until", 15, 45, id="until-one",
        ),
        pytest.param(
            "listen: {to: {any: [{with: {type: a}}], until: 'size(events)'}}\n      timeout: {after: P1D}",
            "expression.not_a_condition", 15, 54, id="until-number",
        ),
        pytest.param(
            "listen: {to: {one: {with: {type: a}, correlate: {x: {from: data.x}}}}}\n      timeout: {after: P1D}",
            "listen.no_expect", 15, 56, id="no-expect",
        ),
        pytest.param(
            "listen: {to: {one: {with: {type: a}}}}\n      foreach: {item: order}\n      timeout: {after: P1D}",
            "variable.reserved", 16, 23, id="foreach-reserved",
        ),
        pytest.param("wait: '${ order.policy.remorse }'", "wait.no_timeout", 15, 7, id="wait-for-ever"),
        pytest.param("raise: {error: gone}", "use.unknown_error", 15, 22, id="unknown-error"),
        pytest.param("set: {a: '${ nope }'}", "expression.unknown_name", 15, 20, id="unknown-name"),
        pytest.param("set: {a: '${ input.map(x, x) }'}", "expression.map_macro", 15, 20, id="map-macro"),
        pytest.param("set: {a: '${ output.x }'}", "expression.no_output", 15, 20, id="no-output-yet"),
        pytest.param("emit: {event: {with: {data: {}}}}", "emit.type", 15, 28, id="emit-without-type"),
        pytest.param(
            "call: find-routes\n      with: {schedule: '${ order.id + \"x\" }'}",
            "action.argument_type", 16, 24, id="type",
        ),
    ],
)  # fmt: skip
def test_each_rule_has_its_place(task: str, code: str, line: int, column: int) -> None:
    """A rule that is broken is told with exactly its line and column, and nothing else is."""
    assert _findings(f"do:\n  - it:\n      {task}\n", HEAD) == [(line, column, code)]


@pytest.mark.parametrize(
    ("schedule", "code", "line", "column"),
    [
        pytest.param("every: PT1H", "unsupported.schedule", 9, 3, id="every"),
        pytest.param("cron: 0 0 * * *", "unsupported.schedule", 9, 3, id="cron"),
        pytest.param("after: PT1H", "unsupported.schedule", 9, 3, id="after"),
        pytest.param("on: {all: []}", "listen.empty", 9, 13, id="all-of-nothing"),
        pytest.param(
            "on: {one: {with: {type: a}, correlate: {x: {from: data.x}}}}",
            "unsupported.schedule",
            9,
            31,
            id="correlate-one",
        ),
        pytest.param(
            "on: {all: [{with: {type: a}, correlate: {x: {from: data.x, expect: 1}}}]}",
            "unsupported.schedule",
            9,
            62,
            id="expect",
        ),
        pytest.param("on: {any: [{with: {type: a}}], until: 'true'}", "unsupported.schedule", 9, 34, id="until"),
        pytest.param("on: {one: {with: {type: a, data: {x: 1}}}}", "unsupported.schedule", 9, 30, id="filter"),
        pytest.param("on: {one: {with: {}}}", "listen.type", 9, 20, id="no-type"),
    ],
)
def test_a_schedule_is_an_event_of_the_order(schedule: str, code: str, line: int, column: int) -> None:
    """Times and correlations that cannot start an order's flow are refused with the reason."""
    head = HEAD.partition("schedule:")[0] + f"schedule:\n  {schedule}\n"
    found = [it for it in _findings("do:\n  - it:\n      set: {}\n", head) if it[2] != "schedule.missing"]

    assert found == [(line, column, code)]


def test_tasks_that_nothing_reaches_are_told() -> None:
    """A task behind an end that no jump leads to is unreachable; one behind a condition is not."""
    body = """\
do:
  - first:
      if: ${ order.seq > 1 }
      set: {}
      then: end
  - second:
      switch:
        - a: {when: '${ order.seq > 2 }', then: fourth}
        - b: {then: end}
        - c: {when: '${ order.seq > 3 }', then: end}
        - d: {then: end}
  - third:
      set: {}
  - fourth:
      raise: {error: {type: broken, status: 500}}
  - fifth:
      set: {}
"""

    assert _findings(body) == [
        (23, 11, "switch.unreachable"),
        (24, 5, "task.unreachable"),
        (28, 5, "task.unreachable"),
    ]


def test_retries_and_catches_are_checked() -> None:
    """A retry needs an end, and jitter the least first; a catch names fields that errors have."""
    body = """\
use:
  retries:
    never: {delay: PT1S}
do:
  - it:
      try:
        - ask: {call: authorize-payment}
      catch:
        as: order
        errors: {with: {stat: 402}}
        retry:
          delay: PT1S
          jitter: {from: PT2S, to: PT1S}
          limit: {attempt: {count: 2}}
  - other:
      try:
        - ask: {call: authorize-payment}
      catch: {retry: nevr}
"""

    assert _findings(body) == [
        (15, 12, "retry.no_limit"),
        (21, 13, "catch.reserved"),
        (22, 25, "error.unknown"),
        (25, 36, "retry.jitter"),
        (30, 22, "use.unknown_retry"),
    ]


def test_a_jq_flow_is_checked_as_jq() -> None:
    """The environment is refused inside string interpolation too, with the place of its name."""
    head = HEAD.replace("cel", "jq")
    body = """\
do:
  - it:
      set:
        a: ${ "x\\(env.HOME)" }
"""

    assert _findings(body, head) == [(16, 19, "expression.not_allowed")]


def test_timeouts_are_at_most_90_days() -> None:
    """A listen may not outlive the release's maximum; a named timeout must be declared."""
    body = """\
use:
  timeouts:
    long: {after: P91D}
do:
  - a:
      listen: {to: {one: {with: {type: x}}}}
      timeout: long
  - b:
      listen: {to: {any: [{with: {type: x}}]}}
      timeout: lon
  - c:
      call: create-reservation
      timeout: {after: PT1S}
"""

    assert _findings(body) == [
        (19, 16, "timeout.too_long"),
        (22, 16, "use.unknown_timeout"),
        (25, 7, "unsupported.timeout"),
    ]


def test_unsupported_parts_of_use_and_data_are_refused() -> None:
    """Catalogs, secrets and schemas elsewhere have a reason each for not being here."""
    body = """\
use:
  catalogs: {}
  secrets: [a]
input:
  schema: {resource: {endpoint: https://shop.example/x.json}}
do:
  - it:
      set: plain
"""

    assert _findings(body) == [
        (14, 3, "unsupported.use"),
        (15, 3, "unsupported.use"),
        (17, 12, "unsupported.schema"),
        (20, 12, "set.literal"),
    ]


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        pytest.param(
            "  - a: {call: create-invoice, with: {fulfillment_order: '${ workflow.input[0].data.order }'}}\n",
            [(14, 61, "expression.unknown_field", "Known: channel, external_id.")],
            id="event",
        ),
        pytest.param(
            "  - a: {call: create-reservation}\n  - b: {set: {x: '${ input.outcom }'}}\n",
            [(15, 22, "expression.unknown_field", "Did you mean 'outcome'?")],
            id="action",
        ),
        pytest.param(
            "  - a: {call: create-reservation, output: {as: {found: '${ output.outcome }'}}}\n"
            "  - b: {set: {x: '${ input.found }', y: '${ input.outcome }'}}\n",
            [(15, 45, "expression.unknown_field", "Known: found.")],
            id="output-as",
        ),
        pytest.param(
            "  - a: {call: create-reservation, export: {as: {found: '${ output.outcome }'}}}\n"
            "  - b: {set: {x: '${ context.found }', y: '${ context.fond }'}}\n",
            [(15, 47, "expression.unknown_field", "Did you mean 'found'?")],
            id="export",
        ),
        pytest.param(
            "  - a: {listen: {to: {one: {with: {type: invoice.created}}}}, timeout: {after: P1D}}\n"
            "  - b: {set: {x: '${ input[0].total }', y: '${ input[0].totl }'}}\n",
            [(15, 48, "expression.unknown_field", "Did you mean 'total'?")],
            id="listen",
        ),
        pytest.param(
            "  - a: {if: '${ order.seq > 1 }', call: create-reservation}\n"
            "  - b: {set: {x: '${ input.outcome }', y: '${ input[0].id }', z: '${ input.nothing }'}}\n",
            [(15, 70, "expression.unknown_field", "Known: outcome, short.")],
            id="either-way",
        ),
        pytest.param(
            "  - a: {call: create-reservation}\n  - b: {if: '${ input.outcome > 3 }', set: {}}\n",
            [(15, 31, "expression.type", "See what types the fields have, and convert with string() or int().")],
            id="type",
        ),
        pytest.param(
            "  - a: {if: '${ order.id }', set: {}}\n",
            [(14, 13, "expression.not_a_condition", "Compare it with something.")],
            id="condition",
        ),
        pytest.param(
            "  - a: {try: [{b: {call: authorize-payment}}], catch: {do: [{c: {set: {x: '${ error.statu }'}}}]}}\n",
            [(14, 79, "expression.unknown_field", "Did you mean 'status'?")],
            id="catch",
        ),
        pytest.param(
            "  - a:\n      listen: {to: {one: {with: {type: invoice.created, data: '${ data.totl > 3 }'}}}}\n"
            "      timeout: {after: P1D}\n",
            [(15, 67, "expression.unknown_field", "Did you mean 'total'?")],
            id="filter",
        ),
        pytest.param(
            "  - a: {set: {x: '${ inptu.a }'}}\n",
            [(14, 22, "expression.unknown_name", "Did you mean 'input'?")],
            id="variable",
        ),
    ],
)
def test_data_is_followed_through_the_flow(tasks: str, expected: list[tuple[int, int, str, str]]) -> None:
    """What an expression reads is known from the event, the actions and the tasks before it."""
    found = check_text(f"{HEAD}do:\n{tasks}")

    assert [(it.line, it.column, it.code, it.remedy) for it in found] == expected


@pytest.mark.parametrize(
    "tasks",
    [
        "  - a: {set: {n: 1}}\n  - b: {if: '${ has(input.m) }', set: {n: '${ input.n }', m: '${ input }'}, then: b}\n",
        "  - a: {for: {in: '[1]'}, do: [{b: {set: {x: 1}}}]}\n  - c: {if: '${ input.x == 1 }', set: {}}\n",
        "  - a: {call: create-reservation}\n  - b: {if: '${ has(input.outcome) }', set: {}}\n",
        "  - a: {if: '${ order.money.captured > 0.5 || order.id == null }', set: {}}\n",
        "  - a: {try: [{b: {call: create-reservation}}], catch: {}}\n  - c: {set: {x: '${ input.outcome }'}}\n",
    ],
)
def test_what_may_be_there_is_not_told(tasks: str) -> None:
    """A field that only some ways lead to, a loop, a presence test and numbers of two kinds are no findings."""
    assert check_text(f"{HEAD}do:\n{tasks}") == []


@pytest.mark.parametrize(
    "tasks",
    [
        "  - a: {set: {x: 1}}\n",
        "  - a: {set: {x: 1}}\n  - b: {wait: PT1S}\n  - c: {set: {y: '${ input.x }'}}\n",
        "  - a: {set: {x: 1}}\n  - b: {if: '${ order.seq > 1 }', call: create-reservation}\n",
        "  - a: {call: create-reservation, export: {as: {x: '${ output.outcome }'}}}\n"
        "  - b: {set: {y: '${ context.x }'}}\n",
        "  - a: {try: [{b: {call: look-for-fraud}}], catch: {errors: {with: {status: 409}}}}\n",
    ],
)
def test_what_is_read_or_caught_somewhere_is_not_told(tasks: str) -> None:
    """Output that a later task, the flow's end or another way reads, and errors that a catch takes, are no findings."""
    assert check_text(f"{HEAD}do:\n{tasks}", catalog=CATALOG) == []
