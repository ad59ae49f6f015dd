"""Pub/sub as applications use it: channels, patterns, shard channels, handlers in a thread, keyspace events, crowds, reconnecting."""
import time

from redis import exceptions

from app import connect, equal, run, speaking, wait_until


def next_message(pubsub, seconds=15):
    return wait_until(lambda: pubsub.get_message(timeout=0.5), "a message", seconds)


def listen(client, channels=(), patterns=(), shards=()):
    """A subscriber that has read the server's acknowledgements: from here on it hears everything."""
    pubsub = client.pubsub()
    for join, names in ((pubsub.subscribe, channels), (pubsub.psubscribe, patterns), (pubsub.ssubscribe, shards)):
        if names:
            join(*names)
            assert all(next_message(pubsub)["type"].endswith("subscribe") for _ in names)
    return pubsub


def channels_and_patterns():
    client = connect()
    pubsub = client.pubsub()
    pubsub.subscribe("news", "sport")
    pubsub.psubscribe("n*")
    equal([next_message(pubsub)["type"] for _ in range(3)], ["subscribe", "subscribe", "psubscribe"])
    equal(client.publish("news", "hello"), 2)
    got = sorted((m["type"], m["channel"], m["data"]) for m in (next_message(pubsub), next_message(pubsub)))
    equal(got, [("message", "news", "hello"), ("pmessage", "news", "hello")])
    equal(client.pubsub_numsub("news", "nothing"), [("news", 1), ("nothing", 0)])
    equal(client.pubsub_numpat(), 1)
    equal(sorted(client.pubsub_channels()), ["news", "sport"])
    if speaking["protocol"] == 2:
        pubsub.ping()
        equal(next_message(pubsub)["type"], "pong")
    pubsub.unsubscribe()
    pubsub.punsubscribe()
    equal(sorted(next_message(pubsub)["type"] for _ in range(3)), ["punsubscribe", "unsubscribe", "unsubscribe"])
    assert not pubsub.subscribed
    equal(client.publish("news", "nobody"), 0)
    pubsub.close()


def shard_channels():
    client = connect()
    pubsub = listen(client, shards=["orders", "bills"])
    equal(sorted(client.pubsub_shardchannels()), ["bills", "orders"])
    equal(client.publish("orders", "not for shard channels"), 0)
    equal([client.spublish("orders", number) for number in range(20)], [1] * 20)
    got = [next_message(pubsub) for _ in range(20)]
    equal([(m["type"], m["data"]) for m in got], [("smessage", str(number)) for number in range(20)])
    equal(client.pubsub_shardnumsub("orders", "none"), [("orders", 1), ("none", 0)])
    pubsub.close()


def handlers_in_a_thread():
    client, got = connect(), []
    pubsub = client.pubsub()
    pubsub.subscribe(**{"jobs": lambda message: got.append(message["data"])})
    equal(next_message(pubsub)["type"], "subscribe")
    thread = pubsub.run_in_thread(sleep_time=0.01)
    for number in range(300):
        client.publish("jobs", number)
    wait_until(lambda: len(got) >= 300, "300 messages")
    thread.stop()
    thread.join()
    equal(got, [str(number) for number in range(300)])
    pubsub.close()


def keyspace_events():
    client = connect()
    client.config_set("notify-keyspace-events", "KEA")
    pubsub = listen(client, patterns=["__keyevent@0__:*"])
    client.set("key", "value", px=50)
    events = []
    until = time.monotonic() + 10
    while "expired" not in events and time.monotonic() < until:
        if message := pubsub.get_message(timeout=0.2):
            equal(message["data"], "key")
            events.append(message["channel"].split(":")[1])
    equal(events, ["set", "expire", "expired"])
    client.config_set("notify-keyspace-events", "")
    pubsub.close()


def big_messages():
    client = connect()
    pubsub = listen(client, channels=["big"])
    for size in (1, 1000, 16 * 1024, 40_000, 1_000_000):
        equal(client.publish("big", "x" * size), 1)
        equal(len(next_message(pubsub)["data"]), size)
    pubsub.close()


def a_lost_subscriber_comes_back():
    """redis-py subscribes again by itself; only what was said in between is lost."""
    client = connect()
    pubsub = listen(client, channels=["here"], patterns=["th*"])
    equal(client.client_kill_filter(_type="pubsub"), 1)
    wait_until(lambda: client.pubsub_numsub("here") == [("here", 0)], "killed")
    equal(client.publish("here", "unheard"), 0)

    def acknowledged():
        try:
            return pubsub.get_message(timeout=0.5)
        except exceptions.ConnectionError:
            return None

    equal(sorted(wait_until(acknowledged, "joined again")["type"] for _ in range(2)), ["psubscribe", "subscribe"])
    client.publish("here", "heard")
    client.publish("there", "too")
    equal([next_message(pubsub)["data"] for _ in range(2)], ["heard", "too"])
    pubsub.close()


def a_crowd():
    client = connect(max_connections=1000)
    subscribers = [listen(client, channels=["crowd"]) for _ in range(100)]
    equal(client.pubsub_numsub("crowd"), [("crowd", 100)])
    for number in range(20):
        equal(client.publish("crowd", number), 100)
    for pubsub in subscribers:
        equal([next_message(pubsub)["data"] for _ in range(20)], [str(number) for number in range(20)])
    equal(int(client.client_kill_filter(_type="pubsub")), 100)
    for pubsub in subscribers:
        pubsub.close()


run(
    channels_and_patterns,
    shard_channels,
    handlers_in_a_thread,
    keyspace_events,
    big_messages,
    a_lost_subscriber_comes_back,
    a_crowd,
)
