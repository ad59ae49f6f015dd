"""Streams with consumer groups as applications use them: work shared out, consumers that crash, poison messages, trimming, paging, lag."""
import threading

from redis import exceptions

from app import connect, equal, refused, run, start, wait_until

PRODUCERS, CONSUMERS, EACH = 3, 4, 60


def entries(reply):
    """The entries of an XREAD reply for its one stream, which RESP2 and RESP3 shape differently."""
    if not reply:
        return []
    found = list(reply.values())[0] if isinstance(reply, dict) else reply[0][1]
    # RESP3 wraps the batches in one more list.
    return found[0] if found and isinstance(found[0], list) else found


def work_is_shared_out_exactly_once():
    client = connect()
    client.xgroup_create("jobs", "workers", id="0", mkstream=True)
    assert "BUSYGROUP" in refused(exceptions.ResponseError, client.xgroup_create, "jobs", "workers")
    done, guard = [], threading.Lock()

    def produce(number):
        own = connect()
        for step in range(EACH):
            own.xadd("jobs", {"job": f"{number}-{step}"})

    def consume(number):
        own = connect()
        while True:
            with guard:
                if len(done) == PRODUCERS * EACH:
                    return
            for entry_id, fields in entries(own.xreadgroup("workers", f"w{number}", {"jobs": ">"}, count=5, block=50)):
                with guard:
                    done.append(fields["job"])
                equal(own.xack("jobs", "workers", entry_id), 1)

    producers = [lambda number=number: produce(number) for number in range(PRODUCERS)]
    start(*producers, *[lambda number=number: consume(number) for number in range(CONSUMERS)])()
    equal(sorted(done), sorted(f"{p}-{s}" for p in range(PRODUCERS) for s in range(EACH)))
    equal(client.xpending("jobs", "workers")["pending"], 0)
    group = client.xinfo_groups("jobs")[0]
    equal((group["pending"], group["entries-read"], group["lag"]), (0, PRODUCERS * EACH, 0))
    equal(client.xlen("jobs"), PRODUCERS * EACH)


def a_crashed_consumer_is_inherited():
    client = connect()
    client.xgroup_create("tasks", "g", id="0", mkstream=True)
    ids = [client.xadd("tasks", {"n": number}) for number in range(30)]
    crashed = connect()
    taken = entries(crashed.xreadgroup("g", "dead", {"tasks": ">"}, count=12))
    equal([entry_id for entry_id, _ in taken], ids[:12])
    crashed.connection_pool.disconnect()
    pending = client.xpending("tasks", "g")
    equal((pending["pending"], pending["min"], pending["max"]), (12, ids[0], ids[11]))
    equal(pending["consumers"], [{"name": "dead", "pending": 12}])
    refused(exceptions.ResponseError, client.xautoclaim, "tasks", "nobody", "heir", 0)
    equal(client.xautoclaim("tasks", "g", "heir", min_idle_time=3_600_000)[1], [], "not idle for that long")
    # In steps of five, as a worker does it between its own jobs.
    cursor, inherited = "0-0", []
    while True:
        cursor, claimed, deleted = client.xautoclaim("tasks", "g", "heir", min_idle_time=0, start_id=cursor, count=5)
        inherited += [entry_id for entry_id, _ in claimed]
        equal(deleted, [])
        if cursor == "0-0":
            break
    equal(inherited, ids[:12])
    equal(client.xpending_range("tasks", "g", "-", "+", 100, consumername="dead"), [])
    details = client.xpending_range("tasks", "g", "-", "+", 100, consumername="heir")
    equal([(row["message_id"], row["times_delivered"]) for row in details], [(entry_id, 2) for entry_id in ids[:12]])
    equal(client.xack("tasks", "g", *inherited), 12)
    equal(len(entries(client.xreadgroup("g", "heir", {"tasks": ">"}, count=100))), 18)
    equal(sorted(row["name"] for row in client.xinfo_consumers("tasks", "g")), ["dead", "heir"])
    equal(client.xgroup_delconsumer("tasks", "g", "dead"), 0)
    equal(client.xgroup_delconsumer("tasks", "g", "heir"), 18)


def poison_goes_to_the_dead_letters():
    client = connect()
    client.xgroup_create("mail", "g", id="0", mkstream=True)
    for number in range(10):
        client.xadd("mail", {"n": number, "bad": int(number == 4)})
    handled = [fields["n"] for fields in deliver(client)]
    attempts = 1
    while client.xpending("mail", "g")["pending"]:
        attempts += 1
        for row in client.xpending_range("mail", "g", "-", "+", 10):
            if row["times_delivered"] >= 3:
                entry = client.xrange("mail", row["message_id"], row["message_id"])[0]
                client.pipeline().xadd("dead-letters", entry[1]).xack("mail", "g", entry[0]).execute()
            else:
                claimed = client.xclaim("mail", "g", "again", min_idle_time=0, message_ids=[row["message_id"]])
                equal([fields["n"] for _, fields in claimed], ["4"])
    equal((attempts, len(handled)), (4, 9))
    equal([fields["n"] for _, fields in client.xrange("dead-letters")], ["4"])


def deliver(client):
    handled = []
    for entry_id, fields in entries(client.xreadgroup("g", "first", {"mail": ">"}, count=100)):
        if fields["bad"] == "0":
            client.xack("mail", "g", entry_id)
            handled.append(fields)
    return handled


def own_history_after_a_restart():
    """A consumer that comes back reads what it had (id 0) before what is new (>)."""
    client = connect()
    client.xgroup_create("log", "g", id="$", mkstream=True)
    ids = [client.xadd("log", {"n": number}) for number in range(5)]
    client.xreadgroup("g", "me", {"log": ">"}, count=3)
    client.xdel("log", ids[1])
    back = connect()
    history = entries(back.xreadgroup("g", "me", {"log": "0"}))
    equal([entry_id for entry_id, _ in history], ids[:3])
    assert not history[1][1], history
    equal([entry_id for entry_id, _ in entries(back.xreadgroup("g", "me", {"log": ">"}))], ids[3:])
    client.xgroup_setid("log", "g", ids[3])
    equal([entry_id for entry_id, _ in entries(back.xreadgroup("g", "me", {"log": ">"}, noack=True))], ids[4:])


def a_tail_follows_what_is_written():
    seen, client = [], connect()

    def follow():
        own, last = connect(), "$"
        while len(seen) < 50:
            for entry_id, fields in entries(own.xread({"feed": last}, block=5000)):
                seen.append(int(fields["n"]))
                last = entry_id

    finish = start(follow)
    wait_until(lambda: client.info("clients")["blocked_clients"] == 1, "the reader waits")
    for number in range(50):
        client.xadd("feed", {"n": number})
    finish()
    equal(seen, list(range(50)))


def paging_and_trimming():
    client = connect()
    pipe = client.pipeline(transaction=False)
    for number in range(1, 501):
        pipe.xadd("events", {"n": number}, id=f"{number}-0")
    pipe.execute()
    found, low = [], "-"
    while page := client.xrange("events", low, "+", count=64):
        found += [fields["n"] for _, fields in page]
        low = f"({page[-1][0]}"
    equal(found, [str(number) for number in range(1, 501)])
    equal([entry_id for entry_id, _ in client.xrevrange("events", "300-0", "298-0")], ["300-0", "299-0", "298-0"])
    equal(client.xdel("events", "10-0", "11-0", "9999-0"), 2)
    equal(client.xtrim("events", maxlen=400, approximate=False), 98)
    equal(client.xtrim("events", minid="401-0", approximate=False), 300)
    equal(client.xlen("events"), 100)
    kept = client.xtrim("events", maxlen=50, approximate=True)
    assert 0 <= kept <= 50 and client.xlen("events") == 100 - kept, kept
    client.xadd("events", {"n": "x"}, id="600-*", maxlen=10, approximate=False)
    info = client.xinfo_stream("events")
    equal((info["length"], info["last-generated-id"], info["entries-added"]), (10, "600-0", 501))
    assert "equal or smaller" in refused(exceptions.ResponseError, client.xadd, "events", {"n": 1}, id="600-0")
    equal(client.xadd("events", {"n": 1}, id="600-*"), "600-1")
    equal(client.xadd("not there", {"n": 1}, nomkstream=True), None)


def two_groups_see_everything():
    client = connect()
    for group in ("billing", "shipping"):
        client.xgroup_create("orders", group, id="0", mkstream=True)
    for number in range(20):
        client.xadd("orders", {"n": number})
    for group in ("billing", "shipping"):
        equal(len(entries(client.xreadgroup(group, "a", {"orders": ">"}, count=8))), 8)
        equal(len(entries(client.xreadgroup(group, "b", {"orders": ">"}, count=100))), 12)
    equal([(row["name"], row["consumers"], row["pending"]) for row in client.xinfo_groups("orders")],
          [("billing", 2, 20), ("shipping", 2, 20)])
    full = client.xinfo_stream("orders", full=True)
    equal(len(full["groups"]), 2)
    equal(client.xgroup_destroy("orders", "billing"), 1)
    assert "NOGROUP" in refused(exceptions.ResponseError, client.xreadgroup, "billing", "a", {"orders": ">"})


run(
    work_is_shared_out_exactly_once,
    a_crashed_consumer_is_inherited,
    poison_goes_to_the_dead_letters,
    own_history_after_a_restart,
    a_tail_follows_what_is_written,
    paging_and_trimming,
    two_groups_see_everything,
)
