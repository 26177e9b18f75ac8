#!/usr/bin/env python3
"""Bad input gets a clear message and exit code, changes nothing, and the server serves on."""

import math
import unittest

import fourfold_testbed as testbed
from fourfold_testbed import DIGITS, FAILED, WRONG_USAGE, Array, floats


class BadInputTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = testbed.Server()
        cls.server.start()
        cls.addClassCleanup(cls.server.kill)
        cls.server.upload_digits()
        cls.files = cls.server.files()
        cls.input, cls.samples, _ = testbed.digits_samples(2)
        cls.answer = cls.server.infer("digits@int8", {cls.input: cls.samples[0]})

    def setUp(self):
        self.folder = testbed.scratch_folder()

    def tearDown(self):
        """After each case: same files, same models, same answer."""
        self.assertTrue(self.server.alive(), self.server.log[-3000:])
        listed = [model["model"] for model in self.server.cli_json("list")["models"]]
        for model in listed[:]:
            if model != "digits":
                self.server.cli("delete", model)  # so that the other cases can still be judged
        self.assertEqual(listed, ["digits"])
        testbed.wait_until(lambda: self.server.files() == self.files, "the store is as before", 10)
        self.assertEqual(self.server.infer("digits@int8", {self.input: self.samples[0]}),
                         self.answer)

    def refused_upload(self, words, model=None, name="bad", samples=None, evaluation=None,
                       flags=(), exit_code=FAILED):
        """Uploads `model` bytes (default: the digits model) with npz arrays as samples; the command
        must fail with a message that has all of `words`."""
        path = DIGITS / "digits.onnx"
        if model is not None:
            path = self.folder / "model.onnx"
            path.write_bytes(model)
        arguments = ["upload", path, f"--name={name}", "--wait", *flags]
        for flag, arrays in (("--calibration", samples), ("--eval", evaluation)):
            if arrays is not None:
                file = self.folder / f"{flag.strip('-')}.npz"
                testbed.write_npz(file, arrays)
                arguments.append(f"{flag}={file}")
        done = self.server.cli(*arguments, expect=exit_code, timeout=180)
        for word in words:
            self.assertIn(word.lower(), done.stderr.lower())

    # ---- models ----

    def test_not_an_onnx_file(self):
        self.refused_upload(["onnx"], model=b"this is a text, not a model\n" * 10,
                            flags=["--variants=fp32"])

    def test_an_empty_file(self):
        self.refused_upload([""], model=b"", flags=["--variants=fp32"])

    def test_a_truncated_model(self):
        whole = (DIGITS / "digits.onnx").read_bytes()
        for share in (0.1, 0.5, 0.99):
            with self.subTest(share=share):
                self.refused_upload([""], model=whole[:int(len(whole) * share)],
                                    flags=["--variants=fp32"])

    def test_unsupported_operators_are_all_named_at_once(self):
        self.refused_upload(["Frobnicate", "Whirligig"], flags=["--variants=fp32"],
                            model=testbed.onnx_chain(["Relu", "Frobnicate", "Relu", "Whirligig"]))

    def test_a_missing_model_file(self):
        done = self.server.cli("upload", self.folder / "nowhere.onnx", "--name=bad", "--wait",
                               "--variants=fp32", expect=None)
        self.assertIn(done.returncode, (FAILED, WRONG_USAGE))
        self.assertIn("nowhere.onnx", done.stderr)

    # ---- samples ----

    def good(self, count=8):
        return floats((count, 1, 8, 8), [float(i % 17) for i in range(count * 64)])

    def test_samples_of_another_name(self):
        self.refused_upload(["pixels"], samples={"pixels": self.good()})

    def test_samples_of_another_type(self):
        self.refused_upload([self.input], samples={
            self.input: Array("<i4", (8, 1, 8, 8), [i % 17 for i in range(512)])})

    def test_samples_of_another_shape(self):
        self.refused_upload([self.input, "7"],
                            samples={self.input: floats((8, 1, 7, 7), [1.0] * (8 * 49))})

    def test_samples_with_a_value_that_is_not_a_number(self):
        for value in (math.nan, math.inf):
            with self.subTest(value=value):
                array = self.good()
                array.values[100] = value
                self.refused_upload([self.input], samples={self.input: array})

    def test_no_sample_at_all(self):
        self.refused_upload([""], samples={self.input: floats((0, 1, 8, 8), [])})

    def test_int8_without_samples(self):
        self.refused_upload(["int8", "sample"])
        self.refused_upload(["int8", "sample"], flags=["--variants=fp32,int8"])

    def test_labels_of_another_count(self):
        self.refused_upload(["label"], samples={self.input: self.good()},
                            evaluation={self.input: self.good(),
                                        "labels": Array("<i8", (7,), [1] * 7)})

    def test_labels_outside_the_classes(self):
        for label in (-1, 10):
            with self.subTest(label=label):
                self.refused_upload(["label"], samples={self.input: self.good()},
                                    evaluation={self.input: self.good(),
                                                "labels": Array("<i8", (8,), [label] * 8)})

    # ---- names ----

    def test_names_that_are_no_names(self):
        for name in ("../x", "..", "a/b", "/etc/x", "a b", ".hidden", "x" * 129, "a@b"):
            with self.subTest(name=name):
                done = self.server.cli("upload", DIGITS / "digits.onnx", "--name", name,
                                       "--variants=fp32", "--wait", expect=None)
                self.assertIn(done.returncode, (FAILED, WRONG_USAGE))
                self.assertIn("name", done.stderr.lower())
        self.assertEqual(sorted(p.name for p in self.server.store.parent.iterdir()),
                         sorted(p.name for p in self.server.folder.iterdir()))

    def test_unknown_model_and_variant_are_named(self):
        for model, word in (("nosuch", "nosuch"), ("nosuch@int8", "nosuch"), ("digits@int3", "int3"),
                            ("../digits", "../digits"), ("digits@", "digits@")):
            with self.subTest(model=model):
                done = self.server.cli("infer", model, f"--input={DIGITS / 'sample.npy'}",
                                       expect=None)
                self.assertIn(done.returncode, (FAILED, WRONG_USAGE))
                self.assertIn(word, done.stderr)
        for command in ("compare", "show", "download", "delete"):
            with self.subTest(command=command):
                extra = [f"--output={self.folder / 'x.onnx'}"] if command == "download" else []
                done = self.server.cli(command, "nosuch", *extra, expect=FAILED)
                self.assertIn("nosuch", done.stderr)
        self.assertFalse((self.folder / "x.onnx").exists())

    def test_an_unknown_variant_in_an_upload_is_named(self):
        done = self.server.cli("upload", DIGITS / "digits.onnx", "--name=bad", "--wait",
                               "--variants=fp32,int3", expect=None)
        self.assertIn(done.returncode, (FAILED, WRONG_USAGE))
        self.assertIn("int3", done.stderr)

    def test_an_unknown_job_is_named(self):
        self.assertIn("nosuchjob", self.server.cli("cancel", "nosuchjob", expect=FAILED).stderr)

    # ---- calls ----

    def test_a_call_with_a_tensor_of_another_shape_type_or_name(self):
        for arrays, word in (
                ({self.input: floats((1, 1, 8, 7), [0.0] * 56)}, "7"),
                ({self.input: floats((64,), [0.0] * 64)}, "64"),
                ({self.input: Array("<i4", (1, 1, 8, 8), [0] * 64)}, self.input),
                ({"pixels": self.samples[0]}, "pixels"),
                ({self.input: self.samples[0], "extra": self.samples[1]}, "extra")):
            with self.subTest(shapes={k: (a.dtype, a.shape) for k, a in arrays.items()}):
                done = self.server.infer("digits@int8", arrays, expect=FAILED)
                self.assertIn(word, done.stderr)

    def test_a_call_with_an_empty_batch(self):
        self.server.infer("digits@int8", {self.input: floats((0, 1, 8, 8), [])}, expect=FAILED)


if __name__ == "__main__":
    unittest.main(verbosity=2)
