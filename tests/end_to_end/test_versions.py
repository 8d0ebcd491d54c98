"""What every version so far has written is read by this build. That a newer one's is refused by name: tests/unit, and at the
end for what a worker meets at its start."""

import csv
import ctypes
import json
import shutil
import struct
import subprocess

import pytest

from system import AS_OF_MS, TOP, wait_until

ZSTD = ctypes.CDLL("libzstd.so.1")
ZSTD.ZSTD_compressBound.restype = ZSTD.ZSTD_compress.restype = ZSTD.ZSTD_decompress.restype = ctypes.c_size_t
XXHASH = ctypes.CDLL("libxxhash.so.0")
XXHASH.XXH3_64bits.restype = ctypes.c_uint64
VERSIONS = sorted((TOP / "tests" / "versions").glob("v*"))
# In an order in which they can be filled.
TABLES = ("partition", "meta", "page", "rating_row", "violation_row", "beside_row", "history_row", "alert_row",
          "stream_number")
FLAGS = ("--clock-at", AS_OF_MS, "--clock-speed", 0)


def stored(system):
    return {(row["seller"], row["marketplace"]): row["score"]
            for row in system.rows("select seller, marketplace, score from ampel.rating")}


def expected(version):
    """The scores that the version itself gave."""
    lines = map(json.loads, (version / "scores.jsonl").read_text().splitlines())
    return {(line["seller"], line["marketplace"]): line["score"] for line in lines}


@pytest.fixture(params=VERSIONS, ids=[path.name for path in VERSIONS])
def version(request):
    return request.param


@pytest.fixture
def of_that_version(bare_system, version):
    """An empty system with the id and the journal of the sample."""
    bare_system.migrate(1).tenants("demo")
    bare_system.sql(f"update ampel.system set id = {(version / 'system').read_text()}")
    shutil.copytree(version / "journal", bare_system.folder / "journal")
    return bare_system


def fill(system, version):
    """The rows of the sample, in the columns that tables had then."""
    system.sql("delete from ampel.partition")
    system.sql("select ampel.history_month_make('2026-10-01')")
    for table in TABLES:
        if not (version / f"{table}.csv").exists():
            continue
        text = (version / f"{table}.csv").read_text()
        columns = ", ".join(next(csv.reader(text.splitlines())))
        subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c",
                        f"copy ampel.{table} ({columns}) from stdin (format csv, header)", system.url],
                       input=text, text=True, check=True)


def page_magic(version):
    """The first four bytes of its pages, unpacked."""
    with open(version / "page.csv", newline="") as rows:
        return unpacked(bytes.fromhex(next(csv.DictReader(rows))["bytes"][2:]))[:4].decode()


def unpacked(packed):
    """What is in the wrapping of a page: proto/page.h."""
    raw = ctypes.create_string_buffer(struct.unpack_from("<I", packed, 8)[0])
    size = ZSTD.ZSTD_decompress(raw, ctypes.c_size_t(len(raw)), packed[24:], ctypes.c_size_t(len(packed) - 24))
    assert size == len(raw)
    return raw.raw


def test_each_sample_has_pages_of_its_own_version():
    assert [page_magic(version) for version in VERSIONS] == [f"PAG{version.name[1:]}" for version in VERSIONS]


def test_there_is_a_sample_of_each_page_version_before_the_present_one():
    known = {}
    for line in (TOP / "engine" / "image.h").read_text().splitlines():
        if line.startswith("#define AMPEL_PAGE_MAGIC"):
            _, name, value = line.split()[:3]
            known[name] = struct.pack("<I", int(value[9:-1], 16)).decode()
    del known["AMPEL_PAGE_MAGIC"]
    assert known and set(known.values()) <= {page_magic(version) for version in VERSIONS}


def test_batches_in_a_file_are_read(bare_system, version):
    said = bare_system.ampel("score", version / "batches.ampel", "--as-of", AS_OF_MS, "--format", "jsonl", check=False)
    assert said.returncode == 0, said.stderr
    found = {(line["seller"], line["marketplace"]): line["score"] for line in map(json.loads, said.stdout.splitlines())}
    assert found == expected(version)


def test_a_journal_is_read_from_its_beginning(of_that_version, version):
    of_that_version.start(*FLAGS)
    assert of_that_version.metric("frames_applied_total") > 0
    of_that_version.stop()
    assert stored(of_that_version) == expected(version)


def test_pages_are_read_and_nothing_is_applied_a_second_time(of_that_version, version):
    fill(of_that_version, version)
    of_that_version.start(*FLAGS)
    assert of_that_version.metric("frames_applied_total") == 0
    wait_until(lambda: of_that_version.metric("accounts") == len(expected(version)), what="the accounts of the pages")
    done = of_that_version.ampel("feed", version / "batches.ampel", "--state", "state")
    assert "durable before" in done.stdout, "the windows of producers are known"
    of_that_version.stop()
    assert stored(of_that_version) == expected(version)


def test_a_worker_of_today_goes_on_from_there_and_what_it_then_has_stored_agrees_with_itself(of_that_version, version):
    fill(of_that_version, version)
    before = of_that_version.rows("select id, state, points, expires_at from ampel.violation order by seller, marketplace, id")
    of_that_version.start(*FLAGS)
    event = {"tenant": "demo", "seller": "CASE03", "marketplace": "A1PA6795UKMFR9", "type": "order", "at": AS_OF_MS, "count": 1}
    of_that_version.ampel("feed", "-", "--sent-at", AS_OF_MS, "--state", "state", stdin=json.dumps(event) + "\n")
    of_that_version.stop()
    assert stored(of_that_version) == expected(version), "one order moves no score of the sample"
    assert of_that_version.rows("select id, state, points, expires_at from ampel.violation "
                                "order by seller, marketplace, id") == before
    done = of_that_version.ampel("verify", "--exact", check=False)
    assert done.returncode == 0, done.stdout


# ---- newer ones

NEWEST = VERSIONS[-1]


@pytest.fixture
def newest(bare_system):
    """The journal and the rows of the newest sample, to be made those of a newer version."""
    bare_system.migrate(1).tenants("demo")
    bare_system.sql(f"update ampel.system set id = {(NEWEST / 'system').read_text()}")
    shutil.copytree(NEWEST / "journal", bare_system.folder / "journal")
    fill(bare_system, NEWEST)
    return bare_system


def refused(system, *words):
    """The worker does not start, and its log says why."""
    system.start(*FLAGS, ready=False)
    assert system.worker.wait(40) != 0
    system.worker = None
    assert all(word in system.log_text() for word in words), system.log_text()[-2000:]


def sealed(content, at):
    """With the checksum that stands at an offset made anew; it is over everything else, zeroes in its own place."""
    return content[:at] + hash_of(content[:at] + bytes(8) + content[at + 8:]) + content[at + 8:]


def hash_of(content):
    return struct.pack("<Q", XXHASH.XXH3_64bits(content, ctypes.c_size_t(len(content))))


def of_version(content, at, form, number):
    return content[:at] + struct.pack(form, number) + content[at + struct.calcsize(form):]


def page_changed(system, change):
    """The first page of the sample, changed while it is unpacked, and while it is packed."""
    packed = bytes.fromhex(system.sql("select encode(bytes, 'hex') from ampel.page where page = 0"))
    made = change(packed).hex()
    system.sql(f"update ampel.page set bytes = decode('{made}', 'hex') where page = 0")


def test_a_page_in_a_newer_wrapping_is_refused_by_name(newest):
    page_changed(newest, lambda packed: sealed(of_version(packed, 4, "<H", 7), 16))
    refused(newest, "page version 7 is not the 1 known here")


def test_a_page_whose_accounts_a_newer_version_wrote_is_refused_by_name(newest):
    def change(packed):
        raw = b"PAG9" + unpacked(packed)[4:]
        room = ctypes.create_string_buffer(ZSTD.ZSTD_compressBound(ctypes.c_size_t(len(raw))))
        size = ZSTD.ZSTD_compress(room, ctypes.c_size_t(len(room)), raw, ctypes.c_size_t(len(raw)), 1)
        payload = room.raw[:size]
        return sealed(of_version(packed[:24], 12, "<I", len(payload)) + payload, 16)
    page_changed(newest, change)
    refused(newest, "a newer version wrote these bytes")
    said = newest.ampel("verify", check=False)
    assert said.returncode == 1 and "a newer version wrote these bytes" in said.stdout


SEGMENT, GROUP = 4096, 32


def journal_changed(system, change):
    path, = (system.folder / "journal").glob("0*.log")
    path.write_bytes(change(path.read_bytes()))
    return path.name


def test_a_segment_of_a_newer_version_is_refused_by_name(newest):
    def change(content):
        header = of_version(content, 8, "<I", 9)[:SEGMENT - 8]
        return header + hash_of(header) + content[SEGMENT:]
    name = journal_changed(newest, change)
    refused(newest, name, "newer")


def test_a_record_of_a_newer_version_is_refused_by_name_and_not_taken_for_a_torn_tail(newest):
    def change(content):
        at = SEGMENT + GROUP
        size = struct.unpack_from("<I", content, at + 8)[0]
        record = sealed(of_version(content[at:at + size], 4, "<H", 9), 32)
        return content[:at] + record + content[at + size:]
    name = journal_changed(newest, change)
    newest.sql("delete from ampel.page; delete from ampel.meta; delete from ampel.partition")  # it is read from its beginning
    refused(newest, name, "newer")
