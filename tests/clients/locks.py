"""Locks as applications take them: redis-py's Lock under contention, expired, extended, lost; SET NX with a fencing token."""
import threading
import uuid

from redis import exceptions

from app import connect, equal, refused, run, start, wait_until

THREADS = 8
ROUNDS = 12


def a_counter_guarded_by_a_lock():
    """Read, think, write: only the lock keeps the sum right."""
    inside = []

    def work():
        client = connect()
        for _ in range(ROUNDS):
            with client.lock("lock:counter", timeout=20, sleep=0.002, blocking_timeout=30):
                inside.append(1)
                assert len(inside) == 1, "two holders at once"
                client.set("counter", int(client.get("counter") or 0) + 1)
                inside.pop()

    start(*[work] * THREADS)()
    equal(connect().get("counter"), str(THREADS * ROUNDS))
    equal(connect().exists("lock:counter"), 0, "released")


def a_lock_that_expired_is_not_released_by_its_former_owner():
    client, other = connect(), connect()
    lock = client.lock("lock:e", timeout=0.05)
    assert lock.acquire() and lock.owned() and lock.locked()
    successor = other.lock("lock:e", timeout=30, sleep=0.002)
    assert successor.acquire(blocking_timeout=10), "a dead owner keeps the lock"
    assert not lock.owned() and lock.locked()
    refused(exceptions.LockNotOwnedError, lock.release)
    refused(exceptions.LockError, lock.release)
    assert successor.owned()
    successor.release()
    assert not successor.locked()


def extending_and_reacquiring():
    client = connect()
    lock = client.lock("lock:x", timeout=5)
    assert lock.acquire()
    assert lock.extend(20) and 20_000 < client.pttl("lock:x") <= 25_000, client.pttl("lock:x")
    assert lock.extend(7, replace_ttl=True) and 5_000 < client.pttl("lock:x") <= 7_000, client.pttl("lock:x")
    assert lock.reacquire() and 3_000 < client.pttl("lock:x") <= 5_000, client.pttl("lock:x")
    client.delete("lock:x")
    refused(exceptions.LockNotOwnedError, lock.extend, 5)
    refused(exceptions.LockNotOwnedError, lock.reacquire)
    refused(exceptions.LockError, client.lock("lock:y").extend, 5)


def giving_up():
    holder, client = connect(), connect()
    lock = holder.lock("lock:g", timeout=30)
    assert lock.acquire(blocking=False)
    assert not client.lock("lock:g").acquire(blocking=False)
    assert not client.lock("lock:g", sleep=0.005).acquire(blocking_timeout=0.03)

    def enter():
        with client.lock("lock:g", blocking_timeout=0.01, sleep=0.005):
            raise AssertionError("entered")

    refused(exceptions.LockError, enter)
    assert lock.owned()


def scripts_are_loaded_again():
    """release, extend and reacquire are scripts; the server may have forgotten them."""
    client = connect()
    lock = client.lock("lock:s", timeout=10)
    for _ in range(3):
        assert lock.acquire()
        client.script_flush()
        assert lock.extend(1)
        client.script_flush()
        lock.release()


def released_by_another_thread():
    client = connect()
    lock = client.lock("lock:t", timeout=30, thread_local=False)
    assert lock.acquire()
    start(lock.release)()
    assert not lock.locked()
    own = client.lock("lock:t", timeout=30)
    assert own.acquire()
    # The token is the thread's own: redis-py finds none there.
    start(lambda: refused((exceptions.LockError, AttributeError), own.release))()
    own.release()


def fencing_tokens_rise():
    """SET NX PX and INCR in one transaction: whoever holds the lock later has the larger token."""
    tokens, guard = [], threading.Lock()

    def work():
        client = connect()
        for _ in range(10):
            mine = uuid.uuid4().hex
            wait_until(lambda: client.set("lock:f", mine, nx=True, px=30_000), "the lock")
            token = client.incr("fence")
            with guard:
                tokens.append(token)
            release = "if redis.call('GET',KEYS[1])==ARGV[1] then return redis.call('DEL',KEYS[1]) else return 0 end"
            equal(client.eval(release, 1, "lock:f", "someone else"), 0)
            equal(client.eval(release, 1, "lock:f", mine), 1)

    start(*[work] * 4)()
    equal(tokens, list(range(1, 41)))


run(
    a_counter_guarded_by_a_lock,
    a_lock_that_expired_is_not_released_by_its_former_owner,
    extending_and_reacquiring,
    giving_up,
    scripts_are_loaded_again,
    released_by_another_thread,
    fencing_tokens_rise,
)
