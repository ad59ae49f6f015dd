"""Pipelines as applications send them: bulk loads, transactions, errors in the middle, many threads, replies of every type in one batch."""
from redis import exceptions

from app import connect, equal, refused, run, start


def a_bulk_load_keeps_its_order():
    client = connect()
    with client.pipeline(transaction=False) as pipe:
        for number in range(3000):
            pipe.set(f"bulk:{number}", number)
            pipe.get(f"bulk:{number}")
        replies = pipe.execute()
    equal(replies[0::2], [True] * 3000)
    equal(replies[1::2], [str(number) for number in range(3000)])
    found = sorted(client.scan_iter(match="bulk:*", count=500))
    equal(found, sorted(f"bulk:{number}" for number in range(3000)), "SCAN")
    with client.pipeline(transaction=False) as pipe:
        for at in range(0, 3000, 100):
            pipe.unlink(*found[at : at + 100])
        equal(pipe.execute(), [100] * 30)
    equal(client.dbsize(), 0)


def replies_of_every_type():
    client = connect()
    pipe = client.pipeline()
    pipe.hset("h", mapping={"name": "Ada", "age": 36})
    pipe.rpush("l", "a", "b", "c")
    pipe.sadd("s", "x", "y")
    pipe.zadd("z", {"one": 1, "two": 2.5})
    pipe.xadd("x", {"f": "v"}, id="1-1")
    pipe.pfadd("p", "a", "b", "c")
    pipe.hgetall("h").lrange("l", 0, -1).smembers("s").zrange("z", 0, -1, withscores=True)
    pipe.xrange("x").pfcount("p").get("nothing").ttl("h").type("z").exists("h", "l", "nothing")
    replies = pipe.execute()
    equal(replies[:6], [2, 3, 2, 2, "1-1", 1])
    equal(replies[6], {"name": "Ada", "age": "36"})
    equal(replies[7:9], [["a", "b", "c"], {"x", "y"}])
    equal([(member, score) for member, score in replies[9]], [("one", 1.0), ("two", 2.5)])
    equal(replies[10:], [[("1-1", {"f": "v"})], 3, None, -1, "zset", 2])


def an_error_in_the_middle_stops_nothing():
    client = connect()
    client.set("text", "x")
    for transaction in (True, False):
        pipe = client.pipeline(transaction=transaction)
        pipe.set("a", 1).incr("text").lpush("text", 1).incr("a")
        replies = pipe.execute(raise_on_error=False)
        assert replies[0] is True and replies[3] == 2, replies
        equal(str(replies[1]), "value is not an integer or out of range")
        assert str(replies[2]).startswith("WRONGTYPE"), replies
        assert all(isinstance(reply, exceptions.ResponseError) for reply in replies[1:3]), replies
        pipe.set("a", 1).incr("text").incr("a")
        told = refused(exceptions.ResponseError, pipe.execute)
        assert told.startswith("Command # 2 (INCRBY text 1) of pipeline caused error: "), told
        equal(client.get("a"), "2", "the commands behind the error were executed")


def a_command_that_cannot_be_queued_discards_all():
    client = connect()
    pipe = client.pipeline()
    pipe.set("never", 1).execute_command("NOSUCH", "x").set("never", 2)
    told = refused(exceptions.ResponseError, pipe.execute)
    assert "unknown command" in told and "Command # 2" in told, told
    equal(client.get("never"), None)
    pipe = client.pipeline(transaction=False)
    pipe.set("kept", 1).execute_command("NOSUCH", "x").incr("kept")
    replies = pipe.execute(raise_on_error=False)
    assert replies[0] is True and replies[2] == 2 and "unknown command" in str(replies[1]), replies


def transfers_in_transactions_keep_the_sum():
    accounts = [f"account:{number}" for number in range(12)]
    connect().mset(dict.fromkeys(accounts, 100))

    def transfer(seed):
        client = connect()
        for step in range(40):
            source, target = accounts[(seed + step) % 12], accounts[(seed * 5 + step * 7 + 1) % 12]
            client.pipeline(transaction=True).decrby(source, 3).incrby(target, 3).execute()

    def audit():
        client = connect()
        for _ in range(60):
            pipe = client.pipeline(transaction=True)
            for account in accounts:
                pipe.get(account)
            equal(sum(int(amount) for amount in pipe.execute()), 1200, "a transaction seen in part")

    start(*[lambda seed=seed: transfer(seed) for seed in range(4)], audit)()
    equal(sum(int(amount) for amount in connect().mget(accounts)), 1200)


def counters_from_many_threads():
    def count(number):
        client = connect()
        for _ in range(20):
            pipe = client.pipeline(transaction=False)
            for at in range(50):
                pipe.hincrby(f"stats:{at % 7}", f"field:{at}", 1)
            pipe.incr(f"rounds:{number}")
            pipe.execute()

    start(*[lambda number=number: count(number) for number in range(6)])()
    client = connect()
    sums = [sum(map(int, client.hvals(f"stats:{at}"))) for at in range(7)]
    equal(sum(sums), 6 * 20 * 50)
    equal(client.mget(*[f"rounds:{number}" for number in range(6)]), ["20"] * 6)


def a_pipeline_is_reused():
    client = connect()
    pipe = client.pipeline()
    equal(pipe.execute(), [], "an empty pipeline")
    for number in range(1, 6):
        equal(pipe.incr("again").execute(), [number])
    pipe.incr("again").reset()
    equal((len(pipe), client.get("again")), (0, "5"))


run(
    a_bulk_load_keeps_its_order,
    replies_of_every_type,
    an_error_in_the_middle_stops_nothing,
    a_command_that_cannot_be_queued_discards_all,
    transfers_in_transactions_keep_the_sum,
    counters_from_many_threads,
    a_pipeline_is_reused,
)
