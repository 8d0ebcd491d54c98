"""What keeps the house as it is: includes, purity, banned calls, fresh documents (style.md, architecture.md 2)."""

import pathlib
import platform
import re
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = TOP / "build"
ROOMS = {
    "engine": {"engine"},
    "proto": {"engine", "proto"},
    "workers": {"engine", "proto", "workers"},
    "bench": {"engine", "proto", "workers", "bench"},
    "tests": {"engine", "proto", "workers", "tests"},
}
# A library's header is included in one file of ours (or a pair of header and source).
LIBRARIES = {
    "zmq.h": {"workers/network_zmq.c", "workers/zap.c", "workers/client_zmq.c", "workers/keyfile.c"},
    "libpq-fe.h": {"workers/pq.c", "workers/pq.h"},
    "msgpack.h": {"proto/pack.c", "proto/pack.h"},
    "jansson.h": {"proto/json.c"},
    "cyaml/cyaml.h": {"proto/rules_file.c"},
    "yaml.h": {"proto/yaml_index.c"},
    "xxhash.h": {"proto/hash.c"},
    "zstd.h": {"proto/page.c"},
    "lz4.h": {"proto/page.c"},
    "microhttpd.h": {"workers/http.c"},
    "jemalloc/jemalloc.h": {"workers/memory.c"},
}
BANNED = re.compile(r"\b(sprintf|vsprintf|strcpy|strcat|atoi|atol|rand|srand|alloca|gets)\s*\(")
TIME_CALLS = re.compile(r"\b(time|gettimeofday|clock_gettime)\s*\(")
ENGINE_MAY_CALL = {"memcpy", "memmove", "memset", "memcmp", "memchr", "ampel_panic"}


def sources(room, *endings):
    return [path for ending in endings for path in sorted((TOP / room).rglob(f"*{ending}"))]


def code_of(path):
    """The text without comments and strings."""
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), path.read_text(), flags=re.S)
    text = re.sub(r"//[^\n]*", "", text)
    return re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)


@pytest.mark.parametrize("room", ROOMS)
def test_includes_point_inward_only(room):
    wrong = []
    for path in sources(room, ".h", ".c", ".cc"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if match and match.group(1).split("/")[0] not in ROOMS[room]:
                wrong.append(f"{path.relative_to(TOP)}:{number}: {match.group(1)}")
    assert not wrong, "\n".join(wrong)


def test_a_librarys_header_is_included_in_one_place():
    wrong = []
    for room in ("engine", "proto", "workers"):
        for path in sources(room, ".h", ".c"):
            for header in re.findall(r"#\s*include\s+<([^>]+)>", path.read_text()):
                place = str(path.relative_to(TOP))
                if header in LIBRARIES and place not in LIBRARIES[header]:
                    wrong.append(f"{place}: <{header}> belongs to {sorted(LIBRARIES[header])}")
    assert not wrong, "\n".join(wrong)


def test_the_engine_calls_nothing_but_memory_functions_and_the_panic_hook():
    listing = subprocess.run(["nm", "-u", str(BUILD / "libampel_engine.a")], check=True, text=True,
                             stdout=subprocess.PIPE).stdout
    undefined = {line.split()[-1] for line in listing.splitlines() if line.strip().startswith("U ")}
    defined = subprocess.run(["nm", "--defined-only", str(BUILD / "libampel_engine.a")], check=True, text=True,
                             stdout=subprocess.PIPE).stdout
    own = {line.split()[-1] for line in defined.splitlines() if len(line.split()) == 3}
    assert own, "the archive is empty"
    assert undefined - own - ENGINE_MAY_CALL - {"_GLOBAL_OFFSET_TABLE_"} == set()


@pytest.mark.parametrize("room", ["engine", "proto", "workers"])
def test_no_banned_call(room):
    wrong = []
    for path in sources(room, ".h", ".c"):
        for number, line in enumerate(code_of(path).splitlines(), 1):
            if BANNED.search(line):
                wrong.append(f"{path.relative_to(TOP)}:{number}: {line.strip()}")
            if TIME_CALLS.search(line) and path.name != "clock.c":
                wrong.append(f"{path.relative_to(TOP)}:{number}: {line.strip()} (time belongs to workers/clock.c)")
    assert not wrong, "\n".join(wrong)


def test_no_float_in_the_engine():
    wrong = [str(path.relative_to(TOP)) for path in sources("engine", ".h", ".c")
             if re.search(r"\b(float|double)\b", code_of(path))]
    assert not wrong, wrong


def test_no_sql_in_c():
    statement = re.compile(r'"[^"\n]*\b(select .* from|insert into|update [a-z_.]+ set|delete from|create table)\b', re.I)
    wrong = [f"{path.relative_to(TOP)}:{number}: {line.strip()}"
             for room in ("engine", "proto", "workers") for path in sources(room, ".h", ".c")
             for number, line in enumerate(path.read_text().splitlines(), 1) if statement.search(line)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("compiler", [["gcc", "-std=c17", "-x", "c"], ["g++", "-std=c++17", "-x", "c++"]],
                         ids=["c17", "c++17"])
def test_public_headers_compile_alone(compiler, tmp_path):
    wrong = []
    for header in sources("engine", ".h") + sources("proto", ".h"):
        done = subprocess.run(compiler + ["-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-I", str(TOP), "-fsyntax-only",
                                          "-include", str(header), "/dev/null"], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            wrong.append(done.stdout)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("document, flag", [("docs/SETTINGS.md", "--print-settings-document"),
                                            ("docs/METRICS.md", "--print-metrics-document")])
def test_generated_documents_are_fresh(document, flag):
    fresh = subprocess.run([str(BUILD / "bin/ampel-worker"), flag], check=True, text=True,
                           stdout=subprocess.PIPE).stdout
    assert (TOP / document).read_text() == fresh, f"build/bin/ampel-worker {flag} >{document}"


def tracked():
    listing = subprocess.run(["git", "ls-files"], cwd=TOP, check=True, text=True, stdout=subprocess.PIPE).stdout
    return [TOP / name for name in listing.splitlines() if (TOP / name).exists()]


def test_nothing_calls_itself_unfinished():
    mark = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
    wrong = [f"{path.relative_to(TOP)}:{number}: {line.strip()}" for path in tracked()
             if path.suffix in {".c", ".h", ".cc", ".py", ".sql", ".sh", ".md"} or path.parent.name == "deploy"
             for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1) if mark.search(line)]
    assert not wrong, "\n".join(wrong)


def test_no_source_file_comes_to_own_everything():
    long = [f"{path.relative_to(TOP)}: {lines} lines" for path in tracked()
            if path.suffix in {".c", ".h", ".cc", ".py"}
            and (lines := path.read_text(errors="replace").count("\n")) > 900]
    assert not long, "\n".join(long)


def test_the_readme_fits_a_screen_and_names_both_commands():
    text = (TOP / "README.md").read_text()
    assert "deploy/up" in text and "tests/run" in text
    assert text.count("\n") <= 60


def test_documents_link_to_what_exists():
    wrong = []
    for path in tracked():
        if path.suffix != ".md":
            continue
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
            if not (path.parent / target).exists():
                wrong.append(f"{path.relative_to(TOP)}: {target}")
    assert not wrong, "\n".join(wrong)


def test_every_word_that_a_command_shows_has_a_german_one():
    """English words pass through ampel_label and the titles of columns; what the table of labels.c lacks would stay English."""
    literal = r'((?:"(?:\\.|[^"\\\n])*"\s*)+)'
    table = (TOP / "workers/cli/labels.c").read_text()
    known = {"".join(re.findall(r'"((?:\\.|[^"\\])*)"', words)) for words in re.findall(r"\{" + literal + ",", table)}
    assert len(known) > 200
    missing = []
    for path in sources("workers/cli", ".c"):
        text = path.read_text()
        asked = re.findall(r"ampel_label\(\s*" + literal + r"\)", text)
        asked += re.findall(r"ampel_label\([^\"()]*\?\s*" + literal + ":", text)
        asked += re.findall(r"ampel_label\([^\"()]*\?\s*" + literal + r":\s*" + literal, text)
        asked += re.findall(r"ampel_table_column\(\w+, " + literal + ",", text)
        for words in asked:
            for word in [words] if isinstance(words, str) else words:
                word = "".join(re.findall(r'"((?:\\.|[^"\\])*)"', word))
                if word not in known and re.search("[a-z]|[A-Z]{3}", word):
                    missing.append(f"{path.name}: {word}")
    assert not missing


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the instruction has another name")
@pytest.mark.parametrize("source, least", [("apply.c", 8), ("advance.c", 2), ("accounts.c", 2), ("wheel.c", 5)])
def test_the_compiler_leaves_prefetches_in(source, least):
    listing = subprocess.run(["objdump", "-d", str(BUILD / "libampel_engine.a")], check=True, text=True,
                             stdout=subprocess.PIPE).stdout
    part = listing.split(f"{source}.o:")[1].split("file format")[1]
    assert part.count("prefetch") >= least, f"{source}: a function of prefetches alone must be AMPEL_INLINE"
