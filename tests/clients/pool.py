"""Connection pools: bounded, blocking, shared by threads, by asyncio, killed connections replaced, databases kept apart."""
import asyncio

import redis
from redis import asyncio as redis_asyncio
from redis import exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry

from app import PORT, blocked_clients, connect, equal, refused, run, speaking, start, wait_until


def named(admin, name):
    return [row for row in admin.client_list() if row["name"] == name]


def many_threads_share_few_connections():
    pool = redis.BlockingConnectionPool(
        port=PORT, max_connections=4, timeout=20, decode_responses=True, client_name="shared", **speaking
    )
    client = redis.Redis(connection_pool=pool)

    def work(number):
        for step in range(40):
            client.set(f"w:{number}", step)
            equal(client.get(f"w:{number}"), str(step))
            equal(client.pipeline().incr("all").echo(number).execute()[1], str(number))

    start(*[lambda number=number: work(number) for number in range(16)])()
    admin = connect()
    equal(admin.get("all"), str(16 * 40))
    assert 1 <= len(named(admin, "shared")) <= 4, named(admin, "shared")
    pool.disconnect()
    wait_until(lambda: not named(admin, "shared"), "closed connections are gone")


def a_full_pool_refuses():
    pool = redis.ConnectionPool(port=PORT, max_connections=2, decode_responses=True, **speaking)
    client = redis.Redis(connection_pool=pool)
    admin = connect()
    finish = start(*[lambda: client.blpop("held", timeout=20)] * 2)
    wait_until(lambda: blocked_clients(admin) == 2, "both connections wait")
    refused(exceptions.ConnectionError, client.ping)
    admin.rpush("held", "a", "b")
    equal(sorted(value for _, value in finish()), ["a", "b"])
    assert client.ping()


def killed_connections_are_replaced():
    client, admin = connect(client_name="victim", retry=Retry(NoBackoff(), 3)), connect()
    for number in range(5):
        client.set("k", number)
        first = client.client_id()
        equal(admin.client_kill_filter(_id=first), 1)
        wait_until(lambda: not any(row["id"] == str(first) for row in admin.client_list()), "the victim is gone")
        equal(client.get("k"), str(number))
        assert client.client_id() > first
    # In the middle of a transaction the watch is lost, so the client must be told.
    with client.pipeline() as pipe:
        pipe.watch("k")
        admin.client_kill_filter(_id=int(pipe.execute_command("CLIENT ID")))
        pipe.multi()
        refused((exceptions.WatchError, exceptions.ConnectionError), pipe.set("k", "no").execute)
    equal(client.get("k"), "4")


def databases_are_apart():
    clients = [connect(db=number) for number in range(4)]
    for number, client in enumerate(clients):
        client.set("k", number)
    equal([client.get("k") for client in clients], ["0", "1", "2", "3"])
    by_url = redis.Redis.from_url(f"redis://127.0.0.1:{PORT}/3?decode_responses=True&protocol={speaking['protocol']}")
    equal(by_url.get("k"), "3")
    equal(clients[0].move("k", 1), False)
    equal(clients[0].copy("k", "copied", destination_db=2), True)
    equal(clients[2].get("copied"), "0")
    clients[0].swapdb(2, 3)
    equal([client.get("k") for client in clients], ["0", "1", "3", "2"])
    equal(clients[1].flushdb(), True)
    equal([client.dbsize() for client in clients], [1, 0, 1, 2])
    refused(exceptions.ResponseError, connect(db=99).ping)


def one_connection_only():
    with connect(single_connection_client=True, client_name="single") as client:
        first = client.client_id()
        equal({client.client_id() for _ in range(5)}, {first})
        equal((client.client_getname(), client.client_info()["name"]), ("single", "single"))
        equal(client.client_setname("renamed"), True)
        equal([row["id"] for row in named(connect(), "renamed")], [str(first)])


def a_health_check_goes_unnoticed():
    client = connect(health_check_interval=0.001)
    for number in range(50):
        client.set("h", number)
        equal(client.get("h"), str(number))


def large_and_binary_values():
    client = connect(decode_responses=False)
    value = bytes(range(256)) * 4000
    for size in (0, 1, 255, 16_384, 65_537, len(value)):
        client.set(b"\x00\xff\r\n", value[:size])
        equal(client.get(b"\x00\xff\r\n") == value[:size], True, f"{size} bytes")
    equal(client.append(b"\x00\xff\r\n", b"tail"), len(value) + 4)
    equal(client.getrange(b"\x00\xff\r\n", -4, -1), b"tail")


def asyncio_gathers():
    async def play():
        client = redis_asyncio.Redis(port=PORT, decode_responses=True, max_connections=50, **speaking)
        await asyncio.gather(*[client.set(f"a:{number}", number) for number in range(40)])
        equal(await asyncio.gather(*[client.get(f"a:{number}") for number in range(40)]), [str(n) for n in range(40)])
        async with client.pipeline(transaction=True) as pipe:
            equal(await pipe.incr("n").incr("n").execute(), [1, 2])
        waiter = asyncio.create_task(client.blpop("queue", timeout=20))
        while (await client.info("clients"))["blocked_clients"] == 0:
            await asyncio.sleep(0.001)
        await client.rpush("queue", "job")
        equal(list(await waiter), ["queue", "job"])
        async with client.pubsub() as pubsub:
            await pubsub.subscribe("news")
            equal((await pubsub.get_message(timeout=10))["type"], "subscribe")
            await client.publish("news", "hello")
            equal((await pubsub.get_message(timeout=10))["data"], "hello")
        # A call that is given up must not leave its reply to the next one.
        impatient = asyncio.create_task(client.blpop("never", timeout=20))
        while (await client.info("clients"))["blocked_clients"] == 0:
            await asyncio.sleep(0.001)
        impatient.cancel()
        await asyncio.gather(impatient, return_exceptions=True)
        equal(await asyncio.gather(*[client.echo(str(number)) for number in range(20)]), [str(n) for n in range(20)])
        await client.aclose()

    asyncio.run(asyncio.wait_for(play(), 30))


run(
    many_threads_share_few_connections,
    a_full_pool_refuses,
    killed_connections_are_replaced,
    databases_are_apart,
    one_connection_only,
    a_health_check_goes_unnoticed,
    large_and_binary_values,
    asyncio_gathers,
)
