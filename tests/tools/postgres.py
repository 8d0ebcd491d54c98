#!/usr/bin/env python3
"""A private PostgreSQL cluster on a Unix socket: no port, nobody else's, with real fsync.

    postgres.py run [--] COMMAND...   makes a cluster in a temporary directory, runs the command with
                                      AMPEL_TEST_DATABASE_URL and AMPEL_TEST_SUPERUSER_URL, removes the cluster;
                                      the exit status is the command's. Where AMPEL_TEST_DATABASE_URL is set
                                      already, that server gets a database of its own for it.
    postgres.py start DIRECTORY       makes (the first time) and starts a cluster in DIRECTORY, prints its URL
    postgres.py stop DIRECTORY        stops it
    postgres.py url DIRECTORY [DATABASE]

initdb refuses root, so as root everything of PostgreSQL runs as the user postgres. The URL's role is `ampel`: no superuser,
owns its databases, may create roles, which is what production is asked for. From Python:

    with Cluster() as cluster:
        url = cluster.database()            # a fresh database, owned by ampel
        cluster.psql("select 1", url)       # -> "1"
"""

import glob
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile

OWNER = "ampel"
SUPERUSER = "postgres"
SETTINGS = {
    "listen_addresses": "''",
    "fsync": "on",
    "max_connections": "50",
    "shared_buffers": "64MB",
    "max_wal_size": "1GB",
    "log_line_prefix": "'%m [%p] '",
}


def programs():
    """The directory with initdb and pg_ctl: the newest that Debian installed, else the PATH's."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda p: int(p.split("/")[4]))
    path = found[-1] if found else shutil.which("initdb")
    if not path:
        sys.exit("postgres.py: no initdb; install postgresql (deploy/install)")
    return pathlib.Path(path).parent


def as_postgres(command, **options):
    """Runs a command as a user that initdb accepts."""
    if os.geteuid() == 0:
        command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--", *command]
    return subprocess.run([str(word) for word in command], check=True, **options)


class Cluster:
    def __init__(self, directory=None):
        self.temporary = directory is None
        if self.temporary:
            directory = tempfile.mkdtemp(prefix="ampel-pg-")
        self.directory = pathlib.Path(directory).resolve()
        self.data = self.directory / "data"
        self.log = self.directory / "log"
        # A socket's path ends at 107 bytes, so a deep directory gets its socket elsewhere.
        self.socket = self.directory
        if len(str(self.directory)) > 80:
            digest = f"{abs(hash(str(self.directory))):x}" if self.temporary else \
                str(self.directory).encode().hex()[-40:]
            self.socket = pathlib.Path("/tmp") / f"ampel-pg-{digest[-24:]}"

    def url(self, database=OWNER, user=OWNER):
        return f"postgresql://{user}@/{database}?host={str(self.socket).replace('/', '%2F')}"

    def make(self):
        for directory in {self.directory, self.socket}:
            directory.mkdir(parents=True, exist_ok=True)
            if os.geteuid() == 0:
                shutil.chown(directory, "postgres", "postgres")
            # Who can open the socket can log in as anyone: only the owner (and root) may.
            directory.chmod(0o700)
        if not (self.data / "PG_VERSION").exists():
            as_postgres([programs() / "initdb", "-D", self.data, "-U", SUPERUSER, "--auth=trust",
                         "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"], stdout=subprocess.DEVNULL, cwd="/")
            lines = "".join(f"{name} = {value}\n" for name, value in SETTINGS.items())
            with open(self.data / "postgresql.auto.conf", "a", encoding="utf-8") as file:
                file.write(lines)

    def running(self):
        done = subprocess.run([programs() / "pg_isready", "-q", "-h", self.socket], check=False)
        return done.returncode == 0

    def start(self):
        self.make()
        if not self.running():
            as_postgres([programs() / "pg_ctl", "-D", self.data, "-l", self.log, "-w", "-s", "-t", "60",
                         "-o", f"-k '{self.socket}'", "start"], cwd="/", stdout=subprocess.DEVNULL)
        if not self.psql(f"select 1 from pg_roles where rolname = '{OWNER}'", self.url("postgres", SUPERUSER)):
            self.psql(f"create role {OWNER} login createrole createdb", self.url("postgres", SUPERUSER))
        if not self.psql(f"select 1 from pg_database where datname = '{OWNER}'", self.url("postgres", SUPERUSER)):
            self.psql(f"create database {OWNER} owner {OWNER}", self.url("postgres", SUPERUSER))
        return self

    def stop(self, mode="fast"):
        """mode `immediate` is a crash: the next start recovers."""
        if (self.data / "postmaster.pid").exists():
            as_postgres([programs() / "pg_ctl", "-D", self.data, "-w", "-s", "-m", mode, "stop"], cwd="/")

    def remove(self):
        self.stop("immediate")
        shutil.rmtree(self.directory, ignore_errors=True)
        shutil.rmtree(self.socket, ignore_errors=True)

    def pause(self):
        """Stops every process of the server where it stands; resume lets them go on."""
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    def signal(self, number):
        master = int((self.data / "postmaster.pid").read_text().split()[0])
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(master)], capture_output=True, text=True,
                                  check=False).stdout.split()
        for process in [master, *map(int, children)]:
            try:
                os.kill(process, number)
            except ProcessLookupError:
                pass

    def database(self, name=None):
        """A fresh database of the owner; its URL."""
        name = name or f"ampel_test_{secrets.token_hex(4)}"
        self.psql(f"create database {name}", self.url("postgres"))
        return self.url(name)

    def psql(self, statement, url=None):
        return psql(statement, url or self.url())

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            if self.temporary:
                self.remove()
            raise

    def __exit__(self, *_):
        if self.temporary:
            self.remove()
        else:
            self.stop()


def psql(statement, url):
    """What psql prints, unaligned, without headers, columns split by |."""
    done = subprocess.run([programs() / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url,
                           "-c", statement], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"psql: {done.stderr.strip()} in: {statement}")
    return done.stdout.strip()


def in_database(url, name):
    """The same server and user, another database."""
    head, mark, query = url.partition("?")
    return f"{head.rpartition('/')[0]}/{name}{mark}{query}"


def run(command):
    """Runs a command against a database of its own."""
    given = os.environ.get("AMPEL_TEST_DATABASE_URL")
    if given:
        name = f"ampel_test_{secrets.token_hex(4)}"
        psql(f"create database {name}", given)
        environment = {**os.environ, "AMPEL_TEST_DATABASE_URL": in_database(given, name)}
        if superuser := os.environ.get("AMPEL_TEST_SUPERUSER_URL"):
            environment["AMPEL_TEST_SUPERUSER_URL"] = in_database(superuser, name)
        try:
            return subprocess.run(command, env=environment, check=False).returncode
        finally:
            psql(f"drop database {name} with (force)", given)
    with Cluster() as cluster:
        name = f"ampel_test_{secrets.token_hex(4)}"
        environment = {**os.environ, "AMPEL_TEST_DATABASE_URL": cluster.database(name),
                       "AMPEL_TEST_SUPERUSER_URL": cluster.url(name, SUPERUSER)}
        return subprocess.run(command, env=environment, check=False).returncode


def main(words):
    if len(words) >= 2 and words[0] == "run":
        command = words[2:] if words[1] == "--" else words[1:]
        # A kill of this program must not leave a server behind.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        status = run(command)
        return status if status >= 0 else 128 - status
    if len(words) == 2 and words[0] == "start":
        print(Cluster(words[1]).start().url())
        return 0
    if len(words) == 2 and words[0] == "stop":
        Cluster(words[1]).stop()
        return 0
    if len(words) in (2, 3) and words[0] == "url":
        print(Cluster(words[1]).url(*words[2:]))
        return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
