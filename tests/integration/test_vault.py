"""The vault: what is sealed opens with its key alone, and never again once that is erased."""

import pytest

from orderloom.persistence.vault import DEPLOYMENT, KeyErased, Purpose, SealBroken, Vault


async def test_what_is_sealed_opens(bench) -> None:
    """Sealing hides and opening returns; the same text is never sealed alike."""
    await bench.vault.create_person_keys("p1", bench.now)

    sealed = [await bench.vault.seal("p1", b"secret") for _ in range(2)]

    assert sealed[0] != sealed[1]
    assert b"secret" not in sealed[0]
    assert [await bench.vault.open("p1", each) for each in sealed] == [b"secret", b"secret"]


async def test_a_seal_is_bound_to_its_key_and_purpose(bench) -> None:
    """Another person's key, another purpose, or a changed byte opens nothing."""
    vault = bench.vault
    for person in ("p1", "p2"):
        await vault.create_person_keys(person, bench.now)
    sealed = await vault.seal("p1", b"secret")

    for key_id, body, purpose in (
        ("p2", sealed, Purpose.SERVICE),
        ("p1", sealed, Purpose.STATUTORY),
        ("p1", sealed[:-1] + bytes([sealed[-1] ^ 1]), Purpose.SERVICE),
    ):
        with pytest.raises(SealBroken):
            await vault.open(key_id, body, purpose)


async def test_an_erased_person_cannot_be_read(bench) -> None:
    """Erasing one purpose leaves the other; erasing both leaves nothing, in a new process too."""
    vault = bench.vault
    await vault.create_person_keys("p1", bench.now)
    service, statutory = await vault.seal("p1", b"a"), await vault.seal("p1", b"b", Purpose.STATUTORY)

    await vault.erase("p1", Purpose.SERVICE)
    with pytest.raises(KeyErased):
        await vault.open("p1", service)
    kept = await vault.open("p1", statutory, Purpose.STATUTORY)
    await vault.erase("p1")
    await vault.create_person_keys("p1", bench.now)

    assert kept == b"b"
    for purpose, sealed in ((Purpose.SERVICE, service), (Purpose.STATUTORY, statutory)):
        with pytest.raises(KeyErased):
            await Vault(vault._keys, bytes(range(32))).open("p1", sealed, purpose)


async def test_the_master_key_opens_the_keys(bench) -> None:
    """With another master key the keys are useless, and it says so."""
    await bench.vault.create_person_keys("p1", bench.now)
    sealed = await bench.vault.seal("p1", b"secret")

    with pytest.raises(SealBroken):
        await Vault(bench.vault._keys, bytes(32)).open("p1", sealed)


async def test_the_deployment_has_a_key_from_the_start(bench) -> None:
    """Bodies without a person need no set-up."""
    sealed = await bench.vault.seal(DEPLOYMENT, b"body")

    assert await Vault(bench.vault._keys, bytes(range(32))).open(DEPLOYMENT, sealed) == b"body"


async def test_few_keys_stay_in_memory(bench) -> None:
    """Only the most recently used unwrapped keys are remembered; others are read again."""
    small = Vault(bench.vault._keys, bytes(range(32)), remembered=2)
    for person in ("p1", "p2", "p3"):
        await small.create_person_keys(person, bench.now)
        await small.seal(person, b"x")

    assert [name for name, _ in small._known] == ["p2", "p3"]
    assert await small.open("p1", await small.seal("p1", b"x")) == b"x"


async def test_erasing_a_customer_makes_the_order_anonymous(bench) -> None:
    """After erasure neither the intake body nor the stored person or recipient can be read."""
    await bench.load({"A": {"X": 1}})
    group = {
        "id": "1",
        "country": "GB",
        "recipient": {"name": "Ada", "line1": "1 Road", "city": "Bath", "country": "GB"},
    }
    order = await bench.place(
        {"X": 1}, customer={"reference": "c-1", "email": "ada@example.org"}, delivery_groups=[group]
    )
    [(person, service)] = await bench.rows("SELECT id, service FROM persons")
    [(recipient,)] = await bench.rows("SELECT service FROM recipients WHERE order_id = :order", order=order)
    [(body, key_id)] = await bench.rows("SELECT body, key_id FROM intake")
    readable = await bench.vault.open(person, recipient)

    await bench.vault.erase(person)

    assert b"1 Road" in readable
    assert key_id == person
    for sealed in (service, recipient, body):
        with pytest.raises(KeyErased):
            await bench.vault.open(person, sealed)


async def test_a_returning_customer_is_the_same_person(bench) -> None:
    """The second order of a reference is sealed with the first one's key; another channel's is not theirs."""
    await bench.load({"A": {"X": 2}})

    for _ in range(2):
        await bench.place({"X": 1}, customer={"reference": "c-1", "name": "Ada"})

    assert await bench.rows("SELECT count(*), count(DISTINCT lookup) FROM persons") == [(1, 1)]
    assert await bench.rows("SELECT count(DISTINCT person_id) FROM orders") == [(1,)]
