"""`orderloom flows test`: what it tells of cases that pass, that fail, and that are not valid."""

import json
from pathlib import Path
from time import perf_counter
from xml.etree import ElementTree

import pytest

from flows_dsl import prebuilt
from flows_dsl.cases.coverage import coverage
from flows_dsl.cases.playing import play_case
from flows_dsl.cases.reader import read_book
from flows_dsl.cases.reference import reference_page
from orderloom.cli.flows.cases import run_cases

SHIPPED = Path(str(prebuilt.__file__)).parent

FLOW = """
document: {dsl: 1.0.3, namespace: shop, name: approve, version: 1.0.0}
evaluate: {language: cel}
schedule: {on: {one: {with: {type: order.placed}}}}
do:
  - secure:
      try:
        - ask: {call: authorize-payment}
      catch:
        errors: {with: {status: 402}}
        do:
          - give-back: {call: release-reservation, then: end}
  - await-approval:
      listen: {to: {one: {with: {type: shop.approved}}}}
      timeout: {after: P1D}
  - tell:
      emit: {event: {with: {type: order.released, data: {by: "${ input[0].who }"}}}}
"""


def _write(directory: Path, cases: str, flow: str = FLOW) -> Path:
    (directory / "approve.yaml").write_text(flow)
    path = directory / "approve.test.yaml"
    path.write_text(cases)
    return path


def _status(*paths: Path, **options: object) -> int | str | None:
    with pytest.raises(SystemExit) as left:
        run_cases(*paths, **options)  # pyright: ignore[reportArgumentType]
    return left.value.code


@pytest.mark.parametrize("name", prebuilt.names())
def test_flows_that_ship_are_covered_and_pass(name: str) -> None:
    """Every case passes, and together they take every task and every catch."""
    book = read_book(SHIPPED / f"{name}.test.yaml")
    assert book.findings == []
    assert book.flow is not None
    assert book.file is not None

    results = [play_case(book.flow, book.file, case) for case in book.cases]

    assert [(it.case.case, it.differences) for it in results if not it.passed] == []
    found = coverage(book.flow, (it.played for it in results))
    assert (found.missed, found.share) == ((), 1)


def test_events_come_in_virtual_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An event after hours takes no time, one after the timeout comes too late, and none at all is no error."""
    path = _write(
        tmp_path,
        """
actions: {authorize-payment: {returns: {amount: 1}}}
cases:
  - case: In time
    events: [{type: shop.approved, after: PT23H, data: {who: Ada}}]
    expect:
      path: [secure, secure/ask, await-approval, tell]
      emits: [{type: order.released, with: {by: Ada}}]
      takes: PT23H
  - case: Too late
    events: [{type: shop.approved, after: P2D, data: {who: Ada}}]
    expect: {emits: [], takes: P1D, faulted: {type: timeout, task: await-approval}}
""",
    )
    assert (_status(path), capsys.readouterr().out) == (0, "2 cases, none failed\n")


def test_the_outside_answers_what_the_case_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Text, an object, or an error that the flow catches; nothing is sent."""
    flow = """
document: {dsl: 1.0.3, namespace: shop, name: approve, version: 1.0.0}
evaluate: {language: cel}
schedule: {on: {one: {with: {type: order.placed}}}}
do:
  - attempt:
      try: [{ask: {call: http, with: {method: get, endpoint: 'http://scores.example/', query: {id: '${ order.id }'}}}}]
      catch:
        errors: {with: {type: https://serverlessworkflow.io/spec/1.0.0/errors/communication}}
        do: [{none: {set: {score: 0}}}]
  - tell: {emit: {event: {with: {type: shop.scored, data: {score: '${ input.score }'}}}}}
"""
    cases = """
cases:
  - case: Answered
    actions: {http: {returns: {score: 7}}}
    expect:
      calls: [{action: http, having: {query: {id: "100001"}}}]
      emits: [{type: shop.scored, with: {score: 7}}]
  - case: Silent
    actions: {http: {fault: communication}}
    expect: {emits: [{type: shop.scored, with: {score: 0}}]}
  - case: Text
    actions: {http: {returns: seven}}
    expect: {faulted: {type: expression, task: tell}, emits: []}
"""
    path = _write(tmp_path, cases, flow)

    assert (_status(path), capsys.readouterr().out) == (0, "3 cases, none failed\n")


def test_a_case_that_fails_shows_where_the_paths_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """File and line of the case, what was expected (-) and what happened (+), and exit status 1."""
    path = _write(
        tmp_path,
        """cases:
  - case: Declined
    actions:
      authorize-payment: {fault: payment.declined, detail: No.}
      release-reservation: {returns: {units: 1}}
    expect:
      path: [secure, ask, tell]
      calls: [{action: authorize-payment, with: {}}]
      output: {units: 2}
""",
    )
    assert _status(path) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"FAILED {path}:2 Declined",
        "  path:",
        "      secure",
        "      ask",
        "    - tell",
        "    + give-back",
        "  calls:",
        "      authorize-payment {} by ask",
        "    + release-reservation {} by give-back",
        "  outcome:",
        '    - completed with {"units":2}',
        '    + completed with {"units":1}',
        "1 case, 1 failed",
    ]


def test_an_action_without_an_answer_fails_the_case(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is made up for an action that the case says nothing of."""
    path = _write(tmp_path, "cases: [{case: Bare, expect: {faulted: cases.unanswered}}]")

    assert _status(path) == 1
    assert "    ! the case does not say what it answers; add it under actions or tasks" in capsys.readouterr().out


def test_what_is_wrong_with_a_file_is_told_by_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Shape, names, answers, faults and arguments are all checked at once, nothing is run, exit status 2."""
    path = _write(
        tmp_path,
        """start: order.place
order: {units: {opn: 1}}
actions:
  authorize-paiment: {returns: {}}
  authorize-payment: {fault: payment.decline}
  release-reservation: {returns: {units: many}}
cases:
  - case: One
    expect:
      path: [secure, asks]
      calls: [{action: release-reservation, with: {all: true}}]
""",
    )
    assert _status(path) == 2
    assert capsys.readouterr().out.splitlines() == [
        f"{path}:1:8 cases.start 'order.place' does not start approve:1.0.0. Did you mean 'order.placed'?",
        f"{path}:2:17 cases.unknown_field The order's header has no 'opn'. Did you mean 'open'?",
        f"{path}:4:3 cases.unknown_action approve:1.0.0 does not call 'authorize-paiment'."
        " Did you mean 'authorize-payment'?",
        f"{path}:5:30 cases.fault authorize-payment does not raise 'payment.decline'. Did you mean 'payment.declined'?",
        f"{path}:6:42 cases.value What release-reservation returns has a 'units' that is not valid."
        " Input should be a valid integer, unable to parse string as an integer.",
        f"{path}:10:22 cases.unknown_task approve:1.0.0 has no task 'asks'. Did you mean 'ask'?",
        f"{path}:11:52 cases.unknown_field The call of release-reservation has no 'all'. None is declared.",
        "0 cases, none failed",
    ]


def test_a_misspelt_key_is_told_with_the_one_meant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown key stands with its line and column, and with the key that was probably meant."""
    path = _write(tmp_path, "cases:\n  - case: One\n    expect:\n      paht: [secure]\n")

    assert _status(path) == 2
    assert f"{path}:4:7 cases.unknown_field 'paht' is unknown here. Did you mean 'path'?" in capsys.readouterr().out


def test_coverage_names_what_no_case_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With `--coverage` a task or catch that no case takes is told with its line, and the exit status is 1."""
    path = _write(
        tmp_path,
        "cases: [{case: Waits, actions: {authorize-payment: {returns: {amount: 1}}}, expect: {faulted: timeout}}]",
    )
    assert _status(path) == 0
    capsys.readouterr()
    assert _status(path, coverage=True) == 1
    flow = tmp_path / "approve.yaml"
    assert capsys.readouterr().out.splitlines() == [
        "approve:1.0.0: 3 of 6 tasks and catches taken",
        f"  {flow}:6 no case takes the catch of secure",
        f"  {flow}:12 no case takes the task give-back",
        f"  {flow}:16 no case takes the task tell",
        "1 case, none failed",
    ]


def test_results_for_machines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON and JUnit hold the same cases, lines and failures; `-k` leaves the others out."""
    path = _write(
        tmp_path,
        """actions: {authorize-payment: {returns: {amount: 1}}}
cases:
  - {case: Red, expect: {takes: PT1S}}
  - {case: Other, expect: {}}
""",
    )
    assert _status(path, k="red", format="json") == 1
    [file] = json.loads(capsys.readouterr().out)
    [case] = file["cases"]
    assert (case["case"], case["line"], case["passed"], case["path"]) == ("Red", 3, False, [
        "secure", "ask", "await-approval",
    ])  # fmt: skip
    assert _status(path, k="red", format="junit") == 1
    suite = ElementTree.fromstring(capsys.readouterr().out)
    [told] = suite.iter("testcase")
    assert (told.get("name"), told.get("line"), [it.get("message") for it in told]) == (
        "Red",
        "3",
        ["takes", "outcome"],
    )


def test_a_hundred_cases_take_less_than_five_seconds() -> None:
    """Reading the file once and playing a hundred cases stays far from five seconds."""
    began = perf_counter()
    book = read_book(SHIPPED / "fulfilment.test.yaml")
    assert book.flow is not None
    assert book.file is not None
    results = [play_case(book.flow, book.file, book.cases[at % len(book.cases)]) for at in range(100)]

    assert all(it.passed for it in results)
    assert perf_counter() - began < 5


def test_the_reference_is_that_of_the_models() -> None:
    """The reference page is written from the models."""
    page = Path(__file__).parents[2] / "docs" / "reference" / "flow-cases.md"

    assert page.read_text(encoding="utf-8") == reference_page()


BRANCHES = """
document: {dsl: 1.0.3, namespace: shop, name: approve, version: 1.0.0}
evaluate: {language: cel}
schedule: {on: {one: {with: {type: order.placed}}}}
do:
  - each:
      for: {each: it, in: "${ [1, 2] }"}
      do:
        - note: {emit: {event: {with: {type: noted, data: {n: "${ it }"}}}}}
  - both:
      fork:
        branches:
          - slow: {wait: PT2H}
          - fast: {wait: PT1H}
  - inner:
      run: {workflow: {namespace: shop, name: inner, version: 1.0.0}}
"""
INNER = """
document: {dsl: 1.0.3, namespace: shop, name: inner, version: 1.0.0}
evaluate: {language: cel}
do:
  - rest: {wait: PT3H}
  - undo: {call: release-reservation}
"""


def test_rounds_branches_and_inner_flows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rounds come one after another, branches share the time, and an inner flow's waits and calls are seen."""
    (tmp_path / "inner.yaml").write_text(INNER)
    path = _write(
        tmp_path,
        """actions: {release-reservation: {returns: {units: 1}}}
cases:
  - case: All
    expect:
      path: [each, note, note, both, slow, fast, inner]
      emits: [{type: noted, with: {n: 1}}, {type: noted, with: {n: 2}}]
      waits: [{for: PT2H, task: slow}, {for: PT1H, task: fast}, {for: PT3H, task: rest}]
      calls: [{action: release-reservation, task: undo}]
      takes: PT5H
""",
        BRANCHES,
    )
    assert (_status(path), capsys.readouterr().out) == (0, "1 case, none failed\n")
