"""Bitmaps and bit fields: daily active users, counters packed into one string, seats taken by many threads."""
import random

from redis import exceptions

from app import connect, equal, refused, run, start


def daily_active_users():
    client, chance = connect(), random.Random(1)
    days = [{chance.randrange(5000) for _ in range(700)} for _ in range(7)]
    for number, users in enumerate(days):
        pipe = client.pipeline(transaction=False)
        for user in users:
            pipe.setbit(f"active:{number}", user, 1)
        pipe.execute()
    keys = [f"active:{number}" for number in range(7)]
    equal([client.bitcount(key) for key in keys], [len(users) for users in days])
    client.bitop("OR", "week", *keys)
    client.bitop("AND", "daily", *keys)
    client.bitop("XOR", "changed", keys[0], keys[1])
    client.bitop("NOT", "absent", keys[0])
    equal(client.bitcount("week"), len(set.union(*days)))
    equal(client.bitcount("daily"), len(set.intersection(*days)))
    equal(client.bitcount("changed"), len(days[0] ^ days[1]))
    equal(client.bitcount("absent"), client.strlen(keys[0]) * 8 - len(days[0]))
    first = sorted(days[0])
    equal(client.bitpos(keys[0], 1), first[0])
    equal(client.bitcount(keys[0], 0, 99), sum(user < 800 for user in first))
    equal(client.bitcount(keys[0], 100, 299, "BIT"), sum(100 <= user < 300 for user in first))
    equal([client.getbit(keys[0], user) for user in (first[0], first[-1])], [1, 1])
    equal(client.getbit(keys[0], 1 << 30), 0)


def packed_counters():
    """Per player, one string: level u8, gold u16, mood i8."""
    client = connect()
    player = client.bitfield("player:1")
    player.set("u8", 0, 3).set("u16", 8, 65_000).set("i8", 24, -5)
    equal(player.execute(), [0, 0, 0])
    gold = client.bitfield("player:1", default_overflow="SAT")
    equal(gold.incrby("u16", 8, 1000).execute(), [65_535])
    equal(client.bitfield("player:1").incrby("u8", 0, 255).execute(), [2], )
    fail = client.bitfield("player:1", default_overflow="FAIL")
    equal(fail.incrby("u8", 0, 250).incrby("u8", 0, 254).get("u8", 0).execute(), [252, None, 252])
    mixed = client.bitfield("player:1")
    mixed.overflow("SAT").incrby("i8", 24, -200).overflow("WRAP").incrby("i8", 24, -1).get("u16", "#0")
    equal(mixed.execute(), [-128, 127, (252 << 8) | 255])
    equal(client.bitfield_ro("player:1", "i8", 24, items=[("u8", "0")]), [127, 252])
    equal(client.strlen("player:1"), 4)
    refused(exceptions.ResponseError, client.bitfield("player:1").get("u64", 0).execute)


def histogram_from_many_threads():
    """64 counters of 16 bits in one string, raised by five threads, in pipelines and alone."""

    def count(seed):
        client, chance, mine = connect(), random.Random(seed), [0] * 64
        for _ in range(60):
            field = client.bitfield("histogram", default_overflow="SAT")
            for _ in range(8):
                bucket = chance.randrange(64)
                mine[bucket] += 1
                field.incrby("u16", f"#{bucket}", 1)
            field.execute()
        return mine

    counted = start(*[lambda seed=seed: count(seed) for seed in range(5)])()
    reader = connect().bitfield("histogram")
    for bucket in range(64):
        reader.get("u16", f"#{bucket}")
    equal(reader.execute(), [sum(mine[bucket] for mine in counted) for bucket in range(64)])


def every_seat_is_sold_once():
    """BITPOS finds a free seat, SETBIT's reply tells who was first."""
    seats = 160

    def buy():
        client, mine = connect(), []
        while True:
            seat = client.bitpos("seats", 0)
            if seat >= seats or seat < 0:
                return mine
            if client.setbit("seats", seat, 1) == 0:
                mine.append(seat)

    connect().setbit("seats", seats, 0)
    sold = sum(start(*[buy] * 5)(), [])
    equal(sorted(sold), list(range(seats)))
    equal(connect().bitcount("seats"), seats)


def bits_and_text_are_one_value():
    client = connect(decode_responses=False)
    client.set("t", b"\xff\x0f\x00")
    equal((client.bitpos("t", 0), client.bitpos("t", 1, 2), client.bitpos("t", 0, 0, 0)), (8, -1, -1))
    equal(client.bitpos("t", 1, 9, 16, "BIT"), 12)
    client.setbit("t", 23, 1)
    equal(client.get("t"), b"\xff\x0f\x01")
    equal(client.getrange("t", 1, -1), b"\x0f\x01")
    client.lpush("l", 1)
    refused(exceptions.ResponseError, client.setbit, "l", 1, 1)
    refused(exceptions.ResponseError, client.setbit, "t", -1, 1)
    refused(exceptions.ResponseError, client.setbit, "t", 4 << 30, 1)


run(
    daily_active_users,
    packed_counters,
    histogram_from_many_threads,
    every_seat_is_sold_once,
    bits_and_text_are_one_value,
)
