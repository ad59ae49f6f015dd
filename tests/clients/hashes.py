"""Hashes as records and sessions, counters by field, walks over large ones; fields that expire, where the server has that."""
import time

from redis import exceptions

from app import connect, equal, refused, run, skip, start, wait_until


def records():
    client = connect()
    equal(client.hset("user:1", mapping={"name": "Ada", "mail": "ada@x", "logins": 0}), 3)
    equal(client.hset("user:1", "name", "Ada L."), 0)
    equal(client.hsetnx("user:1", "mail", "other"), 0)
    equal(client.hget("user:1", "mail"), "ada@x")
    equal(client.hmget("user:1", "name", "none", "logins"), ["Ada L.", None, "0"])
    equal(client.hincrby("user:1", "logins", 5), 5)
    equal(client.hincrbyfloat("user:1", "balance", "10.5"), 10.5)
    equal((client.hlen("user:1"), client.hstrlen("user:1", "name"), client.hexists("user:1", "none")), (4, 6, False))
    assert "not an integer" in refused(exceptions.ResponseError, client.hincrby, "user:1", "name", 1)
    equal(client.hdel("user:1", "mail", "none"), 1)
    equal(client.hgetall("user:1"), {"name": "Ada L.", "logins": "5", "balance": "10.5"})
    equal(client.hdel("user:1", "name", "logins", "balance"), 3)
    equal(client.exists("user:1"), 0, "an empty hash is no key")


def counters_from_many_threads():
    def count(number):
        client = connect()
        for step in range(150):
            client.hincrby("hits", f"page:{step % 11}", number)

    start(*[lambda number=number: count(number) for number in range(1, 6)])()
    counts = {field: int(value) for field, value in connect().hgetall("hits").items()}
    equal(counts, {f"page:{page}": 15 * len(range(page, 150, 11)) for page in range(11)})


def a_large_hash_is_walked_while_it_changes():
    client = connect()
    fixed = {f"fixed:{number}": str(number) for number in range(3000)}
    client.hset("large", mapping=fixed)

    def change():
        own = connect()
        for number in range(400):
            own.hset("large", f"new:{number}", 1)
            own.hdel("large", f"new:{number - 3}")

    finish = start(change)
    for _ in range(3):
        seen = dict(client.hscan_iter("large", count=200))
        assert fixed.items() <= seen.items(), len(fixed.items() - seen.items())
    finish()
    drawn = client.hrandfield("large", 50)
    assert len(set(drawn)) == 50 and set(drawn) <= set(client.hkeys("large")), drawn
    equal(len(client.hrandfield("large", -5000)), 5000)


def has_field_expiry(client):
    try:
        client.execute_command("HTTL", "nothing", "FIELDS", 1, "f")
        return True
    except exceptions.ResponseError as error:
        assert "unknown command" in str(error), error
        skip("field expiry", "unknown command HPEXPIRE")
        return False


def sessions_whose_fields_expire():
    client = connect()
    if not has_field_expiry(client):
        return
    client.hset("session:1", mapping={"user": "ada", "token": "t", "cart": "c", "seen": "s"})
    equal(client.httl("session:1", "user", "none"), [-1, -2])
    equal(client.hexpire("session:1", 100, "token", "cart", "none"), [1, 1, -2])
    assert all(90 < ttl <= 100 for ttl in client.httl("session:1", "token", "cart"))
    equal(client.hpexpire("session:1", 30, "token"), [1])
    wait_until(lambda: client.hget("session:1", "token") is None, "the token expires")
    equal(client.hkeys("session:1"), ["user", "cart", "seen"])
    equal((client.hlen("session:1"), client.hexists("session:1", "token")), (3, False))
    equal(client.hpersist("session:1", "cart", "user", "token"), [1, -1, -2])
    equal(client.httl("session:1", "cart"), [-1])
    # Conditions.
    equal(client.hexpire("session:1", 50, "cart", xx=True), [0])
    equal(client.hexpire("session:1", 50, "cart", nx=True), [1])
    equal(client.hexpire("session:1", 40, "cart", gt=True), [0])
    equal(client.hexpire("session:1", 40, "cart", lt=True), [1])
    at = int(time.time()) + 1000
    equal(client.hexpireat("session:1", at, "seen"), [1])
    equal(client.hexpiretime("session:1", "seen"), [at])
    equal(client.hpexpireat("session:1", at * 1000 + 7, "seen"), [1])
    equal(client.hpexpiretime("session:1", "seen"), [at * 1000 + 7])
    assert 990_000 < client.hpttl("session:1", "seen")[0] <= 1_000_007
    client.hset("session:1", "seen", "again")
    equal(client.httl("session:1", "seen"), [-1], "a new value has no expiry")
    equal(client.hexpire("session:1", 0, "seen"), [2], "deleted at once")
    equal(client.hexpireat("session:1", 1, "cart", "user"), [2, 2])
    equal(client.exists("session:1"), 0, "the last field took the key along")


def thousands_of_fields_expire_by_themselves():
    client = connect()
    if not has_field_expiry(client):
        return
    fields = [f"f{number}" for number in range(2000)]
    client.hset("many", mapping=dict.fromkeys(fields, 1))
    client.hset("many", "stays", 1)
    for at in range(0, 2000, 500):
        equal(client.hpexpire("many", 60, *fields[at : at + 500]), [1] * 500)
    wait_until(lambda: client.hlen("many") == 1, "expired fields are taken away without being asked for")
    equal(client.hgetall("many"), {"stays": "1"})


run(
    records,
    counters_from_many_threads,
    a_large_hash_is_walked_while_it_changes,
    sessions_whose_fields_expire,
    thousands_of_fields_expire_by_themselves,
)
