"""Makes a release of what authors wrote: flows, and layers over them. Everything that is wrong is told at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from flows_dsl.canonical import canonical_json
from flows_dsl.check import check_loaded
from flows_dsl.durations import LONGEST
from flows_dsl.findings import Finding, did_you_mean, errors
from flows_dsl.layers import SCOPES, Layered, LoadedLayer, load_layer, written_layer
from flows_dsl.loader import Loaded, load
from flows_dsl.located import Piece, locate, origin_at, plain
from flows_dsl.model import FlowDocument
from flows_dsl.release import pack
from flows_dsl.resolved import Catalog, digest, resolve
from flows_dsl.yaml_reader import YamlRefused, read
from orderloom.contracts.actions import CORE_ACTIONS
from orderloom.contracts.flows import PackedRelease, ReleaseSources, SourcedFlow, Written
from orderloom.domain.errors import FieldProblem, OrderloomError


class ReleaseRefused(OrderloomError):
    """The release is not valid.

    Correct what is named, file by file and line by line; nothing was published.
    """

    code = "release.refused"
    status = 422

    def __init__(self, findings: Sequence[tuple[str, Finding]]) -> None:
        file, first = findings[0]
        super().__init__(
            f"{len(findings)} finding{'s' if len(findings) != 1 else ''}. {file}:{first}",
            errors=tuple(
                FieldProblem(pointer=it.pointer, detail=f"{file}:{it}", code=it.code) for file, it in findings
            ),
        )
        self.findings = tuple(findings)


@dataclass(frozen=True)
class Composed:
    """One flow with its layers applied, and where each part of it was written."""

    source: Written
    piece: Piece
    document: FlowDocument
    layers: tuple[str, ...]


def written(file: str, text: str) -> Written:
    """
    Return the flow or layer in *text*; only its shape is checked.

    Raises:
        ReleaseRefused: it is neither.
    """
    try:
        value, _, _ = read(text)
        if isinstance(value, dict) and "layer" in value:
            loaded = load_layer(text, file)
            if loaded.findings:
                raise ReleaseRefused([(file, finding) for finding in loaded.findings])
            return written_layer(loaded, text, file)
    except YamlRefused as error:
        raise ReleaseRefused([(file, error.finding)]) from None
    flow = load(text)
    if flow.document is None or flow.findings:
        raise ReleaseRefused([(file, finding) for finding in flow.findings])
    return written_flow(flow.document, text, file)


def written_flow(document: FlowDocument, text: str, file: str) -> Written:
    """Return a flow as it is kept."""
    head = document.document
    meaning = digest(resolve(document))
    return Written(kind="flow", name=head.name, version=head.version, digest=meaning, file=file, text=text)


def compose(
    flows: Sequence[Written],
    layers: Sequence[Written] = (),
    *,
    channel: str,
    brand: str | None = None,
    longest_wait: timedelta | None = None,
    catalog: Catalog = CORE_ACTIONS,
) -> PackedRelease:
    """
    Check *flows* with those of *layers* applied that concern *channel* and *brand*, and return them as one release.

    Args:
        flows: as their authors wrote them.
        layers: any; only those that concern the channel or the brand are applied.
        channel: whose release it is.
        brand: of the channel.
        longest_wait: what the timeout of a listen may be at most, 90 days unless given.
        catalog: the actions that flows may call.

    Raises:
        ReleaseRefused: something is wrong with a flow, a layer, or what comes of them; all findings are in it.
        FlowTooLarge: a flow's body is over the cap.
    """
    kept = applicable(layers, channel=channel, brand=brand)
    composed = compose_flows(flows, kept, catalog, longest_wait or LONGEST)
    packed = pack([one.document for one in composed], catalog)
    sourced = zip(packed.flows, composed, strict=True)
    sources = ReleaseSources(
        flows=tuple(SourcedFlow(hash=flow.hash, source=one.source.label) for flow, one in sourced),
        layers=tuple(layer.label for layer in kept),
        brand=brand,
        longest_wait=longest_wait,
    )
    return packed.model_copy(update={"sources": sources, "written": (*flows, *kept)})


def applicable(layers: Sequence[Written], *, channel: str, brand: str | None) -> list[Written]:
    """Return the layers that concern a channel, in the order in which they are applied."""
    whose = {"global": None, "brand": brand, "channel": channel}
    found: list[tuple[int, Written]] = []
    for layer in layers:
        head = _loaded(layer).layer
        assert head is not None
        if head.layer.of == whose[head.layer.scope] and (head.layer.scope == "global" or head.layer.of is not None):
            found.append((SCOPES.index(head.layer.scope), layer))
    return [layer for _, layer in sorted(found, key=lambda it: it[0])]


def compose_flows(
    flows: Sequence[Written],
    layers: Sequence[Written],
    catalog: Catalog = CORE_ACTIONS,
    longest: timedelta = LONGEST,
) -> list[Composed]:
    """
    Return *flows* with *layers* applied in their order, each checked.

    Raises:
        ReleaseRefused: all that is wrong.
    """
    loaded = [_loaded(layer) for layer in layers]
    findings = [finding for each in loaded for finding in _unknown_flows(each, [flow.name for flow in flows])]
    beside = [document for flow in flows if (document := load(flow.text).document) is not None]
    check = partial(check_loaded, catalog=catalog, flows=beside, longest=longest)
    composed = [_compose(flow, loaded, check, findings) for flow in flows]
    if findings:
        raise ReleaseRefused(sorted(findings, key=lambda it: (it[0], it[1].line, it[1].column)))
    return [one for one in composed if one is not None]


def _loaded(layer: Written) -> LoadedLayer:
    loaded = load_layer(layer.text, layer.file)
    if loaded.findings:
        raise ReleaseRefused([(layer.file, finding) for finding in loaded.findings])
    return loaded


def _unknown_flows(loaded: LoadedLayer, known: Sequence[str]) -> list[tuple[str, Finding]]:
    assert loaded.layer is not None
    found: list[tuple[str, Finding]] = []
    for name in loaded.layer.flows:
        if name not in known:
            at = origin_at(loaded.piece, f"/flows/{name}")
            message, remedy = f"The release has no flow {name!r}.", did_you_mean(name, known)
            place = {"pointer": f"/flows/{name}", "line": at.line, "column": at.column}
            finding = Finding.model_validate(
                {"code": "layer.unknown_flow", "message": message, "remedy": remedy} | place
            )
            found.append((at.file, finding))
    return found


def _compose(
    flow: Written,
    layers: Sequence[LoadedLayer],
    check: Callable[[Loaded], list[Finding]],
    findings: list[tuple[str, Finding]],
) -> Composed | None:
    layered = Layered(locate(flow.text, flow.file))
    wrong = [(each.piece.origin.file, it) for each in layers for it in layered.apply(each, flow.name)]
    if not layered.applied:
        loaded = load(flow.text)
        wrong += [(flow.file, finding) for finding in errors(check(loaded))]
    else:
        _label(layered)
        loaded = load(canonical_json(plain(layered.flow)))
        wrong += [_placed(layered.flow, finding) for finding in errors(check(loaded))]
    findings += wrong
    if wrong or loaded.document is None:
        return None
    return Composed(flow, layered.flow, loaded.document, tuple(each.label for each in layered.applied))


def _label(layered: Layered) -> None:
    """Name the layers in the flow's version, as build metadata: other layers make another version."""
    head = layered.flow.get("document")
    version = None if head is None else head.get("version")
    if version is not None:
        version.value = f"{version.value}+{'.'.join(each.label.replace(':', '-') for each in layered.applied)}"


def _placed(piece: Piece, finding: Finding) -> tuple[str, Finding]:
    """Return a finding about a layered flow with the place where its author wrote what is wrong."""
    at = origin_at(piece, finding.pointer)
    return at.file, finding.model_copy(update={"line": at.line, "column": at.column})
