"""Queues with blocking pops: pools of workers, priorities, order of arrival, jobs that survive their worker, delayed jobs, time-outs."""
import threading
import time

from redis import exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry

from app import blocked_clients, connect, equal, refused, run, start, wait_until


def a_pool_of_workers():
    jobs = 300

    def work():
        client, done = connect(), []
        while True:
            _, job = client.blpop("jobs", timeout=20)
            if job == "stop":
                return done
            done.append(int(job))

    finish = start(*[work] * 6)
    admin = connect()
    wait_until(lambda: blocked_clients(admin) == 6, "all wait")

    def produce(number):
        client = connect()
        for job in range(number, jobs, 3):
            client.rpush("jobs", job)

    start(*[lambda number=number: produce(number) for number in range(3)])()
    admin.rpush("jobs", *["stop"] * 6)
    done = finish()
    equal(sorted(sum(done, [])), list(range(jobs)))
    equal((admin.exists("jobs"), blocked_clients(admin)), (0, 0))


def the_urgent_first():
    client = connect()
    queues = ["urgent", "normal", "idle"]
    client.rpush("idle", "i1")
    client.rpush("normal", "n1", "n2")
    client.rpush("urgent", "u1")
    got = [tuple(client.blpop(queues, timeout=5)) for _ in range(4)]
    equal(got, [("urgent", "u1"), ("normal", "n1"), ("normal", "n2"), ("idle", "i1")])
    finish = start(lambda: tuple(connect().brpop(queues, timeout=20)))
    wait_until(lambda: blocked_clients(client) == 1, "it waits for three keys")
    client.lpush("idle", "late")
    equal(finish(), [("idle", "late")])
    client.rpush("normal", "a", "b", "c")
    equal(client.blmpop(5, 3, *queues, direction="LEFT", count=2), ["normal", ["a", "b"]])


def who_came_first_is_served_first():
    client, order = connect(), []
    finish, guard = [], threading.Lock()

    def wait(number):
        own = connect()
        got = own.blpop("line", timeout=20)
        with guard:
            order.append((number, got[1]))

    for number in range(8):
        finish.append(start(lambda number=number: wait(number)))
        wait_until(lambda: blocked_clients(client) == number + 1, "the next waits")
    client.rpush("line", *range(8))
    for done in finish:
        done()
    equal(sorted(order), [(number, str(number)) for number in range(8)])


def jobs_survive_their_worker():
    """BLMOVE into the worker's own list; whoever finds the worker dead puts its jobs back."""
    client = connect()
    client.rpush("todo", *range(20))
    dying = connect()
    for _ in range(5):
        dying.blmove("todo", "doing:dead", 5, "LEFT", "RIGHT")
    dying.connection_pool.disconnect()
    equal(client.lrange("doing:dead", 0, -1), ["0", "1", "2", "3", "4"])
    while client.lmove("doing:dead", "todo", "RIGHT", "LEFT"):
        pass
    equal(client.lrange("todo", 0, -1), [str(number) for number in range(20)])

    def work(number):
        own, done = connect(), []
        while job := own.blmove("todo", f"doing:{number}", 0.2, "LEFT", "RIGHT"):
            done.append(int(job))
            equal(own.lrem(f"doing:{number}", 1, job), 1)
        return done

    done = start(*[lambda number=number: work(number) for number in range(3)])()
    equal(sorted(sum(done, [])), list(range(20)))
    equal(client.dbsize(), 0)


def a_waiter_that_is_gone_takes_no_job():
    client = connect()
    unblocked = connect(single_connection_client=True)
    killed = connect(single_connection_client=True, retry=Retry(NoBackoff(), 0))
    ids = unblocked.client_id(), killed.client_id()
    finish = start(
        lambda: unblocked.blpop("k", timeout=20),
        lambda: refused(exceptions.ConnectionError, killed.blpop, "k", timeout=20),
    )
    wait_until(lambda: blocked_clients(client) == 2, "both wait")
    equal(client.client_unblock(ids[0]), 1)
    equal(client.client_kill_filter(_id=ids[1]), 1)
    equal(finish()[0], None, "unblocked as by its time-out")
    wait_until(lambda: blocked_clients(client) == 0, "nobody waits")
    equal(client.rpush("k", "job"), 1)
    equal(client.lpop("k"), "job")


def delayed_jobs():
    """A sorted set by due time, moved to a queue when due; BZPOPMIN for the smallest first."""
    client = connect()
    now = time.time()
    client.zadd("delayed", {f"job{number}": now + (number - 5) * 100 for number in range(10)})

    def move():
        own, moved = connect(), 0
        while True:
            due = own.zrangebyscore("delayed", 0, time.time(), start=0, num=1)
            if not due:
                return moved
            # Only who removes it may enqueue it.
            if own.zrem("delayed", due[0]):
                own.rpush("ready", due[0])
                moved += 1

    equal(sum(start(*[move] * 3)()), 6)
    equal(sorted(client.lrange("ready", 0, -1)), [f"job{number}" for number in range(6)])
    equal(client.bzpopmin("delayed", timeout=5)[1], "job6")
    equal(client.bzpopmax(["none", "delayed"], timeout=5)[1], "job9")
    finish = start(lambda: connect().bzpopmin("later", timeout=20))
    wait_until(lambda: blocked_clients(client) == 1, "it waits")
    client.zadd("later", {"b": 2, "a": 1})
    equal([list(reply) for reply in finish()], [["later", "a", 1.0]])
    equal(client.zrange("later", 0, -1), ["b"])


def waiting_ends():
    client = connect()
    started = time.monotonic()
    equal(client.blpop("nothing", timeout=0.1), None)
    waited = time.monotonic() - started
    assert 0.09 < waited < 3, waited
    equal(client.blmove("nothing", "nowhere", 0.05), None)
    equal(client.bzpopmin("nothing", timeout=0.05), None)
    pipe = client.pipeline()
    pipe.blpop("nothing", timeout=5).set("k", 1)
    equal(pipe.execute(), [None, True], "nobody waits in a transaction")


def a_transaction_feeds_several():
    client = connect()
    finish = start(*[lambda: connect().blpop("fed", timeout=20)[1] for _ in range(3)])
    wait_until(lambda: blocked_clients(client) == 3, "three wait")
    client.pipeline().rpush("fed", "a", "b").lpush("fed", "z").llen("fed").execute()
    equal(sorted(finish()), ["a", "b", "z"])


run(
    a_pool_of_workers,
    the_urgent_first,
    who_came_first_is_served_first,
    jobs_survive_their_worker,
    a_waiter_that_is_gone_takes_no_job,
    delayed_jobs,
    waiting_ends,
    a_transaction_feeds_several,
)
