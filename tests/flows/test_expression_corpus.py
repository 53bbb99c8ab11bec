"""The expressions of `expressions.json`: each has one value, and it is the same in every process."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from flows_dsl.expression import ExpressionFailed, ExpressionRefused
from flows_dsl.expressions import compile as compile_expression

FILE = Path(__file__).with_name("expressions.json")
CORPUS: dict[str, Any] = json.loads(FILE.read_text())
SEEDS = 20
TOGETHER = 2


def outcome(case: Mapping[str, Any], scope: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of an expression, the text of its failure, or the code of its refusal."""
    try:
        return {"result": compile_expression(case["text"], case["language"]).evaluate(scope, scope["input"])}
    except ExpressionFailed as error:
        return {"fails": str(error)}
    except ExpressionRefused as error:
        return {"refused": error.code}


@pytest.mark.parametrize("case", CORPUS["cases"], ids=lambda it: f"{it['language']} {it['text']}")
def test_each_expression_has_its_exact_value(case: dict[str, Any]) -> None:
    """The value, its types and its order of keys, or the failure, are those that the file tells."""
    wanted = {name: value for name, value in case.items() if name not in {"language", "text"}}

    assert json.dumps(outcome(case, CORPUS["scope"])) == json.dumps(wanted)


def test_the_corpus_is_large_enough() -> None:
    """Both languages are there with many expressions, none of them twice."""
    texts = [(it["language"], it["text"]) for it in CORPUS["cases"]]

    assert len(texts) == len(set(texts))
    assert min([language for language, _ in texts].count(it) for it in ("cel", "jq")) >= 80


def _printed(seed: int) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": str(FILE.parents[2])}
    command = [sys.executable, "-m", "tests.flows.test_expression_corpus"]
    return subprocess.run(command, env=environment, text=True, capture_output=True, check=True).stdout


def test_twenty_processes_with_other_hash_seeds_print_the_same() -> None:
    """The whole corpus, as text, in twenty processes: not one character differs, and it is what this process finds."""
    with ThreadPoolExecutor(TOGETHER) as pool:
        printed = set(pool.map(_printed, range(SEEDS)))

    assert printed == {"".join(f"{json.dumps(outcome(it, CORPUS['scope']))}\n" for it in CORPUS["cases"])}


if __name__ == "__main__":
    for each in CORPUS["cases"]:
        print(json.dumps(outcome(each, CORPUS["scope"])))  # noqa: T201
