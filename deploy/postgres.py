#!/usr/bin/env python3
"""A private PostgreSQL cluster in a folder of its own, reachable on loopback with a password.

    deploy/postgres.py start DIR [--port N]    makes it if needed, starts it, prints its URL
    deploy/postgres.py stop DIR                orderly; --immediate as in a crash
    deploy/postgres.py url DIR
    deploy/postgres.py yield DIR                its processes of now give way where the machine is full

PostgreSQL refuses to run as root. For root it runs as the system user postgres, which keeps just enough rights
to reach a folder below closed ones (a checkout in /root). The server owns DIR/data; DIR/password is for its user
alone. Also a module: Cluster(DIR).start() for tests.
"""

import argparse
import contextlib
import fcntl
import functools
import os
import pathlib
import secrets
import socket
import subprocess
import sys
import tempfile
import time

YIELDING_NICE = "10"
FIRST_PORT, PORTS = 20000, 12000
TAKEN = set()
BIN = "/usr/lib/postgresql/15/bin"
ROLE = DATABASE = "ampel"
MEMORY_MB = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    # Checkpoints of Ampel write much: a larger log between PostgreSQL's own, kept for the next one, and less of each block in it.
    "shared_buffers": f"{min(max(MEMORY_MB // 8, 128), 4096)}MB",
    "max_wal_size": "4GB",
    "min_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "lz4",
    "max_connections": "60",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "password_encryption": "scram-sha-256",
    "logging_collector": "off",
}


def free_port():
    """Nobody's, and this process's until it ends: no other caller gets it, though nothing listens yet.

    Below the range from which systems take ports for connections (32768 on): none becomes one until a server listens.
    """
    locks = port_locks()
    for _ in range(100 * PORTS):
        port = FIRST_PORT + secrets.randbelow(PORTS)
        if port in TAKEN:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            fcntl.lockf(locks, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
            TAKEN.add(port)
            probe.bind(("127.0.0.1", port))
            return port
    sys.exit(f"no port from {FIRST_PORT} to {FIRST_PORT + PORTS - 1} is free")


@functools.cache
def port_locks():
    """One file of this user's whose byte N is locked by the process that has port N. Never closed: that would unlock all."""
    name = f"ampel-ports-{os.geteuid()}"
    return os.open(os.path.join(tempfile.gettempdir(), name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def as_server(command):
    """The command as the user that PostgreSQL may run as."""
    if os.geteuid() != 0:
        return command
    rights = "+dac_override,+dac_read_search"
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups",
            f"--inh-caps={rights}", f"--ambient-caps={rights}", "--"] + command


def run(command, **more):
    done = subprocess.run(as_server(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, cwd="/", check=False, **more)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}")
    return done.stdout


class Cluster:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder).absolute()
        self.data = self.folder / "data"

    @property
    def port(self):
        return int((self.folder / "port").read_text())

    @property
    def url(self):
        password = (self.folder / "password").read_text()
        return f"postgresql://{ROLE}:{password}@127.0.0.1:{self.port}/{DATABASE}"

    def make(self, port):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data.mkdir(mode=0o700, exist_ok=True)
        password = secrets.token_hex(16)
        for name, text in (("password", password), ("port", str(port or free_port()))):
            path = self.folder / name
            path.write_text(text)
            path.chmod(0o600)
        if os.geteuid() == 0:
            subprocess.run(["chown", "postgres:postgres", str(self.data), str(self.folder / "password")],
                           check=True)
        run([f"{BIN}/initdb", "-D", str(self.data), "-U", ROLE, "--auth=scram-sha-256", "--encoding=UTF8",
             "--locale=C.UTF-8", "--data-checksums", f"--pwfile={self.folder / 'password'}"])
        lines = "".join(f"{name} = '{value}'\n" for name, value in SETTINGS.items())
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as file:
            file.write("\n# --- of Ampel ---\n" + lines)

    def running(self):
        return subprocess.run(as_server([f"{BIN}/pg_ctl", "-D", str(self.data), "status"]), cwd="/",
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0

    def start(self, port=None):
        if not (self.data / "PG_VERSION").exists():
            self.make(port)
        if not self.running():
            self.move_if_taken()
            run([f"{BIN}/pg_ctl", "-D", str(self.data), "-w", "-t", "60", "-l", str(self.data / "server.log"),
                 "-o", f"-p {self.port}", "start"])
        self.ensure_database()
        return self

    def move_if_taken(self):
        """Another program may have taken the port since the last start."""
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.port))
            except OSError:
                (self.folder / "port").write_text(str(free_port()))

    def psql(self, sql, database=DATABASE):
        url = self.url.rsplit("/", 1)[0] + "/" + database
        return subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql, url], check=True,
                              stdout=subprocess.PIPE, text=True).stdout.strip()

    def ensure_database(self):
        if self.psql(f"select 1 from pg_database where datname = '{DATABASE}'", "postgres") != "1":
            self.psql(f"create database {DATABASE}", "postgres")

    def stop(self, mode="fast"):
        if (self.data / "PG_VERSION").exists() and self.running():
            run([f"{BIN}/pg_ctl", "-D", str(self.data), "-w", "-t", "60", "-m", mode, "stop"])

    def give_way(self):
        """Where the machine is full, what stores yields to what scores: each process of the server gets a tenth of the usual weight. For
        kernels that share by session (sched_autogroup), where one connection otherwise weighs as much as a whole worker; under a service
        manager its weights count instead (docs/OPERATIONS.md). Later connections weigh as usual. Returns how many processes took it."""
        postmaster = (self.data / "postmaster.pid").read_text().split()[0]
        taken = 0
        with contextlib.suppress(OSError):
            for pid in pathlib.Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split():
                with contextlib.suppress(OSError):
                    pathlib.Path(f"/proc/{pid}/autogroup").write_text(YIELDING_NICE)
                    taken += 1
                time.sleep(0.11)  # the kernel takes ten such words a second from a user
        return taken

    def pause_until(self, condition, seconds=30):
        limit = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > limit:
                raise TimeoutError("PostgreSQL did not come to the expected state")
            time.sleep(0.05)


def main():
    parser = argparse.ArgumentParser(description="A private PostgreSQL cluster.")
    parser.add_argument("action", choices=("start", "stop", "url", "yield"))
    parser.add_argument("folder")
    parser.add_argument("--port", type=int)
    parser.add_argument("--immediate", action="store_true")
    given = parser.parse_args()
    cluster = Cluster(given.folder)
    if given.action == "stop":
        cluster.stop("immediate" if given.immediate else "fast")
        return
    if given.action == "yield":
        cluster.give_way()
        return
    if given.action == "start":
        cluster.start(given.port)
    print(cluster.url)


if __name__ == "__main__":
    main()
