#!/usr/bin/env python3
"""Models that keep their weights in files beside them, and variants that do, with all limits small: the
path of models over 2 GB (tests/integration/large_model.py) with a model of 1 MB."""

import hashlib
import json
import os
import pathlib
import shutil
import unittest

import external_models as models
import fourfold_testbed as testbed
from fourfold_testbed import FAILED

WIDTH, LAYERS = 256, 4
WEIGHT_BYTES = WIDTH * WIDTH * 4
VARIANTS = ["fp32", "fp16", "hybrid"]


def question():
    return testbed.floats((1, WIDTH), [((i * 37) % 101 - 50) / 50 for i in range(WIDTH)])


class ExternalDataTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = testbed.Server("--max_inline_bytes=100000")
        cls.server.start()
        cls.addClassCleanup(cls.server.kill)
        cls.folder = testbed.scratch_folder()
        cls.model = models.write_mlp(cls.folder, WIDTH, LAYERS, offset=4096,
                                     files=("a.bin", "parts/b c.bin", "./d.bin"))
        cls.upload(cls.model, "apart")
        inline = cls.folder / "inline.onnx"
        inline.write_bytes(models.inline_mlp(WIDTH, LAYERS))
        cls.upload(inline, "whole")

    @classmethod
    def upload(cls, path, name, *flags, **options):
        return cls.server.cli("upload", path, "--name", name, f"--variants={','.join(VARIANTS)}", "--wait",
                              *flags, **options)

    def answer(self, model):
        return list(self.server.infer(model, {"x": question()})["y"].values)

    # ---- What comes out.

    def test_answers_are_those_of_the_same_model_in_one_file(self):
        for variant in VARIANTS:
            self.assertEqual(self.answer(f"apart@{variant}"), self.answer(f"whole@{variant}"), variant)

    def test_variants_over_the_limit_have_two_files_and_their_size_is_that_of_both(self):
        described = {v["variant"]: v for v in self.server.cli_json("show", "apart")["variants"]}
        compared = {v["variant"]: v for v in self.server.cli_json("compare", "apart")["variants"]}
        for variant in VARIANTS:
            file, data = (self.server.store / "apart/1" / f"{variant}.onnx{end}" for end in ("", ".data"))
            self.assertEqual(described[variant]["data_file"], data.name)
            self.assertEqual(described[variant]["data_bytes"], data.stat().st_size)
            self.assertEqual(described[variant]["data_sha256"],
                             hashlib.sha256(data.read_bytes()).hexdigest())
            self.assertEqual(compared[variant]["size"]["file_bytes"],
                             file.stat().st_size + data.stat().st_size)
        self.assertGreaterEqual((self.server.store / "apart/1/fp32.onnx.data").stat().st_size,
                                LAYERS * WEIGHT_BYTES)
        manifest = json.loads((self.server.store / "apart/1/manifest.json").read_text())
        self.assertEqual({f["name"] for f in manifest["files"]},
                         {f"{v}.onnx{end}" for v in VARIANTS for end in ("", ".data")})

    def test_downloaded_files_work_elsewhere(self):
        folder = testbed.scratch_folder()
        done = self.server.cli_json("download", "apart@fp32", f"--output={folder / 'mine.onnx'}")
        self.assertEqual(done["data_path"], str(folder / "fp32.onnx.data"))
        self.assertEqual(done["file_bytes"], sum(f.stat().st_size for f in folder.iterdir()))
        bench = testbed.run(testbed.program("fourfold-bench"), folder / "mine.onnx", "--seconds=0")
        self.assertEqual(bench.returncode, 0, bench.stderr)
        self.upload(folder / "mine.onnx", "again")
        self.addCleanup(self.server.cli, "delete", "again")
        self.assertEqual(self.answer("again@fp32"), self.answer("whole@fp32"))

    def test_download_does_not_replace_another_models_weights(self):
        folder = testbed.scratch_folder()
        (folder / "fp32.onnx.data").write_text("another model's")
        done = self.server.cli("download", "apart@fp32", f"--output={folder / 'mine.onnx'}", expect=FAILED)
        self.assertIn("ALREADY_EXISTS", done.stderr)
        self.assertEqual([f.name for f in folder.iterdir()], ["fp32.onnx.data"])

    def test_quantizer_finds_the_files_beside_the_model_and_leaves_no_older_ones(self):
        out = testbed.scratch_folder() / "out"

        def quantize(*flags):
            done = testbed.run(testbed.program("fourfold-quantize"), self.model, f"--out={out}",
                               "--variants=fp32,hybrid", "--measure_seconds=0", *flags)
            self.assertEqual(done.returncode, 0, done.stderr)
            return sorted(f.name for f in out.iterdir())

        self.assertEqual(quantize("--max_inline_bytes=500000"),
                         ["fp32.onnx", "fp32.onnx.data", "hybrid.onnx", "report.json"])
        self.assertEqual(quantize(), ["fp32.onnx", "hybrid.onnx", "report.json"])

    # ---- A server of its own: restarts and limits.

    def test_versions_outlive_a_restart_and_damaged_weights_are_not_served(self):
        with testbed.Server("--max_inline_bytes=100000") as server:
            for name in ("good", "bad"):
                server.cli("upload", self.model, "--name", name, "--variants=fp32", "--wait")
            before = server.infer("good", {"x": question()})["y"].values
            server.kill()
            with open(server.store / "bad/1/fp32.onnx.data", "r+b") as data:
                data.seek(WEIGHT_BYTES // 2)
                byte = data.read(1)[0]
                data.seek(-1, os.SEEK_CUR)
                data.write(bytes([byte ^ 1]))
            server.start()
            self.assertEqual(server.infer("good", {"x": question()})["y"].values, before)
            self.assertIn("NOT_FOUND", server.infer("bad", {"x": question()}, expect=FAILED).stderr)
            self.assertIn("SHA-256", server.log)

    def test_upload_of_the_limit_is_taken_and_one_byte_more_refused_at_once(self):
        total = sum(f.stat().st_size for f in [self.model, *(self.folder / n for n in (
            "a.bin", "parts/b c.bin", "d.bin"))])
        with testbed.Server(f"--max_upload_bytes={total}") as server:
            server.cli("upload", self.model, "--name", "m", "--variants=fp32", "--wait")
        with testbed.Server(f"--max_upload_bytes={total - 1}") as server:
            done = server.cli("upload", self.model, "--name", "m", "--variants=fp32", expect=FAILED)
            self.assertIn("RESOURCE_EXHAUSTED", done.stderr)
            self.assertIn("--max_upload_bytes", done.stderr)
            self.assertEqual(server.files(), [])

    # ---- Hostile models.

    def place_of(self, *entries, bytes_there=WEIGHT_BYTES, layers=1):
        """A model whose weights lie where `entries` say, beside a file w.bin."""
        folder = testbed.scratch_folder() / "model"
        folder.mkdir()
        with open(folder / "w.bin", "wb") as file:
            file.truncate(bytes_there)
        tensors = [models.external_tensor(f"w{i}", (WIDTH, WIDTH), entries[i % len(entries)])
                   for i in range(layers)]
        (folder / "model.onnx").write_bytes(models.mlp(WIDTH, tensors))
        return folder / "model.onnx"

    def assert_job_fails(self, path, *wanted):
        """The upload is taken, the job refuses the model, and nothing stays."""
        before = self.server.files()
        done = self.upload(path, "hostile", expect=FAILED)
        for text in ("INVALID_ARGUMENT", *wanted):
            self.assertIn(text, done.stdout + done.stderr)
        self.assertEqual(self.server.files(), before)

    def test_places_that_do_not_fit_end_the_job_with_the_name_of_the_initializer(self):
        location = ("location", "w.bin")
        length = str(WEIGHT_BYTES)
        for entries, wanted in (
                ([location, ("offset", "1")], f"which has {WEIGHT_BYTES} bytes"),
                ([location, ("offset", "-1")], "offset"),
                ([location, ("offset", "99999999999999999999")], "offset"),
                ([location, ("offset", "18446744073709551615")], f"which has {WEIGHT_BYTES} bytes"),
                ([location, ("length", "4")], "want " + length),
                ([location, ("length", "-4")], "length"),
                ([("offset", "0")], "no location")):
            with self.subTest(entries=entries):
                self.assert_job_fails(self.place_of(entries), '"w0"', wanted)

    def test_overlapping_tensors_end_the_job(self):
        entries = [[("location", "w.bin"), ("offset", "0")], [("location", "w.bin"), ("offset", "4")]]
        self.assert_job_fails(self.place_of(*entries, bytes_there=WEIGHT_BYTES + 4, layers=2), '"w1"',
                              "overlap")

    def test_client_sends_nothing_from_outside_of_the_models_folder(self):
        secret = testbed.scratch_folder() / "secret"
        secret.write_bytes(bytes(WEIGHT_BYTES))
        for location in ("../secret", str(secret), "/etc/passwd", "deep/../../secret", "link", "missing"):
            with self.subTest(location=location):
                path = self.place_of([("location", location)])
                shutil.copy(secret, path.parent.parent / "secret")
                (path.parent / "link").symlink_to("../secret")
                done = self.server.cli("upload", path, "--name", "hostile", "--variants=fp32",
                                       expect=FAILED)
                self.assertIn(pathlib.Path(location).name, done.stderr)
                offline = testbed.run(testbed.program("fourfold-quantize"), path,
                                      f"--out={path.parent.parent / 'out'}", "--variants=fp32")
                self.assertEqual(offline.returncode, 1)
                self.assertIn("INVALID_ARGUMENT", offline.stderr)
                self.assertIn('"w0"', offline.stderr)
        self.assertNotIn("hostile", self.server.cli("list").stdout)


if __name__ == "__main__":
    unittest.main()
