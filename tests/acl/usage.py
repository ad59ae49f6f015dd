"""What an application does with users, by redis-py: run by main.rs against both servers."""
import sys
import threading
import time

import redis
from redis import exceptions

PORT = int(sys.argv[1])


def connect(**options):
    return redis.Redis(port=PORT, decode_responses=True, **options)


def refused(kind, call, *args):
    try:
        call(*args)
    except kind:
        return
    raise AssertionError(f"{call} {args} was not refused")


def roles(admin):
    assert admin.acl_setuser("app", enabled=True, passwords=["+secret"], keys=["app:*"], channels=["app.*"],
                             categories=["+@all", "-@dangerous", "-@admin"], reset=True)
    assert admin.acl_setuser("reader", enabled=True, passwords=["+read"], reset=True, categories=["+@read"], commands=["+ping"], keys=["app:*"])
    user = admin.acl_getuser("app")
    assert "on" in user["flags"] and user["channels"] in (["app.*"], "&app.*", ["&app.*"]), user
    assert admin.acl_users() == ["app", "default", "reader"], admin.acl_users()
    assert "dangerous" in admin.acl_cat() and "flushall" in admin.acl_cat("dangerous")
    assert admin.acl_whoami() == "default" and len(admin.acl_genpass()) == 64
    app, reader = connect(username="app", password="secret"), connect(username="reader", password="read")
    assert app.acl_whoami.__name__ and app.set("app:1", "x") and reader.get("app:1") == "x"
    refused(exceptions.NoPermissionError, app.set, "other", "x")
    refused(exceptions.NoPermissionError, app.flushall)
    refused(exceptions.NoPermissionError, reader.set, "app:1", "y")
    refused(exceptions.NoPermissionError, reader.get, "other")
    refused(exceptions.AuthenticationError, connect(username="app", password="wrong").ping)
    log = admin.acl_log()
    assert {entry["reason"] for entry in log} >= {"command", "key", "auth"}, log
    assert all(entry["username"] in ("app", "reader") for entry in log), log
    assert any(client["user"] == "app" for client in admin.client_list())
    assert admin.acl_log_reset()
    return app, reader


def pipelines(app):
    with app.pipeline(transaction=True) as pipe:
        results = pipe.incr("app:n").incr("app:n").execute()
    assert results == [1, 2], results
    with app.pipeline(transaction=False) as pipe:
        results = pipe.set("app:a", 1).set("zzz", 1).get("app:a").execute(raise_on_error=False)
    assert results[0] is True and isinstance(results[1], exceptions.NoPermissionError) and results[2] == "1", results
    refused(exceptions.NoPermissionError, lambda: app.pipeline().set("app:b", 1).set("zzz", 1).execute())
    assert app.get("app:b") is None


def channels(admin, app):
    listener = app.pubsub()
    listener.subscribe("app.news")
    assert listener.get_message(timeout=5)["type"] == "subscribe"
    assert app.publish("app.news", "hello") == 1
    assert listener.get_message(timeout=5)["data"] == "hello"
    refused(exceptions.NoPermissionError, app.publish, "other", "x")
    admin.execute_command("ACL SETUSER app resetchannels &elsewhere")
    deadline = time.time() + 5
    while admin.pubsub_numsub("app.news")[0][1] and time.time() < deadline:
        time.sleep(0.01)
    assert admin.pubsub_numsub("app.news")[0][1] == 0


def revocation(admin):
    """Threads work as a user whose right is taken away: none may succeed afterwards."""
    admin.execute_command("ACL SETUSER worker on nopass ~* +set +ping")
    after, stop, late = threading.Event(), threading.Event(), []

    def work(number):
        client = connect(username="worker", password="x")
        while not stop.is_set():
            was_revoked = after.is_set()
            try:
                client.set(f"w{number}:{time.time()}", 1)
            except exceptions.NoPermissionError:
                continue
            if was_revoked:
                late.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    admin.execute_command("ACL SETUSER worker -set")
    after.set()
    time.sleep(0.2)
    stop.set()
    for thread in threads:
        thread.join()
    assert not late, f"writes after the revocation: {len(late)}"
    assert admin.acl_deluser("worker") == 1


def main():
    admin = connect()
    app, reader = roles(admin)
    pipelines(app)
    channels(admin, app)
    revocation(admin)
    assert admin.acl_deluser("app", "reader", "nobody") == 2
    refused((exceptions.ConnectionError, exceptions.AuthenticationError), reader.get, "app:1")
    print("ok")


main()
