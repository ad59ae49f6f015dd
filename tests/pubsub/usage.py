"""How applications use pub/sub and the client-side cache of redis-py. Arguments: port."""
import sys
import time

import redis
from redis.cache import CacheConfig

PORT = int(sys.argv[1])
# redis-py refuses its cache to servers that call themselves older than 7.4; the protocol is that of 6.0.
redis.connection.CacheProxyConnection.MIN_ALLOWED_VERSION = "7.0.0"


def connect(**options):
    return redis.Redis(port=PORT, decode_responses=True, **options)


def wait_message(pubsub, seconds=5):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        message = pubsub.get_message(timeout=0.5)
        if message is not None:
            return message
    raise AssertionError("no message came")


def channels_and_patterns(protocol):
    client = connect(protocol=protocol)
    pubsub = client.pubsub()
    pubsub.subscribe("news", "sport")
    pubsub.psubscribe("n*")
    kinds = [wait_message(pubsub)["type"] for _ in range(3)]
    assert kinds == ["subscribe", "subscribe", "psubscribe"], kinds
    assert client.publish("news", "hello") == 2
    got = sorted((m["type"], m["channel"], m["data"]) for m in (wait_message(pubsub), wait_message(pubsub)))
    assert got == [("message", "news", "hello"), ("pmessage", "news", "hello")], got
    assert client.pubsub_numsub("news", "nothing") == [("news", 1), ("nothing", 0)]
    assert client.pubsub_numpat() == 1
    assert sorted(client.pubsub_channels()) == ["news", "sport"]
    if protocol == 2:
        pubsub.ping()
        assert wait_message(pubsub)["type"] == "pong"
    pubsub.unsubscribe()
    pubsub.punsubscribe()
    kinds = sorted(wait_message(pubsub)["type"] for _ in range(3))
    assert kinds == ["punsubscribe", "unsubscribe", "unsubscribe"], kinds
    assert not pubsub.subscribed
    assert client.publish("news", "nobody") == 0
    pubsub.close()


def handlers_in_a_thread(protocol):
    client, got = connect(protocol=protocol), []
    pubsub = client.pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe(**{"jobs": lambda message: got.append(message["data"])})
    thread = pubsub.run_in_thread(sleep_time=0.01)
    for number in range(500):
        client.publish("jobs", number)
    until = time.monotonic() + 10
    while len(got) < 500 and time.monotonic() < until:
        time.sleep(0.01)
    thread.stop()
    thread.join()
    assert got == [str(number) for number in range(500)], (len(got), got[:5])
    pubsub.close()


def keyspace_events(protocol):
    client = connect(protocol=protocol)
    client.config_set("notify-keyspace-events", "KEA")
    pubsub = client.pubsub(ignore_subscribe_messages=True)
    pubsub.psubscribe("__keyevent@0__:*")
    time.sleep(0.1)
    client.set("key", "value", px=50)
    events = []
    until = time.monotonic() + 5
    while "expired" not in events and time.monotonic() < until:
        message = pubsub.get_message(timeout=0.2)
        if message:
            assert message["data"] == "key"
            events.append(message["channel"].split(":")[1])
    assert events == ["set", "expire", "expired"], events
    client.config_set("notify-keyspace-events", "")
    pubsub.close()


def big_messages(protocol):
    client = connect(protocol=protocol)
    pubsub = client.pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe("big")
    time.sleep(0.1)
    for size in (1, 1000, 16 * 1024, 40_000, 1_000_000):
        assert client.publish("big", "x" * size) == 1
        assert len(wait_message(pubsub)["data"]) == size
    pubsub.close()


def client_side_cache():
    cached, writer = connect(protocol=3, cache_config=CacheConfig()), connect()
    writer.mset({f"cached-{number}": number for number in range(50)})
    for _ in range(3):
        for number in range(50):
            assert cached.get(f"cached-{number}") == str(number)
    assert cached.get_cache().size == 50, cached.get_cache().size
    for number in range(50):
        writer.set(f"cached-{number}", "new")
    # An invalidation is on its way at once, but by another road than the writer's reply.
    until = time.monotonic() + 5
    wrong = list(range(50))
    while wrong and time.monotonic() < until:
        wrong = [number for number in wrong if cached.get(f"cached-{number}") != "new"]
    assert not wrong, wrong


def many_subscribers():
    client = connect(max_connections=1000)
    subscribers = [client.pubsub(ignore_subscribe_messages=True) for _ in range(200)]
    for pubsub in subscribers:
        pubsub.subscribe("crowd")
    until = time.monotonic() + 5
    while client.pubsub_numsub("crowd") != [("crowd", 200)] and time.monotonic() < until:
        time.sleep(0.01)
    for number in range(20):
        assert client.publish("crowd", number) == 200
    for pubsub in subscribers:
        assert [wait_message(pubsub)["data"] for _ in range(20)] == [str(number) for number in range(20)]
    assert int(client.client_kill_filter(_type="pubsub")) == 200
    for pubsub in subscribers:
        pubsub.close()


for version in (2, 3):
    channels_and_patterns(version)
    handlers_in_a_thread(version)
    keyspace_events(version)
    big_messages(version)
client_side_cache()
many_subscribers()
print("done")
