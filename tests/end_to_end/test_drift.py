"""ampel drift: accounts by distance, unexplained changes with their reports, what is missing, and which rules fit."""

import json
import re
import os
import subprocess

from system import AS_OF_MS, BIN

DAY_MS = 86400000
NOON_MS = 20728 * DAY_MS + DAY_MS // 2


def ampel(*words, status=0):
    done = subprocess.run([str(BIN / "ampel"), *map(str, words)], capture_output=True, text=True, timeout=100,
                          env=dict(os.environ, AMPEL_ENV="/dev/null"))
    assert done.returncode == status, (done.stdout, done.stderr)
    return done.stdout


def event(seller, type, day, **fields):
    return {"tenant": "demo", "seller": seller, "marketplace": "M1", "type": type, "at": NOON_MS + day * DAY_MS} | fields


def written(folder, events):
    path = folder / "events.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in events))
    return path


def asked(path, *words):
    return [json.loads(line) for line in
            ampel("drift", path, "--as-of", NOON_MS + 60 * DAY_MS, "--format", "jsonl", *words).splitlines()]


def test_accounts_come_by_distance_and_unexplained_changes_name_both_reports(tmp_path):
    path = written(tmp_path, [
        event("NEAR", "orders_day", 0, total=12000),
        event("NEAR", "observed", 1, score=440),
        event("FAR", "orders_day", 0, total=12000),
        event("FAR", "observed", 1, score=440),
        event("FAR", "observed", 2, score=424),
        event("FAR", "violation", 3, id="V1", policy="suspected_ip", severity="high"),
        event("FAR", "observed", 4, score=420, counts={"suspected_ip": 3}),
        event("QUIET", "order", 0),
    ])
    far, near = asked(path)
    assert (far["account"], near["account"]) == ("demo/FAR/M1", "demo/NEAR/M1")
    assert [report["drift"] for report in far["reports"]] == [0, -16, -12]
    assert [report["unexplained"] for report in far["reports"]] == [False, True, False]
    second = far["reports"][1]
    assert (second["since"], second["at"]) == (far["reports"][0]["at"], far["reports"][1]["at"])
    missing, = far["missing"]
    assert (missing["policy"], missing["missing"], missing["shown"], missing["known"]) == ("suspected_ip", 2, 3, 1)
    assert near["missing"] == [] and near["reports"][0]["drift"] == 0
    table = ampel("drift", path, "--as-of", NOON_MS + 60 * DAY_MS)
    assert re.search(r"demo/FAR/M1 +suspected_ip +2 +3 +1 ", table) and "-16" in table


def test_fit_finds_the_rules_that_made_the_reports(tmp_path):
    """A marketplace without a ladder, at 2, 6 and 8 points."""
    points = {"low": 2, "medium": 6, "high": 8}
    events = []
    for number in range(4):
        seller, score = f"S{number}", 440
        events.append(event(seller, "orders_day", 0, total=12000))
        for day, severity in enumerate(["medium", "high", "medium", "low", "high"], 1):
            events.append(event(seller, "violation", day + number, id=f"V{day}", policy="product_safety",
                                severity=severity))
            score -= points[severity]
            events.append(event(seller, "observed", day + number, score=score))
    path = written(tmp_path, events)
    rows = [row for row in asked(path, "--fit") if "rules" in row]
    present, = (row for row in rows if row["present"])
    assert rows[0]["rules"] == "ladder off, points 2/6/8" and rows[0]["error"] == 0
    assert rows[0]["better"] == present["error"] > 0 and rows[0]["reports"] == 20
    assert [row["error"] for row in rows] == sorted(row["error"] for row in rows)


def test_files_without_reports_say_so(tmp_path):
    assert "no report" in ampel("drift", written(tmp_path, [event("S1", "order", 0)]))
    ampel("drift", status=2)
    ampel("drift", "-", "--fit", status=2)


def test_explain_tells_assurance_and_metrics_beside_the_score(tmp_path):
    marks = [event("S1", "day_mark", day, lowest=200 if day < -177 else 300) for day in range(-180, 0)]
    path = written(tmp_path, marks + [
        event("S1", "orders_day", 0, total=12000),
        event("S1", "profile", 0, professional=True, emergency_phone=True),
        event("S1", "metric", 0, name="late_shipment_rate", value_ppm=41000, target_ppm=40000, condition="less_than"),
        event("S1", "metric", 0, name="order_defect_rate", state="none"),
    ])
    words = ("explain", "demo/S1/M1", path, "--as-of", NOON_MS + DAY_MS)
    told = json.loads(ampel(*words, "--format", "jsonl"))
    assert told["score"] == 440
    assert told["assurance"] == {
        "eligible": True, "near": False, "days_marked": 180, "days_below": 2, "days_to_lost": 9, "professional": True,
        "emergency_phone": True, "today_below": False}
    assert told["metrics_banner"] == "bad"
    assert [(metric["name"], metric["banner"]) for metric in told["metrics"]] == [
        ("late_shipment_rate", "bad"), ("order_defect_rate", "no_data")]
    table = ampel(*words)
    assert "lost with 9 more days below" in table and "no data" in table and "4.10%" in table


def test_what_stands_beside_the_score_is_stored_and_alerted(system):
    def at(type, ago_ms, **fields):
        return {"tenant": "demo", "seller": "S1", "marketplace": "M1", "type": type, "at": AS_OF_MS - ago_ms} | fields

    path = system.folder / "events.jsonl"
    events = [at("day_mark", day * DAY_MS, lowest=300) for day in range(1, 181)] + [
        at("orders_day", 0, total=12000),
        at("profile", 0, professional=True, emergency_phone=True),
        at("observed", 5000, score=440),
        at("observed", 1000, score=424, counts={"suspected_ip": 2}),
        at("metric", 0, name="late_shipment_rate", value_ppm=41000, target_ppm=40000, condition="less_than"),
    ]
    path.write_text("".join(json.dumps(one) + "\n" for one in events))
    system.start("--clock-at", AS_OF_MS, "--clock-speed", 0)
    system.ampel("feed", path, "--sent-at", AS_OF_MS)
    system.stop()
    assert system.rows("select eligible, days_marked, days_below from ampel.assurance") == [
        {"eligible": True, "days_marked": 180, "days_below": 0}]
    assert system.rows("select drift, drift_before, unexplained from ampel.drift order by at") == [
        {"drift": 0, "drift_before": None, "unexplained": False}, {"drift": -16, "drift_before": 0, "unexplained": True}]
    assert system.rows("select policy, missing from ampel.missing") == [{"policy": "suspected_ip", "missing": 2}]
    assert system.rows("select name, banner, account_banner from ampel.metric") == [
        {"name": "late_shipment_rate", "banner": "bad", "account_banner": "bad"}]
    assert [row["kind"] for row in system.rows("select kind from ampel.alert order by kind")] == [
        "assurance_gained", "drift_changed", "violations_missing"]
    told = json.loads(system.ampel("explain", "demo/S1/M1", "--format", "jsonl").stdout)
    assert told["assurance"]["eligible"] and told["metrics_banner"] == "bad"
