"""A real MariaDB for the tests: an own instance in a temporary folder, reached by a socket only."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from urllib.parse import quote

import pymysql

PROGRAMS = ("mariadbd", "mariadb-install-db")
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
_NUMBERS = count(1)


def missing() -> str | None:
    """Why there can be no MariaDB here; ``None`` if there can."""
    absent = [program for program in PROGRAMS if not shutil.which(program, path=_PATH)]
    return f"{' and '.join(absent)} not found: install Debian's mariadb-server" if absent else None


@dataclass
class Server:
    """A running instance; each database that it makes is a new, empty one."""

    folder: Path
    process: subprocess.Popen[bytes]
    keeps_all: bool = False

    @property
    def socket(self) -> Path:
        return self.folder / "s"

    def create_database(self, user: str = "root", password: str = "") -> str:
        """The URL of a new database whose default is not the alphabet that the job store wants."""
        name = f"workbench_{next(_NUMBERS)}"
        self.execute(f"CREATE DATABASE {name} CHARACTER SET latin1 COLLATE latin1_swedish_ci")
        if password:
            self.execute(f"CREATE USER IF NOT EXISTS '{user}'@'localhost' IDENTIFIED BY '{password}'")
            self.execute(f"GRANT ALL ON {name}.* TO '{user}'@'localhost'")
        return f"mysql+pymysql://{user}:{quote(password, safe='')}@localhost/{name}?unix_socket={self.socket}"

    def execute(self, *statements: str) -> None:
        """Run the statements as the instance's root."""
        with (
            contextlib.closing(
                pymysql.connect(unix_socket=str(self.socket), user="root", password="", autocommit=True)
            ) as connection,
            connection.cursor() as cursor,
        ):
            for statement in statements:
                cursor.execute(statement)

    def stop(self) -> None:
        """End it and wait; twice is fine."""
        self.process.terminate()
        try:
            self.process.wait(200)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def start(self) -> None:
        """Start it again after ``stop``, with the data that it had."""
        self.process = _start(self.folder, self.keeps_all)


@contextmanager
def run_server(*, keeps_all: bool = False) -> Iterator[Server]:
    """An instance of its own; whatever happens, it is gone at the end.

    As root it runs as an unprivileged user. It forgets the disk's slowness: a crash of the computer would lose data,
    and so would a kill of the instance, unless it ``keeps_all`` that was committed.
    """
    # Not pytest's folder: a socket's path has at most 107 bytes, and the other user must reach it.
    folder = Path(tempfile.mkdtemp(prefix="mariadb-", dir="/tmp"))
    server = None
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, _user())
        subprocess.run(
            [
                _which("mariadb-install-db"),
                "--no-defaults",
                f"--datadir={folder / 'data'}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                f"--user={_user()}",
            ],
            check=True,
            capture_output=True,
            cwd=folder,
        )
        server = Server(folder, _start(folder, keeps_all), keeps_all)
        yield server
    finally:
        if server:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _start(folder: Path, keeps_all: bool) -> subprocess.Popen[bytes]:
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [
                _which("mariadbd"),
                "--no-defaults",
                f"--datadir={folder / 'data'}",
                f"--socket={folder / 's'}",
                f"--pid-file={folder / 'pid'}",
                f"--tmpdir={folder}",
                f"--user={_user()}",
                "--skip-networking",
                "--skip-log-bin",
                f"--innodb-flush-log-at-trx-commit={2 if keeps_all else 0}",
                "--innodb-buffer-pool-size=256M",
                "--innodb-log-file-size=256M",
            ],
            stdout=log,
            stderr=log,
            cwd=folder,
        )
    try:
        _wait(process, folder)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return process


def _wait(process: subprocess.Popen[bytes], folder: Path) -> None:
    give_up = time.monotonic() + 120
    while True:
        try:
            # Not by PyMySQL, which leaves its socket open when nobody listens.
            with socket.socket(socket.AF_UNIX) as asking:
                asking.connect(str(folder / "s"))
                if asking.recv(1):
                    return
        except OSError:
            pass
        if process.poll() is not None or time.monotonic() > give_up:
            raise RuntimeError(f"MariaDB does not start:\n{(folder / 'log').read_text()}")
        time.sleep(0.05)


def _user() -> str:
    """Whom it runs as: never root."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "mysql" if "mysql" in names else "nobody"


def _which(program: str) -> str:
    path = shutil.which(program, path=_PATH)
    assert path is not None
    return path
