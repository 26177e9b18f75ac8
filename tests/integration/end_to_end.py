#!/usr/bin/env python3
"""One upload, four variants, calls and a comparison: the main job through the command line."""

import csv
import hashlib
import io
import json
import math
import unittest

import comparison_schema
import fourfold_testbed as testbed
from fourfold_testbed import DIGITS, DONE, FAILED, VARIANTS, WRONG_USAGE


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


class MainJobTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = testbed.Server()
        cls.server.start()
        cls.addClassCleanup(cls.server.kill)
        cls.server.upload_digits()
        cls.comparison = cls.server.cli_json("compare", "digits")
        cls.rows = {row["variant"]: row for row in cls.comparison["variants"]}
        cls.input, cls.samples, cls.labels = testbed.digits_samples(60)

    # ---- comparison ----

    def test_comparison_has_the_documented_schema(self):
        self.assertEqual(comparison_schema.differences(self.comparison), [])

    def test_comparison_lists_the_four_variants_and_one_default(self):
        self.assertEqual([row["variant"] for row in self.comparison["variants"]], VARIANTS)
        self.assertEqual(sum(row["default"] for row in self.comparison["variants"]), 1)
        self.assertEqual((self.comparison["model"], self.comparison["version"]), ("digits", 1))

    def test_int8_file_is_at_most_035_of_fp32(self):
        fp32, int8 = (self.rows[v]["size"]["file_bytes"] for v in ("fp32", "int8"))
        self.assertLessEqual(int8, 0.35 * fp32)
        self.assertAlmostEqual(self.rows["int8"]["versus_fp32"]["size_ratio"], int8 / fp32, places=3)

    def test_top1_is_within_one_point_of_fp32_for_every_variant(self):
        top1 = {v: self.rows[v]["accuracy"]["labelled"]["top1"] for v in VARIANTS}
        self.assertGreaterEqual(top1["fp32"], 0.97)
        for variant in VARIANTS:
            self.assertLessEqual(abs(top1[variant] - top1["fp32"]), 0.01, f"{variant}: {top1}")
            self.assertAlmostEqual(self.rows[variant]["versus_fp32"]["top1_delta"],
                                   top1[variant] - top1["fp32"], places=4)

    def test_all_held_out_samples_were_evaluated(self):
        count = testbed.read_npz(DIGITS / "heldout.npz")["labels"].shape[0]
        for variant in VARIANTS:
            accuracy = self.rows[variant]["accuracy"]
            self.assertEqual(accuracy["labelled"]["samples"], count)
            self.assertEqual(accuracy["fidelity"]["samples"], count)

    def test_fp32_agrees_with_itself(self):
        row = self.rows["fp32"]
        self.assertEqual(row["accuracy"]["fidelity"]["top1_agreement"], 1)
        self.assertEqual(row["versus_fp32"]["size_ratio"], 1)
        self.assertEqual(row["versus_fp32"]["speedup"], 1)
        self.assertEqual(row["executed"]["int8_macs"], 0)

    def test_int8_runs_its_arithmetic_in_int8_and_names_the_kernels(self):
        executed = self.rows["int8"]["executed"]
        self.assertGreaterEqual(executed["int8_macs"], 0.95)
        self.assertIn("conv", executed["kernels"])

    def test_latencies_are_measured_and_ordered(self):
        for variant in VARIANTS:
            latency = self.rows[variant]["latency"]
            self.assertGreater(latency["p50_ms"], 0, variant)
            self.assertLessEqual(latency["p50_ms"], latency["p90_ms"], variant)
            self.assertLessEqual(latency["p90_ms"], latency["p99_ms"], variant)
            self.assertGreater(latency["throughput_per_s"], 0, variant)

    def test_comparison_prints_as_table_and_csv(self):
        table = self.server.cli("compare", "digits").stdout
        for variant in VARIANTS:
            self.assertIn(variant, table)
        rows = list(csv.DictReader(io.StringIO(
            self.server.cli("compare", "digits", "--format=csv").stdout)))
        self.assertEqual([row["variant"] for row in rows], VARIANTS)

    # ---- calls ----

    def test_each_variant_answers_with_the_models_output(self):
        for variant in VARIANTS:
            outputs = self.server.infer(f"digits@{variant}", {self.input: self.samples[0]})
            self.assertEqual(len(outputs), 1, variant)
            (output,) = outputs.values()
            self.assertEqual(output.shape, (1, 10), variant)
            self.assertTrue(all(math.isfinite(x) for x in output.values), variant)

    def test_answers_of_each_variant_match_the_measured_accuracy(self):
        count = len(self.samples)
        batch = testbed.Array(self.samples[0].dtype, (count, *self.samples[0].shape[1:]),
                              [x for sample in self.samples for x in sample.values])
        for variant in VARIANTS:
            (output,) = self.server.infer(f"digits@{variant}", {self.input: batch}).values()
            self.assertEqual(output.shape, (count, 10))
            right = sum(max(range(10), key=lambda c: output.values[10 * i + c]) == self.labels[i]
                        for i in range(count))
            measured = self.rows[variant]["accuracy"]["labelled"]["top1"]
            # 60 of the held-out samples: three standard deviations of a share around `measured`.
            slack = 3 * math.sqrt(max(measured * (1 - measured), 0.01) / count)
            self.assertGreaterEqual(right / count, measured - slack, variant)

    def test_an_answer_does_not_depend_on_the_rest_of_its_batch(self):
        pair = testbed.Array(self.samples[0].dtype, (2, *self.samples[0].shape[1:]),
                             [*self.samples[0].values, *(1.0 * x for x in self.samples[1].values)])
        for variant in VARIANTS:
            (alone,) = self.server.infer(f"digits@{variant}", {self.input: self.samples[0]}).values()
            (both,) = self.server.infer(f"digits@{variant}", {self.input: pair}).values()
            for one, other in zip(alone.values, both.values[:10]):
                self.assertTrue(math.isclose(one, other, rel_tol=1e-4, abs_tol=1e-5),
                                f"{variant}: {one} alone, {other} in a batch of two")

    def test_the_model_name_alone_is_answered_by_the_default_variant(self):
        default = next(v for v in VARIANTS if self.rows[v]["default"])
        (by_name,) = self.server.infer("digits", {self.input: self.samples[0]}).values()
        (by_variant,) = self.server.infer(f"digits@{default}",
                                          {self.input: self.samples[0]}).values()
        self.assertEqual(list(by_name.values), list(by_variant.values))

    def test_a_single_input_needs_no_name(self):
        self.server.cli("infer", "digits@int8", f"--input={DIGITS / 'sample.npy'}")

    def test_infer_prints_json(self):
        answer = self.server.cli_json("infer", "digits@int8", f"--input={DIGITS / 'sample.npy'}")
        self.assertEqual((answer["model"].split("@")[0], answer["version"]), ("digits", 1))
        (output,) = answer["outputs"]
        self.assertEqual((output["datatype"], output["shape"]), ("FP32", [1, 10]))

    # ---- models, jobs, files ----

    def test_list_show_and_status_name_the_model(self):
        (listed,) = [m for m in self.server.cli_json("list")["models"] if m["model"] == "digits"]
        self.assertEqual((listed["version"], listed["variants"]), (1, VARIANTS))
        shown = self.server.cli_json("show", "digits")
        self.assertEqual(shown["inputs"],
                         [{"name": self.input, "datatype": "FP32", "shape": [-1, 1, 8, 8]}])
        self.assertEqual([row["variant"] for row in shown["variants"]], VARIANTS)
        self.server.cli("status")
        for command in (("list",), ("show", "digits"), ("jobs",)):
            self.assertIn("digits", self.server.cli(*command).stdout)

    def test_the_job_is_listed_as_done(self):
        states = {job["state"] for job in self.server.cli_json("jobs")["jobs"]
                  if job["model"] == "digits"}
        self.assertEqual(states, {"done"})

    def test_a_download_is_the_stored_file(self):
        shown = json.dumps(self.server.cli_json("show", "digits"))
        for variant in VARIANTS:
            path = self.server.folder / f"{variant}.onnx"
            self.server.cli("download", f"digits@{variant}", f"--output={path}")
            self.assertEqual(path.stat().st_size, self.rows[variant]["size"]["file_bytes"], variant)
            self.assertIn(sha256(path), shown, variant)

    def test_bench_times_a_downloaded_variant(self):
        path = self.server.folder / "bench.onnx"
        self.server.cli("download", "digits@int8", f"--output={path}")
        done = testbed.run(testbed.program("fourfold-bench"), path, "--batch=1", "--threads=1",
                           "--seconds=0.3", "--format=json")
        self.assertEqual(done.returncode, DONE, done.stderr)
        result = json.loads(done.stdout)
        self.assertGreater(result["p50_ms"], 0)
        self.assertLessEqual(result["p50_ms"], result["p90_ms"])
        self.assertLessEqual(result["p90_ms"], result["p99_ms"])
        self.assertGreater(result["throughput_per_s"], 0)

    def test_the_quantizer_offline_makes_the_same_files(self):
        out = self.server.folder / "offline"
        done = testbed.run(testbed.program("fourfold-quantize"), DIGITS / "digits.onnx",
                           f"--out={out}", f"--calibration={DIGITS / 'calibration.npz'}",
                           f"--eval={DIGITS / 'heldout.npz'}", timeout=300)
        self.assertEqual(done.returncode, DONE, done.stderr)
        report = json.loads((out / "report.json").read_text())
        self.assertEqual(comparison_schema.differences(report), [])
        for row in report["variants"]:
            name = row["variant"]
            served = self.rows[name]["accuracy"]
            self.assertEqual(row["accuracy"]["labelled"], served["labelled"], name)
            for key, value in served["fidelity"].items():  # float sums, in another order
                self.assertAlmostEqual(row["accuracy"]["fidelity"][key], value, places=9, msg=name)
            path = self.server.folder / f"served-{name}.onnx"
            self.server.cli("download", f"digits@{name}", f"--output={path}")
            self.assertEqual(sha256(out / f"{name}.onnx"), sha256(path), name)

    def test_a_second_upload_is_the_next_version_and_delete_removes_all(self):
        self.server.upload_digits("twice", "--variants=fp32,hybrid")
        self.server.upload_digits("twice", "--variants=fp32,hybrid")
        second = self.server.cli_json("compare", "twice")
        self.assertEqual(second["version"], 2)
        self.assertEqual([row["variant"] for row in second["variants"]], ["fp32", "hybrid"])
        self.server.cli("infer", "twice@hybrid", f"--input={DIGITS / 'sample.npy'}")
        self.server.cli("infer", "twice@int8", f"--input={DIGITS / 'sample.npy'}", expect=FAILED)
        self.server.cli("delete", "twice")
        self.assertNotIn("twice", json.dumps(self.server.cli_json("list")))
        done = self.server.cli("infer", "twice", f"--input={DIGITS / 'sample.npy'}", expect=FAILED)
        self.assertIn("twice", done.stderr)
        self.assertEqual([f for f in self.server.files() if f.startswith("twice")], [])

    # ---- exit codes ----

    def test_wrong_usage_exits_with_2_and_says_what_is_wrong(self):
        for arguments, word in ((("frobnicate",), "frobnicate"),
                                (("compare",), ""),
                                (("list", "--nonesuch=1"), "nonesuch"),
                                (("compare", "digits", "--format=xml"), "xml")):
            done = self.server.cli(*arguments, expect=WRONG_USAGE)
            self.assertIn(word, done.stderr)
            self.assertEqual(done.stdout, "")

    def test_no_server_exits_with_1_and_names_the_address(self):
        done = testbed.cli("list", "--address=127.0.0.1:1", expect=FAILED)
        self.assertIn("127.0.0.1:1", done.stderr)

    def test_programs_explain_themselves(self):
        for name in ("fourfold", "fourfold-server", "fourfold-quantize", "fourfold-bench"):
            done = testbed.run(testbed.program(name), "--help")
            self.assertIn(name, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
