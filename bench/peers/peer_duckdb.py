"""DuckDB: a columnar table in memory, and one query, on one thread or two."""

import json
import pathlib
import subprocess
import types

from events import QUERY, policies

HERE = pathlib.Path(__file__).resolve().parent
PACKAGE = "@duckdb/node-api@1.5.6-r.1"


def installed(folder):
    """The folder whose node_modules hold the prebuilt package."""
    if not (folder / "node_modules/@duckdb/node-api").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "install", "--silent", "--no-save", "--prefix", str(folder), PACKAGE], check=True,
                       stdout=subprocess.DEVNULL)
    return folder


def recompute(task, build, threads):
    """Ratings by one query over a table in memory; loading it is told apart."""
    query = task.folder / "duckdb.sql"
    query.write_text(QUERY.replace(":as_of", str(task.as_of_ms)).replace(":today", str(task.today)))
    codes = [(i, group, severity) for i, (_, group, severity) in enumerate(policies())]
    done = subprocess.run(["node", "--max-old-space-size=8000", str(HERE / "duckdb.mjs"), str(task.path), str(query), json.dumps(codes), str(threads)],
                          cwd=installed(build / "peers"), stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout)
    meter = types.SimpleNamespace(seconds=found["wall"], processor_seconds=found["processor"], memory_bytes=found["memory"])
    return {row[0]: tuple(row[1:]) for row in found["rows"]}, meter, {"load_seconds": round(found["load"], 2)}
