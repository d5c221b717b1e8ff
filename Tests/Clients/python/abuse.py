"""abuse.py HOST PORT PID

Sends a Kafka listener what no client would, and checks that it stays small, up, and there for others."""
import random
import resource
import socket
import struct
import sys
import threading
import time

host, port, pid = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


def rss_mb():
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) // 1024


def connect():
    return socket.create_connection((host, port), timeout=20)


def request(key, version, body=b"", correlation=1):
    message = struct.pack(">hhih", key, version, correlation, -1) + body
    return struct.pack(">i", len(message)) + message


def receive(sock):
    def exactly(count):
        data = b""
        while len(data) < count:
            piece = sock.recv(count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data
    return exactly(struct.unpack(">i", exactly(4))[0])


def is_closed(sock):
    try:
        while sock.recv(65536):
            pass
        return True
    except ConnectionError:
        return True
    except TimeoutError:
        return False


def is_served(seconds=5):
    began = time.time()
    with connect() as sock:
        sock.sendall(request(18, 0))
        receive(sock)
    return time.time() - began < seconds


def check(name, condition):
    print(("ok   " if condition else "FAIL ") + name, f"({rss_mb()} MB)", flush=True)
    if not condition:
        check.failed = True


check.failed = False
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
start_mb = rss_mb()
random.seed(1)

with connect() as sock:
    sock.sendall(struct.pack(">i", 2**31 - 1) + b"x" * 100)
    check("a frame of 2 GB closes the connection", is_closed(sock))
with connect() as sock:
    sock.sendall(struct.pack(">i", -1) + b"x" * 100)
    check("a negative length closes the connection", is_closed(sock))
for round in range(200):
    with connect() as sock:
        try:
            data = random.randbytes(random.randrange(1, 5000))
            if round % 2:
                data = struct.pack(">ihh", len(data) + 4, random.randrange(0, 62), random.randrange(0, 13)) + data
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            is_closed(sock)
        except OSError:
            pass
check("random bytes", is_served())
with connect() as sock:
    sock.sendall(request(999, 0))
    check("an unknown key closes the connection", is_closed(sock))
with connect() as sock:
    sock.sendall(request(3, 99))
    check("an unknown version closes the connection", is_closed(sock))
with connect() as sock:
    sock.sendall(request(18, 99, b"\0"))
    check("an unknown version of ApiVersions is answered with 35", receive(sock)[4:6] == b"\0\x23")
with connect() as sock:
    sock.sendall(request(18, 0)[:7])
    sock.shutdown(socket.SHUT_WR)
    check("a truncated, half-closed request closes the connection", is_closed(sock))

idle = [connect() for _ in range(1000)]
check("a thousand idle connections", is_served() and rss_mb() - start_mb < 100)
for sock in idle:
    sock.close()

# Frames that never end: more of them than all requests together may take.
slow = []
for _ in range(8):
    sock = connect()
    sock.settimeout(1)
    try:
        sock.sendall(struct.pack(">i", 30 << 20) + b"\0" * (25 << 20))
    except TimeoutError:
        pass
    slow.append(sock)
check("eight requests of 30 MB that stop before their end", is_served() and rss_mb() - start_mb < 250)
for sock in slow:
    sock.close()

# A flood in one go, answers not read.
flood = connect()
flood.settimeout(3)
sent = 0
try:
    while sent < 400 << 20:
        flood.sendall(request(18, 0) * 20000)
        sent += 20000 * len(request(18, 0))
except TimeoutError:
    pass
check(f"a flood by a client that never reads (took {sent >> 20} MB)", is_served() and rss_mb() - start_mb < 250)
flood.close()

flood = connect()
count = 100000
threading.Thread(target=lambda: flood.sendall(b"".join(request(18, 0, correlation=i) for i in range(count)))).start()
check("100,000 pipelined requests are answered in order",
      all(struct.unpack(">i", receive(flood)[:4])[0] == i for i in range(count)))
flood.close()

# Long polls whose clients go away.
topic = b"polls"
fetch = struct.pack(">iiiibi", -1, 2**31 - 1, 1, 1 << 20, 0, 1) + struct.pack(">h", len(topic)) + topic \
    + struct.pack(">i", 1) + struct.pack(">iqi", 0, 0, 1 << 20)
with connect() as sock:
    sock.sendall(request(3, 1, struct.pack(">ih", 1, len(topic)) + topic))
    receive(sock)
for _ in range(2000):
    with connect() as sock:
        sock.sendall(request(1, 4, fetch))
check("2,000 long polls whose clients left", is_served())
time.sleep(2)
check("memory in the end", rss_mb() - start_mb < 250)
sys.exit(1 if check.failed else 0)
