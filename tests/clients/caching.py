"""The client-side cache of redis-py (RESP3, CLIENT TRACKING): answers without asking, and is told of every change.

An invalidation is on its way at once, but by another road than the writer's reply: what changed is waited for.
"""
import random

import redis
from redis.cache import CacheConfig

from app import connect, equal, run, start, wait_until

# redis-py refuses its cache to servers that call themselves older than 7.4; the protocol is that of 6.0.
redis.connection.CacheProxyConnection.MIN_ALLOWED_VERSION = "7.0.0"


def caching(**options):
    return connect(protocol=3, cache_config=CacheConfig(**options))


def calls(admin, command):
    return admin.info("commandstats").get(f"cmdstat_{command}", {"calls": 0})["calls"]


def repeated_reads_are_not_asked():
    writer, cached = connect(), caching()
    writer.mset({f"k{number}": number for number in range(50)})
    writer.config_resetstat()
    for _ in range(3):
        for number in range(50):
            equal(cached.get(f"k{number}"), str(number))
    equal(calls(writer, "get"), 50, "GETs that reached the server")
    equal(cached.get_cache().size, 50)


def changes_arrive():
    writer, cached = connect(), caching()
    names = [f"c{number}" for number in range(50)]
    writer.mset(dict.fromkeys(names, "old"))
    equal({cached.get(name) for name in names}, {"old"})
    for name in names:
        writer.set(name, "new")
    wait_until(lambda: all(cached.get(name) == "new" for name in names), "50 invalidations")
    writer.delete(names[0])
    wait_until(lambda: cached.get(names[0]) is None, "deleted")
    writer.rename(names[1], names[0])
    wait_until(lambda: cached.get(names[0]) == "new" and cached.get(names[1]) is None, "renamed")
    writer.set(names[2], "soon", px=30)
    wait_until(lambda: cached.get(names[2]) is None, "expired")
    equal(cached.get(names[3]), "new")
    writer.flushall()
    wait_until(lambda: cached.get(names[3]) is None, "flushed")


def all_types_are_cached():
    writer, cached = connect(), caching()
    writer.hset("h", mapping={"f": "v"})
    writer.rpush("l", "a", "b")
    writer.sadd("s", "x")
    writer.zadd("z", {"m": 1})
    reads = [
        (lambda: cached.hget("h", "f"), "v", lambda: writer.hset("h", "f", "w"), "w"),
        (lambda: cached.lrange("l", 0, -1), ["a", "b"], lambda: writer.rpush("l", "c"), ["a", "b", "c"]),
        (lambda: cached.smembers("s"), {"x"}, lambda: writer.sadd("s", "y"), {"x", "y"}),
        (lambda: cached.zscore("z", "m"), 1.0, lambda: writer.zincrby("z", 1, "m"), 2.0),
        (lambda: cached.mget("g1", "g2"), [None, None], lambda: writer.set("g2", "v"), [None, "v"]),
    ]
    for read, before, change, after in reads:
        equal(as_read(read()), before)
        size = cached.get_cache().size
        equal(as_read(read()), before)
        equal(cached.get_cache().size, size)
        change()
        wait_until(lambda: as_read(read()) == after, f"{after}")


def as_read(value):
    return set(value) if isinstance(value, (set, frozenset)) else value


def many_readers_and_writers():
    """When the writers have ended, no cache keeps what the server no longer says."""
    names = [f"m{number}" for number in range(20)]

    def read(seed):
        client, chance = caching(), random.Random(seed)
        for _ in range(250):
            client.get(chance.choice(names))
        return client

    def write(seed):
        client, chance = connect(), random.Random(seed)
        for step in range(150):
            client.set(chance.choice(names), f"{seed}:{step}")

    readers = start(*[lambda seed=seed: read(seed) for seed in range(4)], *[lambda seed=seed: write(seed) for seed in (8, 9)])()[:4]
    truth = connect().mget(names)
    for reader in readers:
        wait_until(lambda: [reader.get(name) for name in names] == truth, "a stale value stays in a cache")


def a_small_cache_throws_out():
    writer, cached = connect(), caching(max_size=10)
    writer.mset({f"e{number}": number for number in range(100)})
    for number in range(100):
        equal(cached.get(f"e{number}"), str(number))
    assert cached.get_cache().size <= 10, cached.get_cache().size
    writer.set("e99", "x")
    wait_until(lambda: cached.get("e99") == "x", "the newest one is still told")


def a_lost_connection_loses_the_cache():
    """What changed while nobody could be told must not be answered from the cache."""
    writer, cached = connect(), caching()
    writer.set("k", "old")
    equal(cached.get("k"), "old")
    writer.client_kill_filter(_id=[row["id"] for row in writer.client_list() if "t" in row["flags"]][0])
    writer.set("k", "new")
    wait_until(lambda: read_again(cached) == "new", "the cache outlived its connection")


def read_again(cached):
    try:
        return cached.get("k")
    except redis.ConnectionError:
        return None


run(
    repeated_reads_are_not_asked,
    changes_arrive,
    all_types_are_cached,
    many_readers_and_writers,
    a_small_cache_throws_out,
    a_lost_connection_loses_the_cache,
)
