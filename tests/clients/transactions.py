"""Transactions with WATCH and retries: transfers, stock, conditional writes over several keys, what aborts and what does not."""
import random
import threading

from redis import exceptions

from app import connect, equal, refused, run, start, wait_until


def transfers_with_retries():
    accounts = [f"acc:{number}" for number in range(5)]
    connect().mset(dict.fromkeys(accounts, 100))
    retries = []

    def work(seed):
        client, chance = connect(), random.Random(seed)
        for _ in range(30):
            source, target = chance.sample(accounts, 2)
            with client.pipeline() as pipe:
                while True:
                    try:
                        pipe.watch(source, target)
                        have = int(pipe.get(source))
                        amount = min(have, chance.randint(1, 40))
                        pipe.multi()
                        pipe.set(source, have - amount)
                        pipe.incrby(target, amount)
                        pipe.rpush("journal", f"{source}>{target}:{amount}")
                        pipe.execute()
                        break
                    except exceptions.WatchError:
                        retries.append(seed)

    start(*[lambda seed=seed: work(seed) for seed in range(6)])()
    client = connect()
    left = dict(zip(accounts, map(int, client.mget(accounts))))
    equal(sum(left.values()), 500)
    assert min(left.values()) >= 0, left
    # What the journal says is what the accounts hold: every transaction was whole.
    replayed = dict.fromkeys(accounts, 100)
    journal = client.lrange("journal", 0, -1)
    equal(len(journal), 180)
    for line in journal:
        route, amount = line.rsplit(":", 1)
        source, target = route.split(">")
        replayed[source] -= int(amount)
        replayed[target] += int(amount)
    equal(replayed, left)


def the_helper_that_retries():
    """Redis.transaction calls again until nothing watched has changed."""
    calls = []

    def work():
        client = connect()

        def raise_by_one(pipe):
            calls.append(1)
            value = int(pipe.get("n") or 0)
            pipe.multi()
            pipe.set("n", value + 1)
            return value

        return [client.transaction(raise_by_one, "n", value_from_callable=True) for _ in range(25)]

    seen = sum(start(*[work] * 4)(), [])
    equal(sorted(seen), list(range(100)))
    equal(connect().get("n"), "100")
    assert len(calls) >= 100


def what_breaks_a_watch():
    client, other = connect(), connect()

    def outcome(change, prepare=lambda: client.set("w", 1)):
        client.delete("w", "made")
        prepare()
        with client.pipeline() as pipe:
            pipe.watch("w")
            change()
            pipe.multi()
            pipe.set("made", 1)
            try:
                pipe.execute()
            except exceptions.WatchError:
                equal(client.exists("made"), 0, "executed in spite of the watch")
                return False
            equal(client.exists("made"), 1)
            return True

    missing = lambda: None
    equal(outcome(lambda: other.get("w")), True)
    equal(outcome(lambda: other.set("other", 1)), True)
    equal(outcome(lambda: other.set("w", 1)), False, "the same value again")
    equal(outcome(lambda: other.delete("w")), False)
    equal(outcome(lambda: other.delete("w"), missing), True, "deleting nothing")
    equal(outcome(lambda: other.set("w", 1), missing), False)
    equal(outcome(lambda: (other.set("w", 1), other.delete("w")), missing), False)
    equal(outcome(lambda: other.expire("w", 100)), False)
    equal(outcome(lambda: other.rename("w", "v")), False)
    equal(outcome(lambda: other.flushall()), False)
    equal(outcome(lambda: other.flushall(), missing), True)
    equal(outcome(lambda: other.eval("redis.call('INCR', KEYS[1])", 1, "w")), False)
    other.set("src", 5)
    equal(outcome(lambda: other.copy("src", "w", replace=True)), False)
    equal(outcome(lambda: other.lpush("w", 1), lambda: client.rpush("w", 0)), False)
    equal(outcome(lambda: other.sadd("w", "a"), lambda: client.sadd("w", "a")), True, "added nothing")
    # A key that was there and expires while watched.
    equal(outcome(lambda: wait_until(lambda: not other.exists("w"), "expiry"), lambda: client.set("w", 1, px=20)), False)


def watching_is_given_up():
    client, other = connect(), connect()
    with client.pipeline() as pipe:
        pipe.watch("a", "b")
        other.set("a", 1)
        pipe.unwatch()
        pipe.multi()
        equal(pipe.set("c", 1).execute(), [True])
        pipe.watch("a")
        other.set("a", 2)
        pipe.reset()
        equal(pipe.set("c", 2).execute(), [True], "a reset pipeline watches nothing")
        pipe.watch("a")
        other.set("a", 3)
        pipe.multi()
        refused(exceptions.WatchError, pipe.set("c", 3).execute)
        equal(pipe.set("c", 4).execute(), [True], "an aborted transaction watches nothing more")
    equal(client.get("c"), "4")


def reserve_over_several_keys():
    """All parts in stock or no order at all; the parts' keys lie on different cores."""
    parts = [f"part:{number}" for number in range(6)]
    connect().mset(dict.fromkeys(parts, 20))

    def order(seed):
        client, chance, taken = connect(), random.Random(seed), []
        for _ in range(15):
            wanted = chance.sample(parts, 3)

            def reserve(pipe):
                stock = [int(left) for left in pipe.mget(wanted)]
                pipe.multi()
                if min(stock) > 0:
                    for part in wanted:
                        pipe.decr(part)
                    pipe.incr("orders")
                return min(stock) > 0

            if client.transaction(reserve, *wanted, value_from_callable=True):
                taken += wanted
        return taken

    taken = sum(start(*[lambda seed=seed: order(seed) for seed in range(4)])(), [])
    client = connect()
    left = dict(zip(parts, map(int, client.mget(parts))))
    equal(left, {part: 20 - taken.count(part) for part in parts})
    assert min(left.values()) >= 0, left
    equal(int(client.get("orders")) * 3, len(taken))


def readers_see_all_or_nothing():
    names = [f"field:{number}" for number in range(8)]
    connect().mset(dict.fromkeys(names, 0))
    stop = threading.Event()

    def write():
        client = connect()
        for number in range(120):
            pipe = client.pipeline()
            for name in names:
                pipe.set(name, number)
            pipe.execute()
        stop.set()

    def read():
        client, rounds = connect(), 0
        while not stop.is_set() or rounds < 10:
            rounds += 1
            assert len(set(client.mget(names))) == 1, "half a transaction"
            pipe = client.pipeline()
            for name in names:
                pipe.get(name)
            assert len(set(pipe.execute())) == 1, "half a transaction"

    start(write, read, read)()


def errors_inside():
    client = connect()
    client.set("text", "x")
    with client.pipeline() as pipe:
        pipe.watch("text")
        pipe.multi()
        pipe.incr("count").incr("text").incr("count")
        replies = pipe.execute(raise_on_error=False)
        assert (replies[0], replies[2]) == (1, 2) and isinstance(replies[1], exceptions.ResponseError), replies
        pipe.watch("text")
        pipe.multi()
        pipe.incr("count").execute_command("GET")
        assert "wrong number of arguments" in refused(exceptions.ResponseError, pipe.execute)
    equal(client.get("count"), "2")


run(
    transfers_with_retries,
    the_helper_that_retries,
    what_breaks_a_watch,
    watching_is_given_up,
    reserve_over_several_keys,
    readers_see_all_or_nothing,
    errors_inside,
)
