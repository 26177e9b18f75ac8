#!/usr/bin/env python3
"""The page of the HTTP port in a browser: what it shows is what was measured, in words, table and
plot; for keyboards, phones and dark rooms, and whatever a model is called."""

import json
import unittest
import urllib.error
import urllib.parse
import urllib.request

import browser
import colours
from browser import testbed
from fourfold_testbed import DIGITS, VARIANTS
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

SCHEMES = ("light", "dark")


def status_and_headers(url, **headers):
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.headers


def read_bytes(text):
    number, unit = text.split()
    return float(number) * 1024 ** ["B", "KiB", "MiB", "GiB"].index(unit)


class PageCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.driver = browser.open_browser()
        cls.addClassCleanup(cls.driver.quit)
        cls.server = testbed.Server()
        cls.server.start()
        cls.addClassCleanup(cls.server.kill)
        cls.url = f"http://{cls.server.addresses['http']}"

    def setUp(self):
        browser.resize(self.driver, browser.DESKTOP)
        browser.colour_scheme(self.driver, "light")
        self.console()

    def console(self):
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def show(self, path, wait_for):
        """Opens the path and waits for an element."""
        self.driver.get(self.url + path)
        return self.find(wait_for)

    def find(self, selector):
        return browser.wait(self.driver, lambda d: d.find_elements(By.CSS_SELECTOR, selector),
                            f"no {selector}")[0]

    def texts(self, selector):
        return [e.text for e in self.driver.find_elements(By.CSS_SELECTOR, selector)]

    def show_plot(self, path="/models/digits"):
        self.show(path, "#figures")
        browser.wait(self.driver, lambda d: d.execute_script(
            "return !!globalThis.Chart?.getChart('plot')"), "no plot")

    def assert_shows(self, text, value, digits, unit=""):
        """`text` is `value` rounded to so many digits, with the unit behind it."""
        self.assertTrue(text.endswith(unit), text)
        number = text.removesuffix(unit).replace(",", "").replace("−", "-")
        self.assertEqual(len(number.partition(".")[2]), digits, text)
        self.assertLessEqual(abs(float(number) - value), 0.5 * 10 ** -digits * (1 + 1e-9), text)


class EmptyServerTest(PageCase):
    def test_says_how_to_upload_until_a_model_arrives_and_then_lists_it(self):
        self.show("/", "#empty")
        self.assertIn("fourfold upload MODEL.onnx --name=NAME --calibration=",
                      self.find("#empty pre").text)
        self.assertEqual(self.driver.title, "Models – Fourfold")
        for scheme in SCHEMES:
            browser.colour_scheme(self.driver, scheme)
            browser.screenshot(self.driver, f"empty-{scheme}")
        self.server.cli("upload", DIGITS / "digits.onnx", "--name=first", "--variants=fp32,fp16",
                        "--wait", timeout=300)
        # Nobody reloads: the page looks for itself.
        self.assertEqual(self.find("#models tbody a").text, "first")
        self.assertEqual(self.console(), [])

        self.show("/models/first", "#no-plot")
        self.assertIn("--calibration", self.find("#no-plot").text)
        self.assertIn("no samples were given", self.find("#verdict").text)
        self.assertEqual(self.console(), [])

        self.server.cli("delete", "first")
        self.assertIn("not loaded", self.find(".message").text)
        self.show("/", "#empty")

    def test_says_when_the_server_is_gone(self):
        server = testbed.Server()
        server.start()
        self.driver.get(f"http://{server.addresses['http']}/")
        self.find("h1")
        server.kill()
        browser.wait(self.driver, lambda d: "No answer" in self.find("#state").text, "no notice")
        self.console()  # the browser notes the refused connection itself


class ModelTest(PageCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.cli("upload", DIGITS / "digits.onnx", "--name=digits", "--variants=fp32,int8",
                       f"--calibration={DIGITS / 'calibration.npz'}", "--wait", timeout=300)
        cls.server.upload_digits()
        cls.comparison = cls.server.cli_json("compare", "digits")
        cls.rows = {row["variant"]: row for row in cls.comparison["variants"]}
        with urllib.request.urlopen(f"{cls.url}/v2/models/digits/comparison", timeout=10) as answer:
            cls.served = json.loads(answer.read())

    # ---- figures ----

    def test_the_list_shows_the_default_variants_figures(self):
        self.show("/", "#models")
        cells = self.texts("#models tbody tr > *")
        default, = (row for row in self.comparison["variants"] if row["default"])
        self.assertEqual(cells[0], "digits\nversion 2, 1 older one")
        self.assertEqual(cells[1], default["variant"])
        size, ratio = cells[2].split("\n")
        self.assertAlmostEqual(read_bytes(size) / default["size"]["file_bytes"], 1, delta=0.01)
        self.assert_shows(ratio, default["versus_fp32"]["size_ratio"], 2, "× of fp32")
        self.assert_shows(cells[3], default["latency"]["p50_ms"], 3)
        self.assert_shows(cells[4], default["versus_fp32"]["speedup"], 2, "×")
        accuracy, kind = cells[5].split("\n")
        self.assert_shows(accuracy, 100 * default["accuracy"]["labelled"]["top1"], 2, "%")
        self.assertEqual(kind, "top-1")
        self.assertEqual(cells[6].split(), VARIANTS)
        self.assertRegex(cells[7], r"^\d{4}-\d\d-\d\d \d\d:\d\d UTC$")
        self.assertEqual(self.console(), [])

    def test_the_table_shows_what_compare_prints(self):
        self.show("/models/digits", "#figures")
        self.assertEqual([text.split("\n")[0].split()[0] for text in
                          self.texts("#figures tbody th")], VARIANTS)
        for variant, row in self.rows.items():
            cells = {cell.get_attribute("data-column"): cell.text for cell in
                     self.driver.find_elements(
                         By.CSS_SELECTOR, f"#figures tr[data-variant={variant}] td")}
            for column, key in (("file", "file_bytes"), ("in memory", "resident_bytes")):
                self.assertAlmostEqual(read_bytes(cells[column]) / row["size"][key], 1, delta=0.01)
            for column in ("p50", "p90", "p99"):
                self.assert_shows(cells[column], row["latency"][f"{column}_ms"], 3)
            rate = row["latency"]["throughput_per_s"]
            self.assert_shows(cells["samples/s"], rate, 1 if rate < 100 else 0)
            self.assert_shows(cells["of fp32"], row["versus_fp32"]["size_ratio"], 2, "×")
            self.assert_shows(cells["speed-up"], row["versus_fp32"]["speedup"], 2, "×")
            labelled, fidelity = row["accuracy"]["labelled"], row["accuracy"]["fidelity"]
            self.assert_shows(cells["top-1"], 100 * labelled["top1"], 2, "%")
            self.assert_shows(cells["top-5"], 100 * labelled["top5"], 2, "%")
            self.assert_shows(cells["points"], 100 * row["versus_fp32"]["top1_delta"], 2)
            self.assert_shows(cells["share"], 100 * fidelity["top1_agreement"], 2, "%")
            self.assert_shows(cells["low 95%"], 100 * fidelity["agreement_low95"], 2, "%")
            self.assert_shows(cells["SQNR, dB"], fidelity["sqnr_db"], 1)
        default, = (variant for variant, row in self.rows.items() if row["default"])
        self.assertIn("default", self.find(f"#figures tr[data-variant={default}] th").text)
        self.assertEqual(self.console(), [])

    def test_executed_kernels_and_notes_are_shown(self):
        self.show("/models/digits", "#executed")
        for variant, row in self.rows.items():
            cells = self.texts(f"#executed tr[data-variant={variant}] td")
            self.assert_shows(cells[0], 100 * row["executed"]["int8_macs"], 2, "%")
            self.assertEqual(sorted(cells[2].split("\n")), sorted(
                f"{operation} {kernel}" for operation, kernel in row["executed"]["kernels"].items()))
            self.assertEqual(cells[3], row["executed"]["note"])

    def test_the_verdict_in_words_states_the_figures(self):
        self.show("/models/digits", "#verdict")
        self.assertEqual(self.find("#summary").text, self.served["verdict"]["summary"])
        sentences = dict(zip(VARIANTS[1:], self.texts("#verdict li"), strict=True))
        for variant, text in sentences.items():
            row = self.rows[variant]
            self.assertTrue(text.startswith(f"{variant} is "), text)
            speedup, fidelity = row["versus_fp32"]["speedup"], row["accuracy"]["fidelity"]
            self.assertEqual("slower than fp32" in text, speedup <= 0.95, text)
            self.assertEqual("times as fast as fp32;" in text, speedup >= 1.05, text)
            self.assertIn(f"{speedup:.2f} times", text)
            agreed = round(fidelity["top1_agreement"] * fidelity["samples"])
            self.assertIn(f"on {agreed} of {fidelity['samples']} samples", text)

    def test_how_it_was_measured_is_shown(self):
        self.show("/models/digits", "#measured")
        text = self.find("#measured").text
        self.assertIn(self.comparison["cpu"]["isa"], text)
        self.assertIn("batch 1 on 1 thread", text)
        self.assertIn(f"{self.rows['int8']['accuracy']['labelled']['samples']} samples", text)

    # ---- plot ----

    def test_the_plot_has_latency_accuracy_and_size_as_area(self):
        self.show_plot()
        circles = {circle["label"]: circle for circle in self.driver.execute_script(
            "return Chart.getChart('plot').data.datasets.map((d) => ({label: d.label, ...d.data[0]}))")}
        self.assertEqual(sorted(circles), sorted(VARIANTS))
        for variant, row in self.rows.items():
            circle = circles[variant]
            self.assertEqual(circle["x"], row["latency"]["p50_ms"])
            self.assertAlmostEqual(circle["y"], 100 * row["accuracy"]["labelled"]["top1"], places=9)
            self.assertAlmostEqual((circle["r"] / circles["fp32"]["r"]) ** 2,
                                   row["versus_fp32"]["size_ratio"], places=6)
        self.assertEqual(self.console(), [])

    def test_the_plot_is_drawn_in_the_variants_colours(self):
        for scheme in SCHEMES:
            browser.colour_scheme(self.driver, scheme)
            self.show_plot()
            edges = self.driver.execute_script("""
                const chart = Chart.getChart("plot");
                const scale = chart.currentDevicePixelRatio;
                const style = getComputedStyle(document.documentElement);
                return chart.data.datasets.map((dataset, index) => {
                  const {x, y} = chart.getDatasetMeta(index).data[0];
                  const r = dataset.data[0].r;
                  const read = (dx, dy) =>
                    [...chart.ctx.getImageData((x + dx) * scale, (y + dy) * scale, 1, 1).data];
                  return [dataset.borderColor, read(-r, 0), read(r, 0), read(0, -r), read(0, r)];
                });""")
            for wanted, *pixels in edges:
                # Another circle may lie over some sides of this one, not over all.
                wanted = [int(wanted[i:i + 2], 16) for i in (1, 3, 5)]
                distance = min(max(abs(a - b) for a, b in zip(wanted, pixel)) for pixel in pixels)
                self.assertLess(distance, 40, f"{scheme}: wanted {wanted}, got {pixels}")

    def test_the_plot_tells_its_data_to_who_cannot_see_it(self):
        self.show_plot()
        canvas = self.find("#plot")
        label = canvas.get_attribute("aria-label")
        self.assertEqual(canvas.get_attribute("role"), "img")
        for variant, row in self.rows.items():
            self.assertIn(f"{variant}: {row['latency']['p50_ms']:.3f} ms", label)
        self.assertEqual([text.split()[0] for text in self.texts("#legend li")], VARIANTS)

    def test_the_arrow_keys_go_through_the_circles(self):
        self.show_plot()
        canvas = self.find("#plot")
        seen = []
        for _ in VARIANTS:
            canvas.send_keys(Keys.ARROW_RIGHT)
            seen.append(self.driver.execute_script(
                "return Chart.getChart('plot').tooltip.title[0]"))
        by_latency = sorted(VARIANTS, key=lambda v: self.rows[v]["latency"]["p50_ms"])
        self.assertEqual(seen, by_latency)

    # ---- addresses ----

    def test_a_version_has_an_address_and_the_selector_leads_to_it(self):
        self.show("/models/digits/versions/1", "#figures")
        self.assertEqual(self.driver.title, "digits version 1 – Fourfold")
        self.assertEqual(Select(self.find("#version")).first_selected_option.text, "1")
        self.assertEqual(self.texts("#figures tbody th")[0].split()[0], "fp32")
        self.assertNotIn("top-1", self.find("#figures thead").text)  # no labels were given
        self.assertIn("Agreement with fp32", self.find("figcaption").text)

        Select(self.find("#version")).select_by_visible_text("2 (newest)")
        browser.wait(self.driver, lambda d: len(self.texts("#figures tbody th")) == 4, "no version 2")
        self.assertEqual(self.driver.current_url, f"{self.url}/models/digits")
        self.driver.back()
        browser.wait(self.driver, lambda d: len(self.texts("#figures tbody th")) == 2, "no version 1")
        self.assertEqual(self.driver.current_url, f"{self.url}/models/digits/versions/1")
        self.assertEqual(self.console(), [])

    def test_a_link_of_the_list_leads_to_the_model(self):
        self.show("/", "#models tbody a").click()
        self.find("#figures")
        self.assertEqual(self.driver.current_url, f"{self.url}/models/digits")
        self.assertEqual(self.driver.title, "digits – Fourfold")

    def test_what_is_not_there_is_said_so(self):
        for path in ("/models/nothing", "/models/digits/versions/9", "/models/digits/versions/x",
                     "/nothing", "/models/%ff"):
            self.assertEqual(status_and_headers(self.url + path, Accept="text/html")[0], 404, path)
            self.assertEqual(self.show(path, ".message h1").text, "Not found", path)
            self.assertEqual(self.find(".message a").get_attribute("href"), f"{self.url}/")
        self.console()  # the browser notes the 404 itself

    # ---- safety ----

    def test_a_hostile_address_is_shown_as_text(self):
        for name in ("<img src=x onerror=hacked=1>", "\"><script>hacked=1</script>",
                     "javascript:hacked=1", "..%2f..%2fetc%2fpasswd", "${hacked=1}", "a\u202eb"):
            self.show(f"/models/{urllib.parse.quote(name, safe='%')}", ".message h1")
            self.assertEqual(self.driver.execute_script(
                "return [typeof hacked, document.querySelectorAll('main img, main script').length]"),
                ["undefined", 0], name)
        self.console()

    def test_hostile_data_is_shown_as_text(self):
        self.show("/", "#models")
        evil = "<img src=x onerror=hacked=1>"
        data = json.loads(json.dumps(self.served).replace('"digits"', json.dumps(evil)))
        data["warnings"] = [evil]
        data["cpu"]["isa"] = evil
        data["verdict"]["summary"] = evil
        for row in data["variants"]:
            row["executed"].update(note=evil, kernels={evil: evil})
        data["variants"][3]["variant"] = evil
        data["verdict"]["variants"][2] = {"variant": evil, "text": evil}
        browser.call(self.driver, "model.js",
                     "(m.modelView('x', null, () => {}).show(document.getElementById('main'), a[0]), 1)",
                     data)
        self.assertEqual(self.find("main h1").text, evil)
        self.assertIn(evil, self.find("#warnings").text)
        self.assertIn(f"fourfold infer {evil}@", self.find("main").text)
        models = {"models": [{"model": evil, "version": 1, "versions": [1], "created_unix_ms": 1,
                              "default_variant": evil,
                              "variants": [{"variant": evil, "default": True, "file_bytes": 1}]}]}
        browser.call(self.driver, "model_list.js",
                     "(m.modelListView().show(document.getElementById('main'), a[0]), 1)", models)
        link = self.find("#models tbody a")
        self.assertEqual(link.text, evil)
        self.assertTrue(link.get_attribute("href").startswith(f"{self.url}/models/%3Cimg"))
        self.assertEqual(self.driver.execute_script(
            "return [typeof hacked, document.querySelectorAll('main img').length]"), ["undefined", 0])
        self.assertEqual(self.console(), [])

    def test_the_policy_stops_scripts_that_are_not_the_servers(self):
        self.show("/", "#models")
        self.driver.execute_script("""
            const script = document.createElement("script");
            try { script.textContent = "hacked = 1"; document.body.append(script); } catch {}
            try { document.body.insertAdjacentHTML("beforeend", "<img src=x onerror=hacked=1>"); }
            catch {}""")
        self.assertEqual(self.driver.execute_script("return typeof hacked"), "undefined")
        self.assertTrue(any("Content Security Policy" in line or "TrustedScript" in line
                            for line in self.console()))

    # ---- for everybody ----

    def test_nothing_scrolls_sideways_on_a_phone(self):
        browser.resize(self.driver, browser.PHONE)
        for path, element in (("/", "#models"), ("/models/digits", "#figures"),
                              ("/models/nothing", ".message")):
            self.show(path, element)
            width = self.driver.execute_script("return document.documentElement.scrollWidth")
            self.assertLessEqual(width, browser.PHONE[0], path)
        self.console()

    def test_text_has_the_contrast_that_aa_asks_for(self):
        for scheme in SCHEMES:
            browser.colour_scheme(self.driver, scheme)
            for path, element in (("/", "#models"), ("/models/digits", "#figures")):
                self.show(path, element)
                pairs = self.driver.execute_script("""
                    const solid = (e) => {
                      for (; e; e = e.parentElement) {
                        const c = getComputedStyle(e).backgroundColor;
                        if (!c.endsWith(", 0)")) return c;
                      }
                    };
                    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
                    const found = {};
                    while (walker.nextNode()) {
                      const text = walker.currentNode.textContent.trim();
                      const e = walker.currentNode.parentElement;
                      if (!text || !e.checkVisibility() || e.closest("noscript")) continue;
                      found[`${getComputedStyle(e).color}|${solid(e)}`] = text;
                    }
                    return Object.entries(found);""")
                self.assertGreater(len(pairs), 3)
                for pair, text in pairs:
                    self.assertGreaterEqual(colours.contrast(*pair.split("|")), 4.5,
                                            f"{scheme} {path}: {text}: {pair}")

    def test_the_variants_colours_stand_out_and_differ_for_everybody(self):
        for scheme in SCHEMES:
            browser.colour_scheme(self.driver, scheme)
            self.show("/", "#models")
            surface, *series = self.driver.execute_script("""
                const style = getComputedStyle(document.documentElement);
                return ["surface", ..."1234".split("").map((n) => `series-${n}`)].map(
                  (name) => style.getPropertyValue(`--${name}`).trim());""")
            for colour in series:
                self.assertGreaterEqual(colours.contrast(colour, surface), 3, f"{scheme} {colour}")
            self.assertGreaterEqual(colours.least_distance(series), 25, f"{scheme} {series}")

    def test_the_tab_key_reaches_what_can_be_used_and_shows_where_it_is(self):
        self.show_plot()
        reached = []
        for _ in range(14):
            self.driver.switch_to.active_element.send_keys(Keys.TAB)
            reached.append(self.driver.execute_script("""
                const e = document.activeElement;
                return [e.id || e.className || e.tagName, getComputedStyle(e).outlineStyle];"""))
        names = [name for name, _ in reached]
        for wanted in ("skip", "brand", "version", "plot", "scroll", "PRE"):
            self.assertIn(wanted, names)
        self.assertEqual({outline for name, outline in reached if name in ("version", "plot")},
                         {"solid"})

    def test_the_page_does_not_jump_while_it_loads(self):
        for size in (browser.DESKTOP, browser.PHONE):
            browser.resize(self.driver, size)
            for path in ("/", "/models/digits"):
                self.show(path, "#models, #figures")
                shift = self.driver.execute_async_script("""
                    const done = arguments[0];
                    let sum = 0;
                    new PerformanceObserver((list) => {
                      for (const entry of list.getEntries()) sum += entry.value;
                    }).observe({type: "layout-shift", buffered: true});
                    setTimeout(() => done(sum), 1000);""")
                self.assertLess(shift, 0.02, f"{path} at {size}")

    def test_the_page_says_its_language_and_has_one_heading(self):
        for path, element in (("/", "#models"), ("/models/digits", "#figures")):
            self.show(path, element)
            self.assertEqual(self.find("html").get_attribute("lang"), "en")
            self.assertEqual(len(self.driver.find_elements(By.TAG_NAME, "h1")), 1)

    def test_screenshots(self):
        for scheme in SCHEMES:
            browser.colour_scheme(self.driver, scheme)
            for size, suffix in ((browser.DESKTOP, ""), (browser.PHONE, "-phone")):
                for path, name in (("/", "list"), ("/models/digits", "model")):
                    browser.resize(self.driver, size)
                    if name == "list":
                        self.show(path, "#models")
                    else:
                        self.show_plot(path)
                    browser.screenshot(self.driver, f"{name}{suffix}-{scheme}")
        self.assertEqual(self.console(), [])

    # ---- modules ----

    def test_figures_become_text_as_the_command_writes_them(self):
        self.show("/", "#models")
        for expression, wanted in (
                ("m.bytes(0)", "0 B"), ("m.bytes(1023)", "1023 B"), ("m.bytes(1024)", "1.00 KiB"),
                ("m.bytes(10 * 1024)", "10.0 KiB"), ("m.bytes(46871347)", "44.7 MiB"),
                ("m.fixed(0.125, 2)", "0.12"), ("m.fixed(0.375, 2)", "0.38"), ("m.fixed(-2.5, 0)", "-2"),
                ("m.fixed(1.015, 2)", "1.01"), ("m.bytes(1152)", "1.12 KiB"),
                ("m.bytes(2 ** 50)", "1024.0 TiB"), ("m.bytes(undefined)", "–"),
                ("m.percent(0.97251)", "97.25%"), ("m.percent(1)", "100.00%"), ("m.percent(null)", "–"),
                ("m.points(0.00124)", "+0.12"), ("m.points(-0.015)", "−1.50"),
                ("m.points(-0.00001)", "0.00"), ("m.times(2.614)", "2.61×"), ("m.times(0)", "–"),
                ("m.milliseconds(0.01249)", "0.012"), ("m.milliseconds(0)", "–"),
                ("m.milliseconds(NaN)", "–"), ("m.rate(99.94)", "99.9"), ("m.rate(1234567.4)", "1,234,567"),
                ("m.moment(1763726400000)", "2025-11-21 12:00 UTC"), ("m.moment(0)", "–"),
                ("m.plural(1, 'sample')", "1 sample"), ("m.plural(0, 'sample')", "0 samples"),
                ("m.series('int8', 0)", 4), ("m.series('bf16', 0)", 5)):
            self.assertEqual(browser.call(self.driver, "format.js", expression), wanted, expression)

    def test_names_of_the_plot_do_not_cover_each_other(self):
        self.show("/", "#models")
        area = {"left": 0, "top": 0, "right": 600, "bottom": 300}
        same = [{"x": 300, "y": 150, "r": r, "width": 40} for r in (30, 20, 15, 15)]
        corner = [{"x": 590, "y": 5, "r": 20, "width": 40}, {"x": 5, "y": 295, "r": 20, "width": 40}]
        for circles in (same, corner):
            boxes = browser.call(self.driver, "plot_labels.js", "m.placeLabels(a[0], 16, a[1])",
                                 circles, area)
            for i, a in enumerate(boxes):
                for b in boxes[:i]:
                    self.assertTrue(a["right"] <= b["left"] or b["right"] <= a["left"] or
                                    a["bottom"] <= b["top"] or b["bottom"] <= a["top"], boxes)
        for box in boxes:  # of the corners: within the area
            self.assertTrue(0 <= box["left"] and box["right"] <= 600, box)

    def test_the_accuracy_axis_is_never_narrower_than_two_points(self):
        self.show("/", "#models")
        for accuracies in ([0.98, 0.98], [0.981, 0.98], [1, 1], [0.9, 0.7]):
            ends = browser.call(self.driver, "plot.js",
                                "m.accuracyRange(a[0].map((accuracy) => ({accuracy})))", accuracies)
            self.assertGreaterEqual(ends["max"] - ends["min"], 2 - 1e-9)
            self.assertLess(ends["min"], 100 * min(accuracies))
            self.assertGreater(ends["max"], 100 * max(accuracies))


class TextClientTest(unittest.TestCase):
    def test_curl_gets_text_and_headers_keep_browsers_safe(self):
        with testbed.Server() as server:
            url = f"http://{server.addresses['http']}/"
            status, headers = status_and_headers(url, Accept="*/*")
            self.assertEqual((status, headers["Content-Type"]), (200, "text/plain; charset=utf-8"))
            status, headers = status_and_headers(url, Accept="text/html")
            self.assertEqual((status, headers["Content-Type"]), (200, "text/html; charset=utf-8"))
            self.assertIn("script-src 'self'", headers["Content-Security-Policy"])
            etag = headers["ETag"]
            self.assertEqual(status_and_headers(
                url, Accept="text/html", **{"If-None-Match": etag})[0], 304)


if __name__ == "__main__":
    unittest.main(verbosity=2)
