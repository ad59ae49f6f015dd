"""What an application does with users: roles, pipelines and channels without a right, rights taken away from threads at work."""
import threading

from redis import exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry

from app import connect, equal, refused, run, start, wait_until


def roles_and_their_limits():
    admin = connect()
    admin.acl_log_reset()
    app, reader = roles(admin)
    pipelines(app)
    channels(admin, app)
    equal(admin.acl_deluser("app", "reader", "nobody"), 2)
    refused((exceptions.ConnectionError, exceptions.AuthenticationError), reader.get, "app:1")


def roles(admin):
    assert admin.acl_setuser("app", enabled=True, passwords=["+secret"], keys=["app:*"], channels=["app.*"],
                             categories=["+@all", "-@dangerous", "-@admin"], reset=True)
    assert admin.acl_setuser("reader", enabled=True, passwords=["+read"], reset=True, categories=["+@read"], commands=["+ping"], keys=["app:*"])
    user = admin.acl_getuser("app")
    assert "on" in user["flags"] and user["channels"] in (["app.*"], "&app.*", ["&app.*"]), user
    assert admin.acl_users() == ["app", "default", "reader"], admin.acl_users()
    assert "dangerous" in admin.acl_cat() and "flushall" in admin.acl_cat("dangerous")
    assert admin.acl_whoami() == "default" and len(admin.acl_genpass()) == 64
    # A deleted user's client would otherwise try for seconds.
    once = Retry(NoBackoff(), 1)
    app, reader = connect(username="app", password="secret"), connect(username="reader", password="read", retry=once)
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
    wait_until(lambda: admin.pubsub_numsub("app.news")[0][1] == 0, "the subscriber without a right is gone")


def revocation():
    """Threads work as a user whose right is taken away: none may succeed afterwards."""
    admin = connect()
    admin.execute_command("ACL SETUSER worker on nopass ~* +set +ping")
    revoked = threading.Event()

    def work(number):
        client, written, refusals = connect(username="worker", password="x"), 0, 0
        while refusals < 5:
            was_revoked = revoked.is_set()
            try:
                client.set(f"w{number}:{written}", 1)
            except exceptions.NoPermissionError:
                refusals += 1
                continue
            assert not was_revoked, "written after the revocation"
            written += 1
        return written

    finish = start(*[lambda number=number: work(number) for number in range(8)])
    wait_until(lambda: admin.dbsize() > 400, "they work")
    admin.execute_command("ACL SETUSER worker -set")
    revoked.set()
    equal(sum(finish()), admin.dbsize())
    equal(admin.acl_deluser("worker"), 1)


run(roles_and_their_limits, revocation)
