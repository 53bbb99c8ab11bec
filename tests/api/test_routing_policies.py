"""Routing policies over HTTP: published for ever, put in force by channel, listed and read; what is odd is refused."""

import json
from typing import Any

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from api import examples
from flows_dsl.policies import read_policy
from orderloom.domain.routing_policy import RoutingPolicy
from tests.api.conftest import count

PATH = "/v1/routing-policies"
NEAR = {"name": "near", "version": "1.0.0", "objectives": ["distance"]}
TABLES = ("routing_policies", "policy_activations", "inventory_requests")


async def post(http: httpx.AsyncClient, path: str, body: Any, key: str = "k") -> httpx.Response:
    """Return the answer to a command."""
    headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
    return await http.post(f"{PATH}{path}", content=json.dumps(body).encode(), headers=headers)


async def publish(http: httpx.AsyncClient, **what: Any) -> httpx.Response:
    """Publish a version of ``near`` under a key of its own."""
    return await post(http, "", {"policy": {**NEAR, **what}}, f"p-{json.dumps(what)}")


async def listed(http: httpx.AsyncClient, **params: Any) -> list[tuple[str, str, list[str]]]:
    """Return name, version and channels of what is listed."""
    items = (await http.get(PATH, params=params)).json()["items"]
    return [(each["name"], each["version"], each["channels"]) for each in items]


async def in_force(engine: AsyncEngine, channel: str) -> RoutingPolicy:
    """Return what the channel's next order would keep."""
    async with engine.connect() as conn:
        query = text("SELECT policy->'routing' FROM channels WHERE id = :id")
        return RoutingPolicy.model_validate(await conn.scalar(query, {"id": channel}) or {})


async def test_examples_are_published_and_put_in_force(http: httpx.AsyncClient, seeded: AsyncEngine) -> None:
    """A policy as an object and one as a file route nothing until one is activated, for one channel, on record."""
    first = await post(http, "", examples.PUBLISH_POLICY, "1")
    other = await post(http, "", examples.PUBLISH_POLICY_TEXT, "2")
    staged = await in_force(seeded, "web")
    done = await post(http, "/near-and-cheap:1.0.0/activate", examples.ACTIVATE_POLICY, "3")

    policy = RoutingPolicy.model_validate(examples.PUBLISH_POLICY["policy"])
    told = {"name": "near-and-cheap", "version": "1.0.0", "hash": policy.hash, "new": True}
    assert (first.status_code, first.json()) == (201, told)
    assert first.headers["Location"] == f"{PATH}/near-and-cheap:1.0.0"
    assert other.status_code == 201
    assert staged == RoutingPolicy()
    expected = {"channel": "web", "policy": "near-and-cheap:1.0.0", "changed": True}
    assert (done.status_code, done.json()) == (200, expected)
    assert await in_force(seeded, "web") == policy
    assert await in_force(seeded, "draft") == RoutingPolicy()
    async with seeded.connect() as conn:
        rows = await conn.execute(
            text("SELECT channel_id, name, version, previous, by, reason FROM policy_activations")
        )
        assert [tuple(row) for row in rows] == [
            ("web", "near-and-cheap", "1.0.0", "default:1.0.0", "ada", "fewer kilometres")
        ]
    assert await listed(http) == [
        ("default", "1.0.0", ["draft"]),
        ("near-and-cheap", "1.0.0", ["web"]),
        ("nearest", "1.0.0", []),
    ]


async def test_a_policy_is_read_as_it_was_written(http: httpx.AsyncClient) -> None:
    """Its text with the author's remarks, what it means with every default, and who follows it; by name or version."""
    await post(http, "", examples.PUBLISH_POLICY_TEXT)
    by_name, by_version = [(await http.get(f"{PATH}/nearest{more}")).json() for more in ("", ":1.0.0")]

    policy = RoutingPolicy(name="nearest", objectives=("distance",))
    assert by_name == by_version
    assert by_name["text"] == examples.PUBLISH_POLICY_TEXT["text"]
    assert RoutingPolicy.model_validate(by_name["policy"]) == policy
    assert (by_name["hash"], by_name["channels"]) == (policy.hash, [])
    assert by_name["published_at"] == "2026-03-01T12:00:00Z"


async def test_the_same_request_is_done_once(http: httpx.AsyncClient, seeded: AsyncEngine) -> None:
    """The same key answers the same bytes and enters nothing; the same key with another body is refused."""
    published = [await post(http, "", {"policy": NEAR}, "p") for _ in range(2)]
    activated = [await post(http, "/near/activate", {"channel": "web"}, "a") for _ in range(2)]
    before = await count(seeded, *TABLES)
    other = await post(http, "/near/activate", {"channel": "draft"}, "a")

    for first, again in (published, activated):
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert "Idempotent-Replayed" not in first.headers
        assert again.headers["Idempotent-Replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency.key_reused")
    assert before == [1, 1, 2]
    assert await count(seeded, *TABLES) == before


async def test_a_version_has_one_content(http: httpx.AsyncClient, seeded: AsyncEngine) -> None:
    """Under another key the same is published already; other content is refused, and what was published stays."""
    await publish(http)
    again = await post(http, "", {"text": "version: 1.0.0\nname: near\nobjectives: [distance]\n"}, "again")
    other = await publish(http, max_splits=3)

    assert (again.status_code, again.json()["new"]) == (200, False)
    assert (other.status_code, other.json()["code"]) == (409, "policy.published")
    assert json.loads((await http.get(f"{PATH}/near")).json()["text"]) == NEAR
    assert await count(seeded, "routing_policies") == [1]


async def test_the_built_in_policy_needs_no_publishing(http: httpx.AsyncClient, seeded: AsyncEngine) -> None:
    """It is listed and read all the same, and put in force again by name; where it is in force that is no change."""
    shown = (await http.get(f"{PATH}/default")).json()
    idle = await post(http, "/default/activate", {"channel": "web"}, "1")
    before = await count(seeded, "routing_policies", "policy_activations")
    await publish(http)
    await post(http, "/near/activate", {"channel": "web"}, "2")
    back = await post(http, "/default:1.0.0/activate", {"channel": "web"}, "3")

    assert (shown["published_at"], shown["channels"]) == (None, ["draft", "web"])
    assert read_policy(shown["text"]) == (RoutingPolicy(), [])
    assert idle.json() == {"channel": "web", "policy": "default:1.0.0", "changed": False}
    assert before == [0, 0]
    assert back.json() == {"channel": "web", "policy": "default:1.0.0", "changed": True}
    assert await in_force(seeded, "web") == RoutingPolicy()
    assert await listed(http) == [("default", "1.0.0", ["draft", "web"]), ("near", "1.0.0", [])]


async def test_lists_go_by_pages(http: httpx.AsyncClient) -> None:
    """By name, whatever it is, the highest version first, by number; none comes twice or is passed over."""
    for version in ("1.9.0", "1.10.0", "2.0.0", "02.0.0"):
        await publish(http, version=version)
    odd = await publish(http, name="a/b ü中?#%2F")
    versions = ("02.0.0", "2.0.0", "1.10.0", "1.9.0")
    expected = [("a/b ü中?#%2F", "1.0.0"), ("default", "1.0.0"), *(("near", version) for version in versions)]

    found: list[tuple[str, str]] = []
    path: str | None = f"{PATH}?limit=1"
    while path is not None:
        page = (await http.get(path)).json()
        assert len(page["items"]) == 1
        found += [(each["name"], each["version"]) for each in page["items"]]
        path = page["next"]

    assert found == expected
    assert await listed(http, name="near", after="near:2.0.0") == [("near", version, []) for version in versions[2:]]
    assert (await http.get(odd.headers["Location"])).json()["name"] == "a/b ü中?#%2F"


async def test_findings_are_named_by_their_place(http: httpx.AsyncClient, seeded: AsyncEngine) -> None:
    """Everything that is wrong is told at once: in an object by its pointer, in a text by line and column."""
    wrong = {"name": "near", "objectives": ["distance", "luck"], "max_split": 1, "eligible": {"countries": ["Mars"]}}
    as_object = (await post(http, "", {"policy": wrong}, "1")).json()
    as_text = (await post(http, "", {"text": "name: near\nversion: 1.0.0\nobjectives: [distance, luck]\n"}, "2")).json()

    assert {each["pointer"]: each["code"] for each in as_object["errors"]} == {
        "/policy": "policy.missing",
        "/policy/objectives/1": "policy.objective",
        "/policy/max_split": "policy.unknown_field",
        "/policy/eligible/countries": "policy.value",
        "/policy/eligible/countries/0": "policy.value",
    }
    assert (as_object["status"], as_object["code"]) == (422, "policy.refused")
    [error] = as_text["errors"]
    assert (error["pointer"], error["code"]) == ("/text", "policy.objective")
    assert error["detail"].startswith("3:24 policy.objective")
    assert await count(seeded, *TABLES) == [0, 0, 0]


INVALID = (422, "input.invalid")
REFUSED = (422, "policy.refused")
UNKNOWN = (404, "policy.unknown")
BODIES: list[Any] = [
    *((body, *INVALID, "") for body in (None, [], "near", {}, {"policy": NEAR, "text": "name: near"})),
    *(({"policy": policy}, *INVALID, "/policy") for policy in ([], "near", 1, True)),
    *(({"text": given}, *INVALID, "/text") for given in ({}, 1, False)),
    ({"policy": NEAR, "channel": "web"}, *INVALID, "/channel"),
    *(({"text": given}, *REFUSED, "/text") for given in ("", "- near", "a: &a 1\nb: *a", "\t", "x" * 270_000)),
    *(({"policy": {**NEAR, "name": name}}, *REFUSED, "/policy/name") for name in ("a:b", "", "x" * 101, 7, None)),
    *(
        ({"policy": {**NEAR, "version": version}}, *REFUSED, "/policy/version")
        for version in ("1", "1.0", "1.0.0-b", "1.0.0.0", "9999999999.0.0", "٣.0.0", 1, None)
    ),
    *(({"policy": {**NEAR, "max_splits": n}}, *REFUSED, "/policy/max_splits") for n in (-1, 2**63, 1.5, "1", True)),
    ({"policy": {**NEAR, "eligible": {"when": "location.id =="}}}, *REFUSED, "/policy/eligible/when"),
    ({"policy": {**NEAR, "name": "a\0b"}}, 400, "json.malformed", None),
]
ACTIVATIONS: list[Any] = [
    *((name, {"channel": "web"}, *UNKNOWN, None) for name in ("far", "near:9.9.9", "near:", "near:x", "default:2.0.0")),
    *((name, {"channel": "web"}, *INVALID, "path/policy") for name in ("a%00b", "near:%00")),
    *(("near", {"channel": c}, *INVALID, "/channel") for c in ("mars", "", "ü", "x" * 101, None, 1, [])),
    *(("near", body, *INVALID, "") for body in (None, [], "web")),
    ("near", {}, *INVALID, "/channel"),
    ("near", {"channel": "web", "by": "x" * 101}, *INVALID, "/by"),
    ("near", {"channel": "web", "reason": "x" * 501}, *INVALID, "/reason"),
    ("near", {"channel": "web", "policy": "near"}, *INVALID, "/policy"),
]
QUERIES: list[Any] = [
    *(
        (f"?after={mark}", *INVALID, "query/after")
        for mark in ("near", "near:1", ":1.0.0", "near:1.0.9999999999", "%00")
    ),
    *((f"?limit={limit}", *INVALID, "query/limit") for limit in (0, -1, 201, "x")),
    ("?name=%00", *INVALID, "query/name"),
    ("/far", *UNKNOWN, None),
    ("/near:%00", *INVALID, "path/policy"),
]


async def test_odd_input_is_refused(http: httpx.AsyncClient, seeded: AsyncEngine) -> None:
    """Each problem has its code, the field if there is one, a reason and a remedy; no row is written by any."""
    await publish(http)
    before = await count(seeded, *TABLES)
    asked = [
        *(("", body, *expected) for body, *expected in BODIES),
        *((f"/{name}/activate", body, *expected) for name, body, *expected in ACTIVATIONS),
    ]
    for path, body, *expected in asked:
        _refused(await post(http, path, body), f"{path} {str(body)[:200]}", *expected)
    for query, *expected in QUERIES:
        _refused(await http.get(f"{PATH}{query}"), query, *expected)

    keyless = await http.post(PATH, json={"policy": NEAR})
    assert (keyless.status_code, keyless.json()["code"]) == (400, "idempotency.key_required")
    assert await count(seeded, *TABLES) == before


def _refused(answer: httpx.Response, asked: str, status: int, code: str, field: str | None) -> None:
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), f"{asked}: {answer.text}"
    assert problem["detail"], asked
    assert problem["remedy"], asked
    if field is not None:
        assert [error["pointer"] for error in problem["errors"]] == [field], asked
