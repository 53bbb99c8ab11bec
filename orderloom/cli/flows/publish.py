"""`orderloom flows publish`: a new release for a channel, checked before anything is stored."""

import sys
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from flows_dsl.composing import ReleaseRefused, compose, written
from flows_dsl.durations import LONGEST, NotDuration, duration, iso_days
from flows_dsl.findings import Finding
from orderloom.bootstrap.clock import Clock
from orderloom.cli.flows.app import flows_app
from orderloom.cli.flows.store import meant_channel, operator, sources_in_force, store
from orderloom.cli.running import run
from orderloom.contracts.flows import Written
from orderloom.domain.errors import InvalidInput
from orderloom.persistence.flows import publish as publish_release
from orderloom.persistence.releases import activate
from orderloom.readmodels.releases import release_of
from orderloom.settings import Settings

SUFFIXES = (".yaml", ".yml", ".json")


class NothingToPublish(InvalidInput):
    """No flow or layer was found.

    Name files, or folders that hold files ending in .yaml, .yml or .json; cases (NAME.test.yaml) are left out.
    """

    code = "publish.nothing"


@flows_app.command
def publish(
    *paths: Path,
    channel: Annotated[str | None, Parameter(help="The channel; may be left out when there is just one.")] = None,
    brand: Annotated[str | None, Parameter(help="The channel's brand; kept until another one is said.")] = None,
    longest_wait: Annotated[
        str | None,
        Parameter(
            help="Most that a listen's timeout may be, such as P30D; kept until another is said. [default: P90D]"
        ),
    ] = None,
    only: Annotated[
        bool, Parameter(help="Just these flows and layers, none of what is in force.", negative=())
    ] = False,
    without: Annotated[list[str] | None, Parameter(help="A flow or layer to leave out, by name.")] = None,
    reason: Annotated[str, Parameter(help="Why, for the history.")] = "",
    by: Annotated[str | None, Parameter(help="Who, for the history. [default: your user name]")] = None,
    stage: Annotated[bool, Parameter(help="Store the release, but leave in force what is.", negative=())] = False,
    data_dir: Annotated[Path | None, Parameter(help="Where the servers keep their data. [default: .orderloom]")] = None,
) -> None:
    """
    Check flows and layers, and put them in force for the new orders of a channel.

    The release is what the channel has in force, with the given flows and layers in place of those of the same name.
    A channel that has nothing in force begins with the flows that ship. Orders under way keep their release.
    Exit status: 0 published, 1 refused (findings on stdout, the rest on stderr).

    Parameters
    ----------
    paths: Path
        Files of flows and layers, or folders of them.
    """
    settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
    given = read_written(paths)
    longest = None if longest_wait is None else _longest(longest_wait)

    async def work() -> None:
        async with store(settings) as engine, engine.begin() as conn:
            name = await meant_channel(conn, channel)
            flows, layers, sources = await sources_in_force(conn, await release_of(conn, name))
            release = compose(
                overlaid([] if only else flows, given, "flow", without or ()),
                overlaid([] if only else layers, given, "layer", without or ()),
                channel=name,
                brand=brand or sources.brand,
                longest_wait=longest or sources.longest_wait,
            )
            now = Clock().now()
            pin = await publish_release(conn, release, now)
            who = by or operator()
            changed = not stage and await activate(conn, name, pin.release, "publish", who, reason, now)
        sys.stdout.write(f"{pin.release}\n")
        assert release.sources is not None
        for one in given:
            if one.kind == "layer" and one.label not in release.sources.layers:
                sys.stderr.write(f"left out, it is of another brand or channel: {one.file}\n")
        said = "in force for" if changed else "stored; unchanged in" if stage else "was in force already for"
        sys.stderr.write(f"{len(release.flows)} flows {said} channel {name}\n")

    try:
        run(settings, work)
    except ReleaseRefused as error:
        show_findings(error.findings)
        sys.exit(1)


def _longest(text: str) -> timedelta:
    """
    Return the duration in *text*.

    Raises:
        InvalidInput: it is none, or longer than 90 days.
    """
    try:
        found = duration(text)
    except NotDuration as error:
        raise InvalidInput(f"--longest-wait: {error}.") from None
    if not timedelta(0) < found <= LONGEST:
        raise InvalidInput(f"--longest-wait is above nothing and at most {iso_days(LONGEST)}.")
    return found


def read_written(paths: Sequence[Path]) -> list[Written]:
    """
    Return the flows and layers in *paths*; all findings of all files are shown before it gives up, with exit status 1.

    Raises:
        NothingToPublish: there are none.
    """
    found: list[Written] = []
    findings: list[tuple[str, Finding]] = []
    for file in _files(paths):
        try:
            found.append(written(str(file), file.read_text(encoding="utf-8")))
        except ReleaseRefused as error:
            findings += error.findings
        except OSError as error:
            raise NothingToPublish(f"{file} cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise NothingToPublish(f"{file} is no UTF-8 text.") from error
    if findings:
        show_findings(findings)
        sys.exit(1)
    if not found:
        raise NothingToPublish("There is no flow or layer in what was named.")
    return found


def _files(paths: Sequence[Path]) -> Iterable[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for file in sorted(path.rglob("*")):
            if file.suffix in SUFFIXES and ".test." not in file.name:
                yield file


def overlaid(kept: Sequence[Written], given: Sequence[Written], kind: str, without: Iterable[str]) -> list[Written]:
    """Return *kept* with those of *given* that are of this kind in place of their namesakes, new ones at the end."""
    by_name = {one.name: one for one in given if one.kind == kind}
    found = [by_name.pop(one.name, one) for one in kept] + list(by_name.values())
    return [one for one in found if one.name not in set(without)]


def show_findings(findings: Iterable[tuple[str, Finding]]) -> None:
    """Print findings as `flows check` does."""
    for file, finding in findings:
        sys.stdout.write(f"{file}:{finding}\n")
