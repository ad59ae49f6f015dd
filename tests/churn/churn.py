"""50 redis-py clients with verified replies while connections are killed at random.

Run by tests/churn/main.rs:  churn.py PORT OPERATIONS SEED
Every client owns its keys and keeps a model of them. A connection may die under a command (CLIENT KILL by an admin, or an
RST by the client itself): then the command's outcome is unknown, and the model keeps both possible values until the next read.
Prints one line of figures; exits 1 on the first wrong reply.
"""

import random
import socket
import struct
import sys
import threading
import time

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

CLIENTS = 50
PORT, OPERATIONS, SEED = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
LOST = (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, OSError)
failures = []
counts = {"ops": 0, "lost": 0, "kills": 0}
lock = threading.Lock()
done = threading.Event()


def connect(name=None):
    return redis.Redis(host="127.0.0.1", port=PORT, socket_timeout=20, client_name=name, single_connection_client=False,
                       retry=Retry(NoBackoff(), 0), retry_on_error=[], max_connections=1, decode_responses=True)


class Worker:
    """One client, its keys, and for each key (or hash field) the set of values it may hold."""

    def __init__(self, number):
        self.number = number
        self.random = random.Random(SEED * 1000 + number)
        self.client = connect(f"churn-{number}")
        self.model = {}
        self.lost = 0

    def expect(self, key, got):
        allowed = self.model.get(key, {None})
        if got not in allowed:
            raise AssertionError(f"client {self.number} key {key}: got {got!r}, expected one of {allowed!r}")
        self.model[key] = {got}

    def write(self, key, value, send, expected_reply=None):
        """A write whose outcome is unknown if the connection dies."""
        before = self.model.get(key, {None})
        self.model[key] = before | {value}
        reply = send()
        if expected_reply is not None and reply not in expected_reply:
            raise AssertionError(f"client {self.number} key {key}: reply {reply!r}, expected {expected_reply!r}")
        self.model[key] = {value}

    def increment(self, key):
        before = {int(value or 0) for value in self.model.get(key, {None})}
        self.model[key] = {str(value) for value in before} | {str(value + 1) for value in before}
        if 0 in before:
            self.model[key].add(None)
        reply = self.client.incr(key)
        if reply - 1 not in before:
            raise AssertionError(f"client {self.number} INCR {key}: {reply}, before one of {before}")
        self.model[key] = {str(reply)}

    def step(self):
        choice = self.random.randrange(100)
        slot = self.random.randrange(20)
        name = f"c{self.number}:{slot}"
        if choice < 30:
            value = f"v{self.random.randrange(10**9)}" + "x" * self.random.randrange(100)
            self.write(name, value, lambda: self.client.set(name, value), (True,))
        elif choice < 55:
            self.expect(name, self.client.get(name))
        elif choice < 75:
            self.increment(f"n{name}")
        elif choice < 78:
            self.expect(f"n{name}", self.client.get(f"n{name}"))
        elif choice < 90:
            field, value = f"f{self.random.randrange(8)}", str(self.random.randrange(10**6))
            self.write(f"h{name}.{field}", value, lambda: self.client.hset(f"h{name}", field, value), (0, 1))
        elif choice < 99:
            field = f"f{self.random.randrange(8)}"
            self.expect(f"h{name}.{field}", self.client.hget(f"h{name}", field))
        elif choice == 99 and self.random.randrange(5) == 0:
            self.break_off()

    def break_off(self):
        """Closes the socket hard (RST) with half a command on its way."""
        for connection in self.client.connection_pool._available_connections:
            sock = getattr(connection, "_sock", None)
            if sock is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.sendall(b"*3\r\n$3\r\nSET\r\n$5\r\nhal")
                sock.close()
                connection._sock = None
        self.client.connection_pool.disconnect()
        self.lost += 1

    def run(self, operations):
        try:
            for _ in range(operations):
                try:
                    self.step()
                except LOST:
                    self.lost += 1
            for key in list(self.model):
                if key.startswith("hc"):
                    name, field = key.split(".")
                    self.expect(key, self.client_retry(lambda: self.client.hget(name, field)))
                else:
                    self.expect(key, self.client_retry(lambda: self.client.get(key)))
        except Exception as error:  # every failure of a worker fails the run
            failures.append(f"{type(error).__name__}: {error}")
            done.set()
        finally:
            self.client.close()
            with lock:
                counts["ops"] += operations
                counts["lost"] += self.lost

    @staticmethod
    def client_retry(read):
        for _ in range(20):
            try:
                return read()
            except LOST:
                continue
        raise AssertionError("connection lost 20 times in a row")


def killer():
    admin = connect("admin")
    chance = random.Random(SEED)
    while not done.wait(0.05):
        try:
            others = [c for c in admin.client_list() if c["name"].startswith("churn-")]
            for victim in chance.sample(others, min(2, len(others))):
                counts["kills"] += admin.client_kill_filter(_id=victim["id"])
        except LOST as error:
            failures.append(f"admin lost its connection: {error}")
            return
        except Exception as error:
            failures.append(f"killer: {type(error).__name__}: {error}")
            return
    admin.close()


def main():
    workers = [Worker(number) for number in range(CLIENTS)]
    threads = [threading.Thread(target=worker.run, args=(OPERATIONS // CLIENTS,)) for worker in workers]
    kill_thread = threading.Thread(target=killer)
    start = time.time()
    kill_thread.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    kill_thread.join()
    seconds = time.time() - start
    print(f"seed {SEED}: {counts['ops']} operations in {seconds:.1f} s, {counts['kills']} kills, "
          f"{counts['lost']} commands lost, {len(failures)} failures")
    for failure in failures[:5]:
        print(failure)
    sys.exit(1 if failures or counts["kills"] == 0 else 0)


main()
