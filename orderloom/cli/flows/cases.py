"""`orderloom flows test`: runs the cases of flows at the desk."""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal
from xml.etree import ElementTree

from cyclopts import Parameter

from flows_dsl import prebuilt
from flows_dsl.cases.coverage import Coverage, coverage
from flows_dsl.cases.playing import Result, play_case
from flows_dsl.cases.reader import SUFFIX, Book, cases_beside, read_book
from orderloom.cli.flows.app import flows_app

type Format = Literal["text", "json", "junit"]


class _Played:
    """A case file and what became of those of its cases that were wanted."""

    def __init__(self, book: Book, wanted: str) -> None:
        self.book = book
        self.results: list[tuple[int, Result]] = []
        if book.flow is None or book.file is None:
            return
        for number, case in enumerate(book.cases):
            if wanted.casefold() in f"{book.flow.name} {case.case}".casefold():
                self.results.append((book.line(number), play_case(book.flow, book.file, case)))

    @property
    def failed(self) -> list[tuple[int, Result]]:
        return [(line, result) for line, result in self.results if not result.passed]

    def coverage(self) -> Coverage | None:
        flow = self.book.flow
        return None if flow is None else coverage(flow, (result.played for _, result in self.results))


@flows_app.command(name="test")
def run_cases(
    *paths: Path,
    k: Annotated[str, Parameter(name="-k", help="Only cases with this in their name or their flow's.")] = "",
    format: Annotated[Format, Parameter(help="How results are shown.")] = "text",
    coverage: Annotated[bool, Parameter(negative="", help="Tell the tasks and catches that no case takes.")] = False,
    verbose: Annotated[bool, Parameter(name=["-v", "--verbose"], negative="", help="Name every case.")] = False,
) -> None:
    """
    Run the cases of flows, without a server and in virtual time; without PATHS those of the flows that ship.

    The exit status is 1 when a case fails or, with `--coverage`, when no case takes a task or a catch; 2 when a file is
    not valid or there is no case.

    Parameters
    ----------
    paths: Path
        Flows, their case files `NAME.test.yaml`, or directories that hold them.
    """
    played = [_Played(read_book(path), k) for path in _files(paths)]
    uncovered = [it for each in played if coverage and (it := each.coverage()) is not None and it.missed]
    match format:
        case "text":
            lines = _text(played, coverage=coverage, verbose=verbose)
        case "json":
            lines = iter([json.dumps(_json(played, coverage=coverage), indent=2, ensure_ascii=False)])
        case "junit":
            lines = iter([_junit(played)])
    for line in lines:
        print(line)  # noqa: T201
    if any(each.book.findings for each in played) or not any(each.results for each in played):
        sys.exit(2)
    sys.exit(1 if uncovered or any(each.failed for each in played) else 0)


def _files(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths or [Path(str(prebuilt.__file__)).parent]:
        if path.is_dir():
            found += sorted(path.rglob(f"*{SUFFIX}"))
        else:
            found.append(path if path.name.endswith(SUFFIX) else cases_beside(path))
    return list(dict.fromkeys(found))


def _text(played: Sequence[_Played], *, coverage: bool, verbose: bool) -> Iterator[str]:
    for each in played:
        for file, finding in each.book.findings:
            yield f"{file}:{finding}"
        for line, result in each.results:
            if verbose or not result.passed:
                yield f"{'passed' if result.passed else 'FAILED'} {each.book.path}:{line} {result.case.case}"
            for difference in result.differences:
                yield f"  {difference.what}:"
                yield from (f"    {shown}" for shown in difference.lines)
        if coverage and (found := each.coverage()) is not None:
            yield f"{found.flow}: {found.parts - len(found.missed)} of {found.parts} tasks and catches taken"
            for missed, line in _missed(each.book, found):
                yield f"  {each.book.flow_path}:{line} no case takes the {missed}"
    cases, failed = sum(len(each.results) for each in played), sum(len(each.failed) for each in played)
    yield f"{cases} case{'' if cases == 1 else 's'}, {failed or 'none'} failed"


def _missed(book: Book, found: Coverage) -> Iterator[tuple[str, int]]:
    """Yield what no case takes, in words, and its line in the flow's file."""
    assert book.flow_source is not None
    lines = [(book.flow_source.at(it.reference, key=True).line, it) for it in found.missed]
    for line, it in sorted(lines, key=lambda each: each[0]):
        yield (f"task {it.name}" if it.kind == "task" else f"catch of {it.name}"), line


def _json(played: Sequence[_Played], *, coverage: bool) -> list[dict[str, object]]:
    return [
        {
            "file": str(each.book.path),
            "findings": [{"file": str(file), **it.model_dump()} for file, it in each.book.findings],
            "cases": [
                {
                    "case": result.case.case,
                    "line": line,
                    "passed": result.passed,
                    "path": [passed.task.name for passed in result.played.tasks],
                    "differences": [{"what": it.what, "lines": list(it.lines)} for it in result.differences],
                }
                for line, result in each.results
            ],
            **({"missed": _missed_json(each)} if coverage else {}),
        }
        for each in played
    ]


def _missed_json(each: _Played) -> list[dict[str, object]]:
    found = each.coverage()
    missed = () if found is None else found.missed
    return [{"kind": it.kind, "task": it.name, "reference": it.reference} for it in missed]


def _junit(played: Sequence[_Played]) -> str:
    suites = ElementTree.Element("testsuites", name="flows")
    for each in played:
        counts = {"tests": str(len(each.results)), "failures": str(len(each.failed))}
        errors = {"errors": str(len(each.book.findings))}
        suite = ElementTree.SubElement(suites, "testsuite", {"name": str(each.book.path), **counts, **errors})
        for file, finding in each.book.findings:
            broken = ElementTree.SubElement(suite, "testcase", name=f"{file}:{finding.line}", file=str(file))
            ElementTree.SubElement(broken, "error", message=f"{file}:{finding}")
        for line, result in each.results:
            name = {"name": result.case.case, "classname": each.book.path.name, "line": str(line)}
            case = ElementTree.SubElement(suite, "testcase", {"file": str(each.book.path), **name})
            for difference in result.differences:
                failure = ElementTree.SubElement(case, "failure", message=difference.what)
                failure.text = "\n".join(difference.lines)
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True)
