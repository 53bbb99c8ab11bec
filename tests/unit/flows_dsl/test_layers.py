"""Layers: tasks replaced, removed and inserted by name, and what is refused."""

from datetime import timedelta
from typing import Any

import pytest

from flows_dsl.composing import ReleaseRefused, compose, written
from flows_dsl.explaining import explain
from flows_dsl.layers import load_layer
from orderloom.contracts.flows import PackedRelease, Written
from orderloom.domain.errors import NotFound

FLOW = """\
document: {dsl: 1.0.3, namespace: shop, name: greet, version: 1.2.0}
evaluate: {language: cel}
schedule: {on: {one: {with: {type: order.placed}}}}
do:
  - first:
      set: {a: 1}
  - careful:
      try:
        - reserve:
            set: {b: 1}
        - route:
            set: {c: 1}
      catch:
        do:
          - tell:
              set: {d: 1}
  - last:
      set: {e: 1}
"""


def layer(changes: str, *, name: str = "house", scope: str = "scope: global", version: str = "1.0.0") -> Written:
    """Return a layer that changes the flow ``greet``."""
    text = f"layer: {{name: {name}, version: {version}, {scope}}}\nflows:\n  greet:\n{changes}"
    return written(f"{name}.yaml", text)


def release(*layers: Written, brand: str | None = None) -> PackedRelease:
    return compose([written("greet.yaml", FLOW)], layers, channel="web", brand=brand)


def refused(*layers: Written) -> list[tuple[str, str, int, int]]:
    """Return file, code, line and column of each finding."""
    with pytest.raises(ReleaseRefused) as error:
        release(*layers)
    return [(file, it.code, it.line, it.column) for file, it in error.value.findings]


def names(tasks: Any) -> list[Any]:
    """Return the names of tasks, with those inside a try in a list behind its name."""
    found: list[Any] = []
    for item in tasks:
        for name, task in item.items():
            found.append(name)
            if "try" in task:
                found += [names(task["try"]), names(task["catch"]["do"])]
    return found


def test_a_flow_without_layers_is_packed_as_it_is() -> None:
    """No layer, no change: name, version and hash are those of the flow alone."""
    [flow] = release().flows

    assert (flow.name, flow.version) == ("greet", "1.2.0")
    assert names(flow.document["do"]) == ["first", "careful", ["reserve", "route"], ["tell"], "last"]


def test_tasks_are_replaced_removed_and_inserted_by_name() -> None:
    """Names lead to tasks at any depth; insertions at one place stand in the layer's order; the version names it."""
    given = layer(
        """\
    replace:
      reserve: {set: {b: 2}}
    remove: [tell]
    insert:
      - {after: tell, tasks: [{say: {set: {}}}]}
"""
    )
    assert refused(given) == [("house.yaml", "layer.conflict", 8, 9)]

    given = layer(
        """\
    replace:
      reserve: {set: {b: 2}}
    remove: [first]
    insert:
      - {after: route, tasks: [{x: {set: {}}}, {y: {set: {}}}]}
      - {after: route, tasks: [{z: {set: {}}}]}
      - {before: last, tasks: [{w: {set: {}}}]}
"""
    )
    [flow] = release(given).flows

    do: Any = flow.document["do"]
    assert names(do) == ["careful", ["reserve", "route", "x", "y", "z"], ["tell"], "w", "last"]
    assert do[0]["careful"]["try"][0] == {"reserve": {"set": {"b": 2}}}
    assert flow.version == "1.2.0+house-1.0.0"


def test_layers_are_applied_from_the_outside_in() -> None:
    """Global, brand, channel, however they are given; those of another brand or channel are left out."""

    def setting(name: str, scope: str) -> Written:
        return layer(f"    replace: {{first: {{set: {{by: {name}}}}}}}\n", name=name, scope=scope)

    house = setting("house", "scope: global")
    acme = setting("acme", "scope: brand, of: acme")
    web = setting("web", "scope: channel, of: web")
    shop = setting("shop", "scope: channel, of: shop")

    made = release(web, shop, acme, house, brand="acme")
    other = release(web, acme, house, brand="other")

    do: Any = made.flows[0].document["do"]
    assert do[0] == {"first": {"set": {"by": "web"}}}
    assert made.sources is not None
    assert made.sources.layers == ("house:1.0.0", "acme:1.0.0", "web:1.0.0")
    assert made.flows[0].version == "1.2.0+house-1.0.0.acme-1.0.0.web-1.0.0"
    assert other.flows[0].version == "1.2.0+house-1.0.0.web-1.0.0"
    assert "shop" not in {one.name for one in made.written}


def test_a_name_that_is_not_there_is_refused_with_its_place() -> None:
    """Unknown tasks and flows are named with file, line, column and the nearest known name."""
    given = layer("    remove: [rout]\n    replace: {nothing-like-it: {set: {}}}\n")
    with pytest.raises(ReleaseRefused) as error:
        release(given)

    assert [(it.line, it.column, it.code) for _, it in error.value.findings] == [
        (4, 14, "layer.unknown_task"),
        (5, 15, "layer.unknown_task"),
    ]
    assert error.value.findings[0][1].remedy == "Did you mean 'route'?"
    unknown = written("x.yaml", "layer: {name: x, version: 1.0.0, scope: global}\nflows: {gret: {remove: [first]}}\n")
    with pytest.raises(ReleaseRefused) as error:
        release(unknown)
    assert [(it.line, it.column, it.code, it.remedy) for _, it in error.value.findings] == [
        (2, 9, "layer.unknown_flow", "Did you mean 'greet'?")
    ]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        pytest.param("    remove: [first]\n    replace: {first: {set: {}}}\n", 4, id="removed and replaced"),
        pytest.param("    remove: [first, first]\n", 4, id="removed twice"),
        pytest.param("    insert: [{after: first, tasks: [{last: {set: {}}}]}]\n", 4, id="a name that is taken"),
        pytest.param("    insert: [{after: first, tasks: [{n: {set: {}}}, {n: {set: {}}}]}]\n", 4, id="a name twice"),
    ],
)
def test_a_layer_that_contradicts_itself_is_refused(changes: str, line: int) -> None:
    """One task is changed once; new names are new."""
    assert [(code, at) for _, code, at, _ in refused(layer(changes))] == [("layer.conflict", line)]


def test_what_an_earlier_layer_removed_cannot_be_changed() -> None:
    """The finding names the other layer and its line."""
    house = layer("    remove: [first]\n")
    web = layer("    replace: {first: {set: {}}}\n", name="web", scope="scope: channel, of: web")

    with pytest.raises(ReleaseRefused) as error:
        release(house, web)

    [(file, finding)] = error.value.findings
    assert (file, finding.code) == ("web.yaml", "layer.conflict")
    assert "house:1.0.0" in finding.message
    assert "house.yaml:4:14" in finding.message


def test_a_name_that_stands_twice_needs_its_path() -> None:
    """A bare name must be that of one task; outer/inner says which."""
    text = FLOW.replace("- route:", "- first:")
    with pytest.raises(ReleaseRefused) as error:
        compose([written("greet.yaml", text)], [layer("    remove: [reserve]\n    replace: {e: {set: {}}}\n")],
                channel="web")  # fmt: skip
    assert [it.code for _, it in error.value.findings] == ["layer.unknown_task"]

    # at the top `first` is exact; inside it needs the path
    [flow] = compose([written("greet.yaml", text)], [layer("    remove: [careful/first]\n")], channel="web").flows
    assert names(flow.document["do"]) == ["first", "careful", ["reserve"], ["tell"], "last"]


def test_what_comes_of_a_layer_is_checked() -> None:
    """A mistake in a layer's task is found at its line in the layer; one in the flow at its line in the flow."""
    given = layer("    replace:\n      first:\n        call: find-rotes\n")
    assert refused(given) == [("house.yaml", "action.unknown", 6, 9)]

    jumping = FLOW.replace("set: {a: 1}", "set: {a: 1}\n      then: last")
    with pytest.raises(ReleaseRefused) as error:
        compose([written("greet.yaml", jumping)], [layer("    remove: [last]\n")], channel="web")
    assert ("greet.yaml", 7) in {(file, it.line) for file, it in error.value.findings}


def test_the_shape_of_a_layer_is_checked() -> None:
    """Unknown fields and missing owners are refused with their place."""
    loaded = load_layer("layer: {name: a, version: 1.0.0, scope: brand}\nflows: {greet: {replce: {}}}\n", "a.yaml")

    assert [(it.line, it.pointer, it.remedy) for it in loaded.findings] == [
        (1, "/layer", "Value error, a layer of a brand or channel names it under of, a global one does not."),
        (2, "/flows/greet/replce", "Did you mean 'replace'?"),
    ]
    with pytest.raises(ReleaseRefused):
        written("a.yaml", "layer: {name: a}\nflows: {}\n")


def test_each_field_says_where_it_comes_from() -> None:
    """Fields of the flow, of two layers, and a major that publishing has locked, each with file, line and column."""
    house = layer("    replace:\n      route:\n        call: create-reservation\n")
    web = layer(
        "    insert:\n      - after: last\n        tasks:\n          - more:\n              set: {x: 1}\n",
        name="web",
        scope="scope: channel, of: web",
    )

    fields = {it.pointer: it for it in explain("greet", [written("greet.yaml", FLOW)], [house, web])}

    def told(pointer: str) -> tuple[object, object, str, int, int, str | None]:
        it = fields[pointer]
        return it.value, it.written, it.file, it.line, it.column, it.layer

    assert told("/do/0/first/set/a") == (1, None, "greet.yaml", 6, 13, None)
    assert told("/do/1/careful/try/1/route/call") == (
        "create-reservation@1", "create-reservation", "house.yaml", 6, 9, "house:1.0.0",
    )  # fmt: skip
    assert told("/do/3/more/set/x") == (1, None, "web.yaml", 8, 21, "web:1.0.0")
    assert told("/document/version")[0] == "1.2.0+house-1.0.0.web-1.0.0"
    assert "/do/1/careful/try/1/route/set/c" not in fields
    assert str(fields["/do/3/more/set/x"]) == "web.yaml:8:21  [web:1.0.0]  /do/3/more/set/x = 1"


def test_only_flows_of_the_release_are_explained() -> None:
    """An unknown name lists what there is."""
    with pytest.raises(NotFound, match="greet"):
        explain("gret", [written("greet.yaml", FLOW)], [])


def test_a_release_may_allow_shorter_waits() -> None:
    """What its longest wait does not allow is refused with the release; the release keeps what was allowed."""
    flow = """document: {dsl: 1.0.3, namespace: shop, name: wait, version: 1.0.0}
evaluate: {language: cel}
schedule: {on: {one: {with: {type: order.placed}}}}
do:
  - it: {listen: {to: {one: {with: {type: order.approved}}}}, timeout: {after: P31D}}
"""
    release = compose([written("wait.yaml", flow)], channel="web", longest_wait=timedelta(days=31))

    assert release.sources is not None
    assert release.sources.longest_wait == timedelta(days=31)
    with pytest.raises(ReleaseRefused) as refused:
        compose([written("wait.yaml", flow)], channel="web", longest_wait=timedelta(days=30))
    assert [(it.code, it.message) for _, it in refused.value.findings] == [
        ("timeout.too_long", "The timeout of this listen is longer than P30D.")
    ]
