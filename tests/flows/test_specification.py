"""Every construct of the Serverless Workflow DSL 1.0.3: shown by a test, or named on the page of what is refused."""

import ast
import re
from pathlib import Path

import pytest

from flows_dsl.check import check_text

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "not-supported.md"

_INTERPRETER = "unit/flows_dsl/test_interpreter.py::test_"
_ERRORS = "unit/flows_dsl/test_errors_in_flows.py::test_"
_LOOPS = "unit/flows_dsl/test_loops.py::test_"
_FORKS = "unit/flows_dsl/test_forks.py::test_"
_LISTENS = "unit/flows_dsl/test_lasting_listens.py::test_"
_SUBFLOWS = "unit/flows_dsl/test_subflows.py::test_"
_OUTSIDE = "workflows/test_calls_to_the_outside.py::test_"
_OPENAPI = "unit/flows_dsl/test_openapi_call.py::test_"
_HTTP = "flows/test_http_calls.py::test_"
_SCHEMAS = "unit/flows_dsl/test_schemas.py::test_"
_EXPRESSIONS = "unit/flows_dsl/test_expressions.py::test_"
_CONSTRUCTS = "flows/test_constructs.py::test_"

SHOWN = {
    "document.dsl": "unit/flows_dsl/test_loader.py::test_the_head_is_checked",
    "document.namespace": "unit/flows_dsl/test_loader.py::test_the_head_is_checked",
    "document.name": "unit/flows_dsl/test_loader.py::test_the_head_is_checked",
    "document.version": "unit/flows_dsl/test_loader.py::test_the_head_is_checked",
    "document.title": f"{_CONSTRUCTS}what_only_people_read_changes_nothing",
    "document.summary": f"{_CONSTRUCTS}what_only_people_read_changes_nothing",
    "document.tags": f"{_CONSTRUCTS}what_only_people_read_changes_nothing",
    "document.metadata": f"{_CONSTRUCTS}what_only_people_read_changes_nothing",
    "evaluate.language": f"{_INTERPRETER}jq_is_the_default_language",
    "evaluate.mode": f"{_EXPRESSIONS}strings_without_marks_are_literal",
    "workflow.input.from": f"{_CONSTRUCTS}a_flow_changes_its_input_and_output",
    "workflow.output.as": f"{_INTERPRETER}data_flows_from_task_to_task",
    "workflow.input.schema": f"{_SCHEMAS}a_flows_input_that_does_not_fit_begins_no_task",
    "workflow.output.schema": f"{_SCHEMAS}a_flows_output_is_changed_once_however_often_it_is_tried",
    "schema.document": f"{_SCHEMAS}what_does_not_fit_is_told_without_the_value",
    "errors.validation": f"{_SCHEMAS}a_value_that_does_not_fit_is_the_specifications_error",
    "task.input.schema": f"{_SCHEMAS}the_input_is_validated_before_it_is_changed_and_the_output_after",
    "task.output.schema": f"{_SCHEMAS}the_input_is_validated_before_it_is_changed_and_the_output_after",
    "task.export.schema": f"{_SCHEMAS}a_value_that_does_not_fit_is_the_specifications_error",
    "listen.foreach.output.schema": f"{_SCHEMAS}what_comes_of_each_event_is_validated",
    "workflow.timeout": f"{_INTERPRETER}a_flow_has_a_timeout",
    "schedule.on.one": f"{_INTERPRETER}data_flows_from_task_to_task",
    "schedule.on.any": "unit/flows_dsl/test_check.py::test_a_schedule_is_an_event_of_the_order",
    "schedule.on.all": "unit/workflows/test_gathering.py::test_a_set_is_complete_when_all_have_come",
    "schedule.on.all.correlate.from": "unit/workflows/test_gathering.py::test_one_set_for_each_value",
    "use.errors": f"{_CONSTRUCTS}errors_are_raised_by_name",
    "use.functions": "unit/flows_dsl/test_functions.py::test_a_function_is_called_with_arguments",
    "use.retries": f"{_ERRORS}other_tries_are_retried_with_waits",
    "use.timeouts": f"{_CONSTRUCTS}timeouts_are_used_by_name",
    "task.if": f"{_INTERPRETER}a_skipped_task_hands_its_input_on_and_leads_nowhere",
    "task.input.from": f"{_INTERPRETER}data_flows_from_task_to_task",
    "task.output.as": f"{_INTERPRETER}data_flows_from_task_to_task",
    "task.export.as": f"{_INTERPRETER}data_flows_from_task_to_task",
    "task.timeout": f"{_INTERPRETER}a_timeout_can_be_caught",
    "task.then.continue": f"{_INTERPRETER}a_switch_without_a_match_goes_on",
    "task.then.exit": f"{_INTERPRETER}exit_leaves_a_block_and_end_leaves_the_draft",
    "task.then.end": f"{_INTERPRETER}exit_leaves_a_block_and_end_leaves_the_draft",
    "task.then.name": f"{_INTERPRETER}jumps_backward_count_visits",
    "task.metadata": f"{_CONSTRUCTS}what_only_people_read_changes_nothing",
    "call.function": f"{_CONSTRUCTS}a_call_hands_its_arguments_to_the_action",
    "call.with": f"{_CONSTRUCTS}a_call_hands_its_arguments_to_the_action",
    "call.http.in-an-order": f"{_OUTSIDE}an_orders_flow_calls_hosts_that_are_allowed_and_no_others",
    "call.openapi.document": f"{_OUTSIDE}an_orders_flow_calls_hosts_that_are_allowed_and_no_others",
    "call.openapi.operationId": f"{_OPENAPI}parameters_go_where_the_document_says",
    "call.openapi.parameters": f"{_OPENAPI}parameters_go_where_the_document_says",
    "call.openapi.output": f"{_HTTP}an_operation_is_called_by_its_document",
    "call.openapi.redirect": f"{_HTTP}an_operation_is_called_by_its_document",
    "errors.configuration": f"{_OPENAPI}what_is_no_document_is_a_configuration_error",
    "call.http.method": f"{_HTTP}a_call_reaches_loopback_with_all_that_it_names",
    "call.http.endpoint": f"{_HTTP}a_call_reaches_loopback_with_all_that_it_names",
    "call.http.headers": f"{_HTTP}a_call_reaches_loopback_with_all_that_it_names",
    "call.http.query": f"{_HTTP}a_call_reaches_loopback_with_all_that_it_names",
    "call.http.body": f"{_HTTP}a_call_reaches_loopback_with_all_that_it_names",
    "call.http.output.content": f"{_HTTP}the_output_is_what_was_asked_for",
    "call.http.output.response": f"{_HTTP}the_output_is_what_was_asked_for",
    "call.http.output.raw": f"{_HTTP}the_output_is_what_was_asked_for",
    "call.http.redirect": f"{_HTTP}redirects_are_errors_unless_asked_for_and_reach_no_other_host",
    "errors.communication": f"{_HTTP}an_error_status_is_the_specifications_error",
    "uriTemplate": f"{_HTTP}a_call_reaches_loopback_with_all_that_it_names",
    "do": f"{_INTERPRETER}a_block_has_one_timeout_for_all_in_it",
    "emit.event.with.type": f"{_CONSTRUCTS}an_event_is_emitted_with_type_and_data",
    "emit.event.with.data": f"{_CONSTRUCTS}an_event_is_emitted_with_type_and_data",
    "for.each": f"{_LOOPS}each_round_sees_its_item_and_the_output_of_the_round_before",
    "for.in": f"{_LOOPS}each_round_sees_its_item_and_the_output_of_the_round_before",
    "for.at": f"{_LOOPS}each_round_sees_its_item_and_the_output_of_the_round_before",
    "for.while": f"{_LOOPS}while_ends_the_loop_before_a_round",
    "for.do": f"{_LOOPS}each_round_has_keys_of_its_own",
    "fork.branches": f"{_FORKS}all_branches_end_and_their_outputs_stand_in_the_order_of_the_document",
    "fork.compete": f"{_FORKS}the_first_to_end_wins_and_what_the_loser_did_is_undone",
    "listen.to.one": f"{_INTERPRETER}listen_takes_the_first_event_that_fits",
    "listen.to.any": f"{_LISTENS}until_a_condition_on_what_was_taken",
    "listen.to.all": f"{_CONSTRUCTS}all_takes_one_event_for_each_filter",
    "listen.to.any.until.condition": f"{_LISTENS}until_a_condition_on_what_was_taken",
    "listen.to.any.until.strategy": f"{_LISTENS}until_other_events_which_are_no_part_of_the_output",
    "listen.to.any.until.false": f"{_LISTENS}until_nothing_only_a_timeout_ends_it",
    "listen.read.data": f"{_CONSTRUCTS}events_are_read_as_asked",
    "listen.read.envelope": f"{_CONSTRUCTS}events_are_read_as_asked",
    "listen.read.raw": f"{_CONSTRUCTS}events_are_read_as_asked",
    "listen.foreach.item": f"{_LISTENS}foreach_does_tasks_for_each_event_under_keys_that_name_it",
    "listen.foreach.at": f"{_LISTENS}foreach_does_tasks_for_each_event_under_keys_that_name_it",
    "listen.foreach.do": f"{_LISTENS}foreach_does_tasks_for_each_event_under_keys_that_name_it",
    "listen.foreach.output.as": f"{_LISTENS}foreach_goes_through_the_events_of_all_filters",
    "listen.foreach.export.as": f"{_LISTENS}foreach_goes_through_the_events_of_all_filters",
    "eventFilter.with": f"{_INTERPRETER}listen_takes_the_first_event_that_fits",
    "eventFilter.correlate.from": f"{_LISTENS}only_events_that_correlate_are_taken",
    "eventFilter.correlate.expect": f"{_LISTENS}only_events_that_correlate_are_taken",
    "raise.error": f"{_ERRORS}raise_makes_problem_details",
    "raise.error.name": f"{_CONSTRUCTS}errors_are_raised_by_name",
    "error.type": f"{_ERRORS}raise_makes_problem_details",
    "error.status": f"{_ERRORS}raise_makes_problem_details",
    "error.title": f"{_ERRORS}raise_makes_problem_details",
    "error.detail": f"{_ERRORS}raise_makes_problem_details",
    "error.instance": f"{_ERRORS}raise_makes_problem_details",
    "errors.expression": f"{_ERRORS}errors_of_expressions_are_the_specifications",
    "errors.timeout": f"{_INTERPRETER}a_timeout_can_be_caught",
    "run.workflow.namespace": f"{_SUBFLOWS}a_flow_runs_inside_a_task_with_a_context_of_its_own",
    "run.workflow.name": f"{_SUBFLOWS}a_flow_runs_inside_a_task_with_a_context_of_its_own",
    "run.workflow.version": "unit/flows_dsl/test_running_flows.py::test_the_highest_version_is_the_latest",
    "run.workflow.input": f"{_SUBFLOWS}a_flow_runs_inside_a_task_with_a_context_of_its_own",
    "run.await": f"{_SUBFLOWS}one_that_is_not_waited_for_ends_before_the_instance_does",
    "set": f"{_INTERPRETER}data_flows_from_task_to_task",
    "switch.when": f"{_CONSTRUCTS}the_first_case_that_holds_is_taken",
    "switch.then": f"{_CONSTRUCTS}the_first_case_that_holds_is_taken",
    "switch.default": f"{_CONSTRUCTS}the_default_is_taken_when_no_other_case_holds",
    "try.try": f"{_ERRORS}an_error_that_fits_is_caught",
    "try.catch.errors.with": f"{_ERRORS}an_error_that_does_not_fit_becomes_a_fault",
    "try.catch.as": f"{_ERRORS}an_error_that_fits_is_caught",
    "try.catch.when": f"{_ERRORS}an_error_that_does_not_fit_becomes_a_fault",
    "try.catch.exceptWhen": f"{_CONSTRUCTS}except_when_lets_an_error_pass",
    "try.catch.retry": f"{_ERRORS}a_call_alone_is_retried_by_the_runner",
    "try.catch.do": f"{_ERRORS}an_error_that_fits_is_caught",
    "retry.when": f"{_CONSTRUCTS}a_retry_has_conditions_of_its_own",
    "retry.exceptWhen": f"{_CONSTRUCTS}a_retry_has_conditions_of_its_own",
    "retry.delay": f"{_ERRORS}other_tries_are_retried_with_waits",
    "retry.backoff.constant": f"{_ERRORS}jitter_spreads_retries_and_is_the_same_again",
    "retry.backoff.linear": f"{_ERRORS}other_tries_are_retried_with_waits",
    "retry.backoff.exponential": f"{_CONSTRUCTS}delays_double_until_the_limit",
    "retry.limit.attempt.count": f"{_ERRORS}other_tries_are_retried_with_waits",
    "retry.limit.duration": f"{_CONSTRUCTS}delays_double_until_the_limit",
    "retry.jitter.from": f"{_ERRORS}jitter_reaches_both_of_its_ends",
    "retry.jitter.to": f"{_ERRORS}jitter_reaches_both_of_its_ends",
    "wait": f"{_CONSTRUCTS}durations_are_text_or_units",
    "duration.iso8601": "unit/flows_dsl/test_durations.py::test_durations_are_read",
    "duration.units": f"{_CONSTRUCTS}durations_are_text_or_units",
    "expressions.jq": f"{_EXPRESSIONS}jq_yields_one_value",
    "expressions.$context": f"{_INTERPRETER}data_flows_from_task_to_task",
    "expressions.$input": f"{_INTERPRETER}jq_is_the_default_language",
    "expressions.$output": f"{_INTERPRETER}data_flows_from_task_to_task",
    "expressions.$task": f"{_INTERPRETER}data_flows_from_task_to_task",
    "expressions.$workflow": f"{_CONSTRUCTS}a_flow_sees_its_own_head",
    "lifecycle.task.started": "flows/test_run_command.py::test_the_trace_tells_what_became_of_each_task",
    "lifecycle.task.completed": "flows/test_run_command.py::test_the_trace_tells_what_became_of_each_task",
    "lifecycle.task.faulted": "flows/test_run_command.py::test_the_trace_tells_what_became_of_each_task",
    "lifecycle.task.retried": "flows/test_run_command.py::test_the_trace_tells_what_became_of_each_task",
    "lifecycle.task.cancelled": f"{_CONSTRUCTS}lifecycle_events_of_tasks_are_told",
    "lifecycle.task.suspended": f"{_CONSTRUCTS}lifecycle_events_of_tasks_are_told",
    "lifecycle.task.resumed": f"{_CONSTRUCTS}lifecycle_events_of_tasks_are_told",
}
"""What runs, and the test that shows it."""

TASK = "do: [{a: %s}]"
REFUSED: list[tuple[str, str, str, str]] = [
    *(
        (f"call.{it}", "calls-to-the-outside", "unsupported.call", TASK % f"{{call: {it}}}")
        for it in ("grpc", "asyncapi")
    ),
    ("call.http.endpoint.authentication", "authentication-and-secrets", "action.argument",
     TASK % "{call: http, with: {method: get, endpoint: {uri: 'https://x', authentication: {use: x}}}}"),
    *(
        (f"run.{it}", "foreign-code", f"unsupported.run_{it}", TASK % f"{{run: {{{it}: {{x: y}}}}}}")
        for it in ("container", "script", "shell")
    ),
    ("run.return", "foreign-code", "flow.unknown_field",
     TASK % "{run: {workflow: {namespace: a, name: b}, return: all}}"),
    *(
        (f"use.{it}", anchor, "unsupported.use", f"use: {{{it}: {{x: {{}}}}}}\ndo: [{{a: {{set: {{}}}}}}]")
        for it, anchor in {
            "authentications": "authentication-and-secrets",
            "secrets": "authentication-and-secrets",
            "catalogs": "catalogs-and-extensions",
            "extensions": "catalogs-and-extensions",
        }.items()
    ),
    *(
        (f"authentication.{it}", "authentication-and-secrets", "unsupported.use",
         f"use: {{authentications: {{x: {{{it}: {{}}}}}}}}\ndo: [{{a: {{set: {{}}}}}}]")
        for it in ("basic", "bearer", "certificate", "digest", "oauth2", "oidc")
    ),
    *(
        (f"expressions.${it}", anchor, "expression.unknown_name", TASK % f"{{set: {{x: '${{ {it}.x }}'}}}}")
        for it, anchor in {
            "secrets": "authentication-and-secrets",
            "authorization": "authentication-and-secrets",
            "runtime": "variables-about-the-runtime",
        }.items()
    ),
    *(
        (f"schedule.{it}", "starting-by-time", "unsupported.schedule",
         f"schedule: {{{it}: PT1H}}\n" + TASK % "{set: {}}")
        for it in ("every", "cron", "after")
    ),
    ("schedule.on.until", "starting-by-time", "unsupported.schedule",
     "schedule: {on: {any: [{with: {type: a}}], until: 'true'}}\n" + TASK % "{set: {}}"),
    ("evaluate.mode.loose", "loose-evaluation", "unsupported.loose",
     "evaluate: {language: cel, mode: loose}\n" + TASK % "{set: {}}"),
    ("retry.limit.attempt.duration", "limits-of-single-attempts", "unsupported.attempt_duration",
     "use: {retries: {x: {limit: {attempt: {count: 1, duration: PT1S}}}}}\n" + TASK % "{set: {}}"),
    *(
        (f"{it.partition(':')[0]}.timeout", "timeouts-of-single-tasks", "unsupported.timeout",
         TASK % f"{{{it}, timeout: {{after: PT1S}}}}")
        for it in ("set: {}", "raise: {error: {type: a, status: 400}}", "switch: [{x: {then: end}}]",
                   "emit: {event: {with: {type: a}}}", "call: find-routes")
    ),
    ("eventFilter.correlate.without-expect", "correlating-without-an-expectation", "listen.no_expect",
     TASK % "{listen: {to: {one: {with: {type: a}, correlate: {x: {from: data.x}}}}}, timeout: {after: PT1S}}"),
    *(
        (f"emit.event.with.{it}", "attributes-of-events", "emit.attribute",
         TASK % f"{{emit: {{event: {{with: {{type: a, {it}: x}}}}}}}}")
        for it in ("id", "source", "time", "subject", "datacontenttype", "dataschema")
    ),
    ("eventFilter.with.expression", "attributes-of-events", "listen.literal",
     TASK % "{listen: {to: {one: {with: {type: a, source: '${ input.x }'}}}}, timeout: {after: PT1S}}"),
    *(
        (f"eventFilter.with.{it}", "attributes-of-events", "listen.attribute",
         TASK % f"{{listen: {{to: {{one: {{with: {{type: a, {it}: x}}}}}}}}, timeout: {{after: PT1S}}}}")
        for it in ("time", "subject", "datacontenttype", "dataschema")
    ),
    ("schema.resource", "schemas-elsewhere", "unsupported.schema",
     "input: {schema: {resource: {endpoint: 'https://x'}}}\n" + TASK % "{set: {}}"),
    ("schema.format", "schemas-elsewhere", "flow.value",
     "input: {schema: {format: avro, document: {}}}\n" + TASK % "{set: {}}"),
    *(
        (f"schema.document.{it}", "schemas-elsewhere", "schema.invalid",
         f"input: {{schema: {{document: {{{it}: x}}}}}}\n" + TASK % "{set: {}}")
        for it in ("$ref", "$dynamicRef", "pattern", "patternProperties", "uniqueItems", "unevaluatedItems",
                   "unevaluatedProperties", "dependentSchemas", "dependentRequired", "contentSchema")
    ),
    ("export.schema.without-as", "schemas-elsewhere", "schema.no_export",
     TASK % "{set: {}, export: {schema: {document: {}}}}"),
    ("yaml.alias", "anchors-aliases-and-tags-of-yaml", "yaml.alias", TASK % "{set: &x {}}"),
    ("yaml.tag", "anchors-aliases-and-tags-of-yaml", "yaml.tag", TASK % "{set: !x {}}"),
    ("expressions.cel.map-macro", "parts-of-jq-and-cel", "expression.map_macro",
     TASK % "{set: {x: '${ input.map(k, k) }'}}"),
    ("duration.months", "years-and-months", "duration.invalid", TASK % "{wait: P1M}"),
]  # fmt: skip
"""What is refused: the construct, where the page says why, the code of the finding, and a flow that uses it."""

ONLY_ON_PAGE = {
    "eventFilter.with.regular-expression": "attributes-of-events",
    "errors.authentication": "errors-that-nothing-raises",
    "errors.authorization": "errors-that-nothing-raises",
    "errors.runtime": "errors-that-nothing-raises",
    "externalResource": "calls-to-the-outside",
    "asyncapi.subscription": "calls-to-the-outside",
    "containerLifetime": "foreign-code",
    "processResult": "foreign-code",
    "lifecycle.cloudevents": "lifecycle-events-as-messages",
    "taskDescriptor.definition": "variables-about-the-runtime",
    "taskDescriptor.startedAt": "variables-about-the-runtime",
}
"""What stands only inside of what is refused, or has no text of its own that could be refused."""


def _tests(file: str) -> set[str]:
    tree = ast.parse((ROOT / "tests" / file).read_text())
    return {it.name for it in tree.body if isinstance(it, ast.FunctionDef | ast.AsyncFunctionDef)}


def _anchors() -> set[str]:
    titles = re.findall(r"^## (.+)$", PAGE.read_text(), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", it.lower()).replace(" ", "-") for it in titles}


@pytest.mark.parametrize("construct", sorted(SHOWN))
def test_what_runs_is_shown_by_a_test(construct: str) -> None:
    """The test that shows a construct exists."""
    file, _, name = SHOWN[construct].partition("::")

    assert name in _tests(file)


def test_the_page_names_all_that_is_refused() -> None:
    """Every construct that is refused has its place on the page, and the page has no place without one."""
    assert {anchor for _, anchor, _, _ in REFUSED} | set(ONLY_ON_PAGE.values()) == _anchors()


def test_each_construct_is_listed_once() -> None:
    """None both runs and is refused."""
    listed = [*SHOWN, *(it for it, _, _, _ in REFUSED), *ONLY_ON_PAGE]

    assert len(listed) == len(set(listed))


@pytest.mark.parametrize(("code", "body"), [pytest.param(code, body, id=it) for it, _, code, body in REFUSED])
def test_what_is_refused_is_refused_when_checked(code: str, body: str) -> None:
    """A flow that uses it has the finding that the page names."""
    head = "document: {dsl: 1.0.3, namespace: shop, name: mine, version: 1.0.0}\n"
    head += "" if "evaluate:" in body else "evaluate: {language: cel}\n"
    head += "" if "schedule:" in body else "schedule: {on: {one: {with: {type: order.placed}}}}\n"

    found = {it.code for it in check_text(head + body)}

    assert code in found
    assert code in PAGE.read_text() or code in {"flow.unknown_field", "flow.value", "action.argument"}
