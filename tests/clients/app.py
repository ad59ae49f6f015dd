"""What every file here stands on: connections to the server under test, conditions to wait for, threads whose failures count.

Called by the scenarios beside it; started by main.rs with the port. Invariant: a program that did not do all it says ends with another code than 0,
one that hangs ends after a minute with every thread's stack. `skip` prints what main.rs compares with what it allows to be skipped.
"""
import faulthandler
import sys
import threading
import time

import redis

PORT = int(sys.argv[1])
LIMIT_S = 60
# The protocol that `connect` speaks; `run` plays everything in both.
speaking = {"protocol": 2}

faulthandler.dump_traceback_later(LIMIT_S, exit=True)


def connect(**options):
    """A client of its own pool."""
    return redis.Redis(**{"port": PORT, "decode_responses": True, "socket_timeout": 20, **speaking, **options})


def equal(got, wanted, what=""):
    assert got == wanted, f"{what}: got {got!r}, wanted {wanted!r}"


def near(got, wanted, slack, what=""):
    assert abs(got - wanted) <= slack, f"{what}: got {got!r}, wanted {wanted!r} +- {slack}"


def refused(kind, call, *args, **named):
    """The error of a call that must fail."""
    try:
        got = call(*args, **named)
    except kind as error:
        return str(error)
    raise AssertionError(f"{getattr(call, '__name__', call)} {args} was not refused: {got!r}")


def wait_until(condition, what, seconds=15):
    """Waits for the condition; gives what it returned."""
    until = time.monotonic() + seconds
    while True:
        got = condition()
        if got:
            return got
        assert time.monotonic() < until, f"did not come to pass in {seconds} s: {what} (last: {got!r})"
        time.sleep(0.002)


def start(*jobs):
    """Starts a thread for each job (a function without arguments); gives the function that waits for their results."""
    results, failures = [None] * len(jobs), []

    def work(number):
        try:
            results[number] = jobs[number]()
        except BaseException as error:  # whatever it is, it is the test's failure
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(len(jobs))]
    for thread in threads:
        thread.start()

    def finish():
        for thread in threads:
            thread.join(LIMIT_S / 2)
            assert not thread.is_alive() or failures, "a thread does not end"
        if failures:
            raise failures[0]
        return results

    return finish


def blocked_clients(admin):
    return admin.info("clients")["blocked_clients"]


def skip(what, reason):
    print(f"SKIPPED {what}: {reason}", flush=True)


def run(*scenarios):
    """Plays every scenario on an empty server, in RESP2 and in RESP3."""
    for protocol in (2, 3):
        speaking["protocol"] = protocol
        for scenario in scenarios:
            with connect() as admin:
                admin.flushall()
                admin.script_flush()
                admin.function_flush()
            started = time.monotonic()
            scenario()
            print(f"RESP{protocol} {scenario.__name__}: {time.monotonic() - started:.2f} s", flush=True)
    print("done")
