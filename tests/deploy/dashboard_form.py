#!/usr/bin/env python3
"""The dashboard and its provisioning files, as far as they can be checked without Grafana: panels
that do not overlap, queries that name the data source by the variable, units, variables that are
there."""

import re
import unittest

import grafana

COLUMNS = 24  # of Grafana's grid
BUILT_IN = {"__rate_interval", "__interval", "__range"}
# Labels, by which Grafana names series, are not variables: {{variant}}.
VARIABLE = re.compile(r"\$\{?(\w+)")


class DashboardFormTest(unittest.TestCase):
    def setUp(self):
        self.dashboard = grafana.load()
        self.panels = list(grafana.panels(self.dashboard))
        self.names = set(grafana.variables(self.dashboard))

    def test_it_has_a_fixed_uid_and_a_current_schema(self):
        self.assertEqual(self.dashboard["uid"], "fourfold")
        self.assertGreaterEqual(self.dashboard["schemaVersion"], 39)  # Grafana 10.4 and newer
        self.assertNotIn("id", self.dashboard)  # belongs to one Grafana's database

    def test_panels_have_ids_and_titles_of_their_own(self):
        all_panels = self.dashboard["panels"] + [
            inner for row in self.dashboard["panels"] for inner in row.get("panels", [])]
        ids = [panel["id"] for panel in all_panels]
        titles = [panel["title"] for panel in all_panels]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertEqual(sorted(titles), sorted(set(titles)))

    def test_panels_fill_the_grid_without_overlap_or_hole(self):
        taken = {}
        for panel in self.dashboard["panels"]:
            place = panel["gridPos"]
            self.assertLessEqual(place["x"] + place["w"], COLUMNS, panel["title"])
            for x in range(place["x"], place["x"] + place["w"]):
                for y in range(place["y"], place["y"] + place["h"]):
                    self.assertNotIn((x, y), taken,
                                     f"{panel['title']} lies over {taken.get((x, y))}")
                    taken[x, y] = panel["title"]
        height = max(y for _, y in taken) + 1
        self.assertEqual(len(taken), COLUMNS * height)

    def test_every_panel_says_what_it_shows_in_which_unit(self):
        for panel in self.panels:
            self.assertTrue(panel.get("description", "").endswith("."), panel["title"])
            self.assertTrue(panel["fieldConfig"]["defaults"].get("unit"), panel["title"])

    def test_every_query_asks_the_chosen_data_source(self):
        for panel in self.panels:
            self.assertTrue(panel["targets"], panel["title"])
            references = [target["refId"] for target in panel["targets"]]
            self.assertEqual(len(references), len(set(references)), panel["title"])
            for target in [panel, *panel["targets"]]:
                self.assertEqual(target["datasource"],
                                 {"type": "prometheus", "uid": "${datasource}"}, panel["title"])
            for target in panel["targets"]:
                self.assertTrue(target["expr"].strip(), panel["title"])
                self.assertNotEqual(target["instant"], target["range"], panel["title"])

    def test_only_variables_that_exist_are_used(self):
        for name, variable in grafana.variables(self.dashboard).items():
            for used in VARIABLE.findall(str(variable.get("definition", ""))):
                self.assertIn(used, self.names, name)
        for panel in self.panels:
            for text in [panel["title"], *(target["expr"] for target in panel["targets"])]:
                for used in VARIABLE.findall(text):
                    self.assertIn(used, self.names | BUILT_IN, panel["title"])

    def test_every_variable_is_used(self):
        text = str([self.dashboard["panels"], [variable.get("definition") for variable in
                                               grafana.variables(self.dashboard).values()]])
        for name in self.names:
            self.assertRegex(text, rf"\$\{{?{name}\b")

    def test_several_values_at_once_are_matched_as_an_expression(self):
        several = [name for name, variable in grafana.variables(self.dashboard).items()
                   if variable.get("multi")]
        self.assertTrue(several)
        for query in grafana.queries(self.dashboard):
            for name in several:
                self.assertNotRegex(query.expr, rf'[^~]"\${name}"', query.panel)

    def test_rates_take_grafanas_interval(self):
        for query in grafana.queries(self.dashboard):
            for window in re.findall(r"\[([^\]]+)\]", query.expr):
                self.assertEqual(window, "$__rate_interval", query.panel)

    def test_both_provisioning_files_fit_the_dashboard(self):
        folder = grafana.ROOT / "deploy/grafana/provisioning"
        source = (folder / "datasources/prometheus.yaml").read_text()
        self.assertRegex(source, r"(?m)^\s+type: prometheus$")
        self.assertRegex(source, r"(?m)^\s+url: http://prometheus:9090$")
        scrape = (grafana.ROOT / "deploy/prometheus/prometheus.yaml").read_text()
        interval = re.search(r"scrape_interval: (\w+)", scrape).group(1)
        self.assertIn(f"timeInterval: {interval}\n", source)
        provider = (folder / "dashboards/fourfold.yaml").read_text()
        self.assertRegex(provider, r"(?m)^\s+path: /\S+$")


if __name__ == "__main__":
    unittest.main(verbosity=2)
