"""Reads deploy/grafana/dashboards/fourfold.json: its panels, queries and variables."""

import collections
import json
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
DASHBOARD = ROOT / "deploy/grafana/dashboards/fourfold.json"

# instant: asks for one value per series, not for a range.
Query = collections.namedtuple("Query", "panel ref expr instant")


def load():
    return json.loads(DASHBOARD.read_text())


def panels(dashboard):
    """All panels without the rows' headings; those of a collapsed row are inside it."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel.get("panels", [])
        else:
            yield panel


def queries(dashboard):
    for panel in panels(dashboard):
        for target in panel["targets"]:
            yield Query(panel["title"], target["refId"], target["expr"], target["instant"])


def variables(dashboard):
    return {entry["name"]: entry for entry in dashboard["templating"]["list"]}


def substitute(text, values):
    """Puts values for $name; longer names first, since $version begins as $v would."""
    for name in sorted(values, key=len, reverse=True):
        text = text.replace(f"${name}", values[name])
    return text
