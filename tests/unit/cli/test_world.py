"""Reading the world that a deployment is set up with."""

from pathlib import Path

import pytest

from flows_dsl import prebuilt
from flows_dsl.composing import written
from orderloom.cli.world import WorldInvalid, flows_in_force, read_world

TUTORIAL = Path(__file__).parents[3] / "examples" / "tutorial"


def test_the_tutorials_world_is_valid() -> None:
    """The file that the tutorial loads describes one channel with two products at two locations."""
    world = read_world(TUTORIAL / "world.yaml")

    assert [channel.id for channel in world.channels] == ["shop"]
    assert [product.sku for product in world.products] == ["MUG", "POT"]
    assert [(each.location, each.sku, each.on_hand) for each in world.stock] == [
        ("BERLIN", "MUG", 100),
        ("PARIS", "MUG", 20),
        ("PARIS", "POT", 20),
    ]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        pytest.param("stock:\n  - {location: A, sku: X, on_hand: -1}\n", "stock/0/on_hand", id="negative stock"),
        pytest.param("chanels: []\n", "chanels", id="unknown key"),
        pytest.param("a: [\n", "no YAML", id="no YAML"),
    ],
)
def test_a_wrong_world_is_named(tmp_path: Path, text: str, named: str) -> None:
    """What is wrong with a world is told with the place where it stands."""
    file = tmp_path / "world.yaml"
    file.write_text(text)

    with pytest.raises(WorldInvalid, match=named):
        read_world(file)


def test_a_flow_of_ones_own_takes_the_place_of_the_prebuilt_one() -> None:
    """The release has the same flows in the same order, with the own one where the prebuilt one stood."""
    own = written("mine.yaml", prebuilt.text("fulfilment").replace("  version: 1.", "  version: 2."))

    flows = flows_in_force([own])

    assert [flow.name for flow in flows] == list(prebuilt.DEFAULT_RELEASE)
    assert flows[1] is own
    assert own.version.startswith("2.")
    others = [name for name in prebuilt.DEFAULT_RELEASE if name != "fulfilment"]
    assert [flow.text for flow in flows if flow is not own] == [prebuilt.text(name) for name in others]
