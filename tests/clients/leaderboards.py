"""Leaderboards on sorted sets: ranks, pages, ties, seasons added up, scores raised from many threads, neighbours, completion of names."""
import random

from redis import exceptions

from app import connect, equal, near, refused, run, start


def board(client, key="board", players=200):
    scores = {f"player:{number:03}": (number * 37) % 1000 for number in range(players)}
    client.zadd(key, scores)
    return scores


def ranks_and_pages():
    client = connect()
    scores = board(client)
    best = sorted(scores, key=lambda name: (scores[name], name), reverse=True)
    top = client.zrange("board", 0, 9, desc=True, withscores=True)
    equal([(name, score) for name, score in top], [(name, float(scores[name])) for name in best[:10]])
    for name in best[::17]:
        equal(client.zrevrank("board", name), best.index(name))
        equal(client.zrank("board", name), len(best) - 1 - best.index(name))
    pages = []
    for at in range(0, 200, 30):
        pages += client.zrevrange("board", at, at + 29)
    equal(pages, best)
    # Around a player: two above, two below.
    rank = client.zrevrank("board", best[50])
    equal(client.zrange("board", rank - 2, rank + 2, desc=True), best[48:53])
    equal((client.zrank("board", "nobody"), client.zscore("board", "nobody")), (None, None))
    equal(client.zmscore("board", [best[0], "nobody"]), [float(scores[best[0]]), None])
    equal(client.zcount("board", 500, "+inf"), sum(score >= 500 for score in scores.values()))
    equal(client.zrangebyscore("board", "(900", "+inf", start=1, num=3),
          [name for name in reversed(best) if scores[name] > 900][1:4])


def only_better_scores_count():
    client = connect()
    equal(client.zadd("best", {"a": 10, "b": 10}), 2)
    equal(client.zadd("best", {"a": 5, "b": 15}, gt=True, ch=True), 1)
    equal(client.zadd("best", {"a": 7, "c": 1}, lt=True, ch=True), 2)
    equal(client.zadd("best", {"a": 99, "d": 4}, nx=True), 1)
    equal(client.zadd("best", {"a": 8, "e": 4}, xx=True, ch=True), 1)
    equal(client.zadd("best", {"a": 1.5}, incr=True), 9.5)
    equal(client.zadd("best", {"z": 1}, xx=True, incr=True), None)
    equal(dict(client.zrange("best", 0, -1, withscores=True)), {"a": 9.5, "b": 15.0, "c": 1.0, "d": 4.0})
    assert "not a valid float" in refused(exceptions.ResponseError, client.zadd, "best", {"a": "much"})


def scores_from_many_threads():
    names = [f"p{number}" for number in range(20)]

    def play(seed):
        client, chance, given = connect(), random.Random(seed), dict.fromkeys(names, 0)
        for _ in range(120):
            name, points = chance.choice(names), chance.randint(1, 50)
            client.zincrby("live", points, name)
            given[name] += points
        return given

    rounds = start(*[lambda seed=seed: play(seed) for seed in range(5)])()
    wanted = {name: float(sum(given[name] for given in rounds)) for name in names}
    client = connect()
    equal({name: score for name, score in client.zrange("live", 0, -1, withscores=True)}, {n: s for n, s in wanted.items() if s})
    in_order = [score for _, score in client.zrange("live", 0, -1, withscores=True)]
    equal(in_order, sorted(in_order))


def ties_are_ordered_by_name():
    """Ties broken by the time of the score: a fraction that falls as time goes on."""
    client = connect()
    client.zadd("ties", {"bob": 7, "ada": 7, "cid": 7})
    equal(client.zrange("ties", 0, -1), ["ada", "bob", "cid"])
    client.delete("ties")
    for serial, name in enumerate(["late", "later", "latest"]):
        client.zadd("ties", {name: 7 + (1 - serial / 1000)})
    equal(client.zrevrange("ties", 0, -1), ["late", "later", "latest"])


def a_week_is_the_sum_of_its_days():
    client = connect()
    days = [{"a": 1, "b": 2}, {"a": 10, "c": 3}, {"b": 5, "c": 1, "d": 100}]
    for number, day in enumerate(days):
        client.zadd(f"day:{number}", day)
    keys = [f"day:{number}" for number in range(3)]
    equal(client.zunionstore("week", keys), 4)
    equal(dict(client.zrange("week", 0, -1, withscores=True)), {"a": 11.0, "b": 7.0, "c": 4.0, "d": 100.0})
    equal(client.zunionstore("weighed", {"day:0": 10, "day:1": 1, "day:2": 0.5}), 4)
    equal(dict(client.zrange("weighed", 0, -1, withscores=True)), {"a": 20.0, "b": 22.5, "c": 3.5, "d": 50.0})
    equal(client.zunionstore("peak", keys, aggregate="MAX"), 4)
    equal(client.zscore("peak", "b"), 5.0)
    equal(client.zinterstore("faithful", ["day:0", "day:1"]), 1)
    equal(client.zdiff(["week", "day:0"]), ["c", "d"])
    equal(client.zintercard(2, ["week", "day:2"]), 3)
    equal(client.zrangestore("top", "week", 0, 1, desc=True), 2)
    equal(client.zrange("top", 0, -1), ["a", "d"])


def only_the_best_are_kept():
    client = connect()
    for number in range(300):
        pipe = client.pipeline()
        pipe.zadd("kept", {f"p{number}": (number * 7919) % 1009}).zremrangebyrank("kept", 0, -51)
        pipe.execute()
    equal(client.zcard("kept"), 50)
    wanted = sorted(((n * 7919) % 1009 for n in range(300)), reverse=True)[:50]
    equal([int(score) for _, score in client.zrevrange("kept", 0, -1, withscores=True)], wanted)
    equal([int(score) for _, score in client.zpopmax("kept", 3)], wanted[:3])
    equal([int(score) for _, score in client.zpopmin("kept", 1)], wanted[-1:])
    equal(client.zremrangebyscore("kept", "-inf", f"({wanted[10]}"), 50 - 12)
    equal(client.zcard("kept"), 8)


def names_are_completed():
    client = connect()
    client.zadd("names", dict.fromkeys(["ada", "adam", "adele", "alan", "bert", "béa"], 0))
    equal(client.zrangebylex("names", "[ad", "[ad\xff"), ["ada", "adam", "adele"])
    equal(client.zrange("names", "[a", "(b", bylex=True), ["ada", "adam", "adele", "alan"])
    equal(client.zlexcount("names", "-", "+"), 6)
    equal(client.zremrangebylex("names", "[a", "(b"), 4)
    assert set(client.zrandmember("names", 5)) == {"bert", "béa"}


def a_large_board():
    """Beyond the compact encoding: ranks stay exact while half of it is replaced."""
    client, chance = connect(), random.Random(4)
    model = {f"m{number}": chance.randint(0, 10_000) for number in range(4000)}
    client.zadd("large", model)
    near(int(client.zcard("large")), 4000, 0)
    for name in chance.sample(sorted(model), 2000):
        model[name] = chance.randint(0, 10_000) / 4
    client.zadd("large", model)
    order = sorted(model, key=lambda name: (model[name], name))
    equal(client.zrange("large", 0, -1), order)
    pipe = client.pipeline(transaction=False)
    asked = chance.sample(order, 300)
    for name in asked:
        pipe.zrank("large", name)
    equal(pipe.execute(), [order.index(name) for name in asked])
    equal(sorted(name for name, _ in client.zscan_iter("large", count=200)), sorted(model))


run(
    ranks_and_pages,
    only_better_scores_count,
    scores_from_many_threads,
    ties_are_ordered_by_name,
    a_week_is_the_sum_of_its_days,
    only_the_best_are_kept,
    names_are_completed,
    a_large_board,
)
