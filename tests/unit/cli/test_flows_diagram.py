"""`orderloom flows diagram`: pictures on standard output, findings on stderr."""

from pathlib import Path

import pytest

from flows_dsl import prebuilt
from flows_dsl.diagram import diagram as graph_of
from flows_dsl.mermaid import mermaid
from flows_dsl.svg import svg
from orderloom.cli.flows.diagram import diagram


def test_a_file_and_a_name_give_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A flow that ships is drawn by its name as from a copy of its file, and nothing else is written."""
    file = tmp_path / "copy.yaml"
    file.write_text(prebuilt.text("fulfilment"), encoding="utf-8")
    drawn = graph_of(prebuilt.document("fulfilment"))

    diagram("fulfilment")
    diagram(str(file), format="svg")

    assert capsys.readouterr() == (mermaid(drawn) + svg(drawn), "")


@pytest.mark.parametrize(("text", "code"), [("do: []\n", "flow."), (None, "file.unreadable")])
def test_what_is_no_flow_is_not_drawn(
    text: str | None, code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is missing or no flow is told of on stderr with exit status 1; standard output stays empty."""
    file = tmp_path / "wrong.yaml"
    if text is not None:
        file.write_text(text, encoding="utf-8")

    with pytest.raises(SystemExit) as ended:
        diagram(str(file))

    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (1, "")
    assert code in err
