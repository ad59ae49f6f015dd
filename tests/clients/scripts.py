"""Scripts as applications register them: rate limiters, stock that is never oversold, reloads after SCRIPT FLUSH, libraries of functions."""
import json
import time

from redis import exceptions

from app import connect, equal, refused, run, start

SLIDING_WINDOW = """
local now = redis.call('TIME')
local micros = now[1] * 1000000 + now[2]
redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, micros - ARGV[1] * 1000000)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
local serial = redis.call('INCR', KEYS[1] .. ':serial')
redis.call('ZADD', KEYS[1], micros, serial)
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
"""

BUY = """
local left = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
local wanted = tonumber(ARGV[2])
if left < wanted then return redis.error_reply('SOLDOUT ' .. ARGV[1] .. ' has ' .. left) end
redis.call('HINCRBY', KEYS[1], ARGV[1], -wanted)
redis.call('RPUSH', KEYS[2], cjson.encode({item = ARGV[1], count = wanted, buyer = ARGV[3]}))
return left - wanted
"""

LIBRARY = """#!lua name=visits
local function visit(keys, args)
  redis.call('HINCRBY', keys[1], args[1], 1)
  return redis.call('HGET', keys[1], args[1])
end
local function total(keys)
  local sum = 0
  for _, count in ipairs(redis.call('HVALS', keys[1])) do sum = sum + count end
  return sum
end
redis.register_function('visit', visit)
redis.register_function{function_name='total', callback=total, flags={'no-writes'}}
"""


def a_rate_limiter_lets_exactly_its_limit_through():
    limit = connect().register_script(SLIDING_WINDOW)

    def knock():
        client = connect()
        return sum(limit(keys=["{user:7}:window"], args=[60, 25], client=client) for _ in range(15))

    equal(sum(start(*[knock] * 6)()), 25)
    assert 0 < connect().ttl("{user:7}:window") <= 60


def stock_is_never_oversold():
    admin = connect()
    admin.hset("stock", mapping={"book": 50, "pen": 7})
    buy = admin.register_script(BUY)

    def shop(number):
        client, bought = connect(), 0
        for _ in range(20):
            try:
                buy(keys=["stock", "orders"], args=["book", 1, number], client=client)
                bought += 1
            except exceptions.ResponseError as error:
                assert str(error).startswith("SOLDOUT book has 0"), error
        return bought

    equal(sum(start(*[lambda number=number: shop(number) for number in range(5)])()), 50)
    equal(admin.hget("stock", "book"), "0")
    orders = [json.loads(order) for order in admin.lrange("orders", 0, -1)]
    equal(len(orders), 50)
    equal({(order["item"], order["count"]) for order in orders}, {("book", 1)})
    equal(refused(exceptions.ResponseError, buy, keys=["stock", "orders"], args=["pen", 8, "x"]).split(" script")[0], "SOLDOUT pen has 7")


def a_forgotten_script_is_loaded_again():
    client = connect()
    double = client.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1] * 2)")
    equal(client.script_exists(double.sha), [False])
    refused(exceptions.NoScriptError, client.evalsha, double.sha, 1, "n", 1)
    for round_number in range(1, 4):
        equal(double(keys=["n"], args=[5]), 10 * round_number)
        equal(client.script_exists(double.sha, "0" * 40), [True, False])
        client.script_flush()
    equal(client.script_load("return 1"), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db")
    equal(client.evalsha("e0e1f9fabfc9d4800c877a703b823ac0578ff8db", 0), 1)


def scripts_flushed_under_their_users():
    """EVALSHA beside SCRIPT FLUSH: redis-py loads again and nobody's call is lost or made twice."""
    add = connect().register_script("return redis.call('INCR', KEYS[1])")

    def work():
        client = connect()
        for _ in range(60):
            while True:
                try:
                    add(keys=["added"], client=client)
                    break
                except exceptions.NoScriptError:
                    continue  # flushed between loading and calling: the caller's turn

    def flush():
        client = connect()
        for _ in range(40):
            client.script_flush()

    start(work, work, work, flush)()
    equal(connect().get("added"), "180")


def scripts_in_a_pipeline():
    client = connect()
    append = client.register_script("return redis.call('RPUSH', KEYS[1], ARGV[1])")
    for transaction in (True, False):
        client.delete("l")
        client.script_flush()
        pipe = client.pipeline(transaction=transaction)
        append(keys=["l"], args=["a"], client=pipe)
        pipe.llen("l")
        append(keys=["l"], args=["b"], client=pipe)
        pipe.lrange("l", 0, -1)
        equal(pipe.execute(), [1, 1, 2, ["a", "b"]])


def values_cross_the_border():
    client = connect()
    equal(client.eval("return {1, 2.9, 'three', false, {4, {5}}, nil, 'lost'}", 0), [1, 2, "three", None, [4, [5]]])
    equal(client.eval("return redis.status_reply('FINE')", 0), "FINE")
    equal(client.eval("return {KEYS[1], KEYS[2], ARGV[1], #ARGV}", 2, "a", "b", "x", "y"), ["a", "b", "x", 2])
    equal(client.eval("return redis.call('GET', 'nothing')", 0), None)
    equal(client.eval("return cjson.decode(ARGV[1]).list[2]", 0, '{"list": [1, 42]}'), 42)
    equal(client.eval("return cmsgpack.unpack(cmsgpack.pack({7, 8}))", 0), [7, 8])
    equal(client.eval("return tostring(redis.sha1hex(''))", 0), "da39a3ee5e6b4b0d3255bfef95601890afd80709")
    client.set("text", "x")
    assert client.eval("return redis.pcall('INCR', 'text').err", 0).startswith("ERR value is not an integer")
    assert "WRONGTYPE" in refused(exceptions.ResponseError, client.eval, "return redis.call('LPUSH', KEYS[1], 1)", 1, "text")
    assert "readonly table" in refused(exceptions.ResponseError, client.eval, "oops = 1", 0)
    refused(exceptions.ResponseError, client.eval, "this is not lua", 0)
    assert "Write commands are not allowed" in refused(
        exceptions.ResponseError, client.eval_ro, "return redis.call('SET', KEYS[1], 1)", 1, "k"
    )
    equal(client.eval_ro("return redis.call('GET', KEYS[1])", 1, "text"), "x")


def functions():
    client = connect()
    equal(client.function_load(LIBRARY), "visits")
    assert "already exists" in refused(exceptions.ResponseError, client.function_load, LIBRARY)
    equal(client.function_load(LIBRARY, replace=True), "visits")

    def visit():
        own = connect()
        for page in range(40):
            own.fcall("visit", 1, "visits", f"/page/{page % 4}")

    start(*[visit] * 4)()
    equal(client.fcall_ro("total", 1, "visits"), 160)
    equal(client.fcall("visit", 1, "visits", "/page/0"), "41")
    refused(exceptions.ResponseError, client.fcall_ro, "visit", 1, "visits", "/page/0")
    dump = connect(decode_responses=False).function_dump()
    client.function_flush()
    refused(exceptions.ResponseError, client.fcall, "total", 1, "visits")
    client.function_restore(dump)
    equal(client.fcall("total", 1, "visits"), 161)
    client.function_delete("visits")
    refused(exceptions.ResponseError, client.fcall, "total", 1, "visits")


def a_script_is_one_step():
    """A script over several keys beside readers in MULTI: nobody sees half of it."""
    connect().mset({"left": 500, "right": 500})
    move = connect().register_script("redis.call('DECRBY', KEYS[1], ARGV[1]) return redis.call('INCRBY', KEYS[2], ARGV[1])")

    def mover():
        client = connect()
        for step in range(100):
            move(keys=["left", "right"] if step % 2 else ["right", "left"], args=[step], client=client)

    def reader():
        client = connect()
        for _ in range(100):
            equal(sum(map(int, client.mget("left", "right"))), 1000, "half a script seen")

    start(mover, mover, reader)()


def time_and_log_are_served():
    client = connect()
    seconds = int(client.eval("return redis.call('TIME')[1]", 0))
    assert abs(seconds - time.time()) < 60, seconds
    equal(client.eval("redis.log(redis.LOG_DEBUG, 'seen') return 'ok'", 0), "ok")


run(
    a_rate_limiter_lets_exactly_its_limit_through,
    stock_is_never_oversold,
    a_forgotten_script_is_loaded_again,
    scripts_flushed_under_their_users,
    scripts_in_a_pipeline,
    values_cross_the_border,
    functions,
    a_script_is_one_step,
    time_and_log_are_served,
)
