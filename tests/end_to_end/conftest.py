"""One private PostgreSQL for the session, one database and worker for each test."""

import itertools
import os
import pathlib
import shutil
import sys
import tempfile

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "deploy"), str(pathlib.Path(__file__).resolve().parent)]

from postgres import Cluster  # noqa: E402
from system import System  # noqa: E402

numbers = itertools.count()


@pytest.fixture(scope="session")
def cluster():
    folder = tempfile.mkdtemp(prefix="ampel-test-")
    os.chmod(folder, 0o755)
    made = Cluster(folder).start()
    yield made
    made.stop("immediate")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def system(cluster):
    """Migrated, with the tenants of the golden cases, not started."""
    folder = tempfile.mkdtemp(prefix="ampel-system-")
    made = System(cluster, folder, f"test_{os.getpid()}_{next(numbers)}")
    yield made.migrate().tenants("demo")
    made.close()


@pytest.fixture
def bare_system(cluster):
    """With an empty database."""
    folder = tempfile.mkdtemp(prefix="ampel-system-")
    made = System(cluster, folder, f"test_{os.getpid()}_{next(numbers)}")
    yield made
    made.close()
