"""Pictures of flows: every construct as Mermaid, and as SVG without boxes upon each other."""

from itertools import combinations
from xml.etree import ElementTree

import pytest

from flows_dsl import prebuilt
from flows_dsl.compiler import compile_flow
from flows_dsl.diagram import Mark, diagram, marked
from flows_dsl.layout import layout
from flows_dsl.loader import load
from flows_dsl.mermaid import mermaid
from flows_dsl.model import FlowDocument
from flows_dsl.svg import svg

ALL = """
document: {dsl: 1.0.3, namespace: shop, name: all, version: 1.0.0}
schedule: {on: {any: [{with: {type: order.placed}}, {with: {type: order.changed}}]}}
do:
  - look: {call: find-routes@1, with: {schedule: 1}, if: .a < "b"}
  - which:
      switch:
        - many: {when: .n > 1, then: each}
        - none: {then: end}
  - each:
      for: {each: line, in: .lines}
      do:
        - note: {set: {a: 1}}
        - say: {emit: {event: {with: {type: line.seen}}}}
  - both:
      fork:
        compete: true
        branches:
          - pause: {wait: {hours: 1}, then: exit}
          - answer:
              listen: {to: {one: {with: {type: order.approved}}}}
              timeout: {after: P1D}
  - risky:
      try:
        - inner: {do: [{sub: {run: {workflow: {namespace: shop, name: other, version: 1.0.0}}}}]}
      catch:
        errors: {with: {status: 503}}
        retry: {limit: {attempt: {count: 3}}}
        do:
          - gone: {raise: {error: {type: too-late, status: 500}}}
  - calm: {set: {c: 3}, if: .ok, then: end}
  - gather:
      listen: {to: {any: [{with: {type: x}}], until: .n > 3}}
      foreach: {do: [{keep: {set: {b: 2}}}]}
"""
"""Every kind of task, every way on."""

DRAWN = r"""flowchart TD
    start(["all<br/>order.placed<br/>order.changed"])
    t1["look<br/>call find-routes@1<br/>if .a #lt; #quot;b#quot;"]
    t2{"which<br/>switch"}
    t3["each<br/>for line in .lines"]
    t8["note<br/>set"]
    t9[/"say<br/>emit line.seen"/]
    t4["both<br/>fork compete"]
    t11("pause<br/>wait hours 1")
    t12{{"answer<br/>listen one<br/>order.approved<br/>timeout P1D"}}
    t10(("first"))
    t5["risky<br/>try"]
    t13["inner<br/>do"]
    t14[["sub<br/>run other"]]
    t15[\"gone<br/>raise too-late"\]
    t6["calm<br/>set<br/>if .ok"]
    t7{{"gather<br/>listen any<br/>x<br/>until .n #gt; 3"}}
    t16["keep<br/>set"]
    stop(["end"])
    start --> t1
    t1 --> t2
    t2 -->|"many"| t3
    t2 -->|"none"| stop
    t3 -->|"each"| t8
    t8 --> t9
    t9 --> t3
    t3 -->|"done"| t4
    t4 --> t11
    t11 --> t10
    t4 --> t12
    t12 --> t10
    t10 --> t5
    t5 --> t13
    t13 --> t14
    t5 -.->|"again on status 503"| t5
    t5 -.->|"on status 503"| t15
    t14 --> t6
    t6 --> stop
    t6 -->|"skipped"| t7
    t7 -->|"each"| t16
    t16 --> t7
    t7 -->|"done"| stop
"""


def flow_of(text: str) -> FlowDocument:
    loaded = load(text)
    assert loaded.document is not None
    assert not loaded.findings
    return loaded.document


def test_every_construct_as_mermaid() -> None:
    """The text is exactly this: shapes tell kinds, labels cases, dashes errors; and nothing leads out of a raise."""
    assert mermaid(diagram(flow_of(ALL))) == DRAWN


def test_a_task_is_found_by_its_pointer() -> None:
    """Each box of a task says where the task stands, in the second branch of a fork too; the others say nothing."""
    boxes = {box.lines[0]: box.pointer for box in diagram(flow_of(ALL)).boxes}

    assert boxes["answer"] == "/do/3/both/fork/branches/1/answer"
    assert boxes["gone"] == "/do/4/risky/catch/do/0/gone"
    assert boxes["keep"] == "/do/6/gather/foreach/do/0/keep"
    assert [boxes["all"], boxes["first"], boxes["end"]] == ["", "", ""]


def test_marks_of_mermaid_in_a_flow_are_text() -> None:
    """Quotes, brackets, marks of entities and line ends in a flow never end a box; long lines are cut."""
    text = """
document: {dsl: 1.0.3, namespace: n, name: odd, version: 1.0.0}
do:
  - a: {set: {x: 1}, if: ".x == \\"#1;\\" \\n  end[b] <script>&`"}
  - b: {set: {x: 1}, if: "%s"}
""" % ("x" * 60)
    drawn = mermaid(diagram(flow_of(text))).splitlines()

    assert drawn[2] == ('    t1["a<br/>set<br/>if .x == #quot;#35;1;#quot; end[b] #lt;script#gt;#amp;#96;"]')
    assert drawn[3] == f'    t2["b<br/>set<br/>if {"x" * 44}…"]'
    assert len(drawn) == 8


@pytest.mark.parametrize("name", prebuilt.names())
def test_prebuilt_flows_are_drawn_whole(name: str) -> None:
    """The picture names every task of the flow, each box is reached, and no two boxes overlap or leave the picture."""
    flow = prebuilt.document(name)
    drawn = diagram(flow)
    found = layout(drawn)

    tasks = [task for tasks in compile_flow(flow).lists.values() for task in tasks.tasks]
    named = {(box.pointer, box.lines[0]) for box in drawn.boxes if box.pointer}
    assert named == {(task.reference, task.name) for task in tasks}
    assert {arrow.target for arrow in drawn.arrows} == {box.id for box in drawn.boxes} - {"start"}
    for one, other in combinations(found.places.values(), 2):
        apart_x = abs(one.x - other.x) >= (one.width + other.width) / 2
        apart_y = abs(one.y - other.y) >= (one.height + other.height) / 2
        assert apart_x or apart_y
    for place in found.places.values():
        assert place.x - place.width / 2 >= 0
        assert place.x + place.width / 2 <= found.width
        assert place.y - place.height / 2 >= 0
        assert place.y + place.height / 2 <= found.height


def test_the_svg_is_well_formed_and_says_everything() -> None:
    """It is XML with all lines and labels as text, one line for each arrow, and colours for a dark screen."""
    drawn = diagram(flow_of(ALL))
    root = ElementTree.fromstring(svg(drawn))
    space = "{http://www.w3.org/2000/svg}"

    texts = [it.text for it in root.iter(f"{space}text")]
    assert texts == [line for box in drawn.boxes for line in box.lines] + [it.label for it in drawn.arrows if it.label]
    assert len(root.findall(f"{space}path")) == len(drawn.arrows)
    assert "prefers-color-scheme: dark" in str(root.findtext(f"{space}style"))


def test_what_became_of_tasks_is_marked() -> None:
    """One class for each mark, of the boxes that have it; a picture without marks has none."""
    drawn = diagram(prebuilt.document("place-order"))
    marks: dict[str, Mark] = {"/do/0/reserve": "done", "/do/2/remorse": "waits", "/do/9/nowhere": "failed"}
    boxes = {box.pointer: box.id for box in drawn.boxes}

    text = mermaid(marked(drawn, marks))
    assert f"    class {boxes['/do/0/reserve']} done\n" in text
    assert f"    class {boxes['/do/2/remorse']} waits\n" in text
    assert "failed" not in text
    assert "classDef" not in mermaid(drawn)
    assert svg(marked(drawn, marks)).count('class="box call done"') == 1
