#!/usr/bin/env python3
"""Start, stop, crash, restart: what was answered stays answered, what was published stays served,
what was not leaves nothing behind."""

import json
import threading
import unittest

import fourfold_testbed as testbed
from fourfold_testbed import DIGITS, DONE, FAILED, VARIANTS


class LifecycleTest(unittest.TestCase):
    def setUp(self):
        self.server = testbed.Server()
        self.addCleanup(self.server.kill)
        self.server.start()

    def answers(self):
        name, samples, _ = testbed.digits_samples(1)
        return {v: {k: list(a.values) for k, a in
                    self.server.infer(f"digits@{v}", {name: samples[0]}).items()} for v in VARIANTS}

    def test_terminate_during_calls_completes_them_and_exits_with_0(self):
        self.server.upload_digits()
        expected = self.answers()
        address, done, stop = self.server.grpc, [], threading.Event()

        def call(worker):
            number = 0
            while not stop.is_set():
                out = self.server.folder / f"call-{worker}-{number}.npz"
                result = testbed.cli("infer", "digits@int8", f"--input={DIGITS / 'sample.npy'}",
                                     f"--output={out}", address=address, expect=None, timeout=60)
                done.append((result, out))
                if result.returncode != DONE:
                    return
                number += 1

        workers = [threading.Thread(target=call, args=(i,)) for i in range(4)]
        for worker in workers:
            worker.start()
        testbed.wait_until(lambda: len(done) >= 8, "eight calls answered")
        code = self.server.terminate()
        stop.set()
        for worker in workers:
            worker.join(60)
            self.assertFalse(worker.is_alive(), "a call hangs after the server has ended")
        self.assertEqual(code, 0, self.server.log[-3000:])
        self.assertGreaterEqual(sum(result.returncode == DONE for result, _ in done), 8)
        for result, out in done:
            if result.returncode == DONE:
                (output,) = testbed.read_npz(out).values()
                self.assertEqual(len(output.values), len(*expected["int8"].values()))
            else:
                self.assertEqual(result.returncode, FAILED)
                self.assertRegex(result.stderr.lower(), r"unavailable|connect|shutting down")

    def test_terminate_when_idle_exits_with_0(self):
        self.assertEqual(self.server.terminate(), 0)

    def test_a_restart_serves_the_same_models_with_the_same_answers(self):
        self.server.upload_digits()
        answers, comparison = self.answers(), self.server.cli_json("compare", "digits")
        files = self.server.files()
        self.assertEqual(self.server.terminate(), 0)
        self.server.start()
        self.assertEqual(self.answers(), answers)
        self.assertEqual(self.server.cli_json("compare", "digits"), comparison)
        self.assertEqual(self.server.files(), files)

    def test_kill_during_an_upload_leaves_the_store_clean(self):
        self.server.upload_digits()
        answers, files = self.answers(), self.server.files()
        # Without --wait the command returns when the server has made a job of the upload; the job
        # then measures for seconds.
        self.server.cli("upload", DIGITS / "digits.onnx", "--name", "interrupted",
                        f"--calibration={DIGITS / 'calibration.npz'}",
                        f"--eval={DIGITS / 'heldout.npz'}")
        jobs = json.dumps(self.server.cli_json("jobs"))
        self.assertIn("interrupted", jobs)
        store = str(self.server.store)
        self.server.kill()
        testbed.wait_until(lambda: not testbed.processes_naming(store),
                           "the quantizer ends with its server")
        self.server.start()
        self.assertNotIn("interrupted", json.dumps(self.server.cli_json("list")))
        self.assertEqual(self.server.files(), files)
        self.assertEqual(self.answers(), answers)
        self.server.upload_digits("interrupted")
        self.assertEqual(self.server.cli_json("compare", "interrupted")["version"], 1)

    def test_a_cancelled_job_publishes_nothing(self):
        files = self.server.files()
        done = self.server.cli("upload", DIGITS / "digits.onnx", "--name", "dropped",
                               f"--calibration={DIGITS / 'calibration.npz'}",
                               f"--eval={DIGITS / 'heldout.npz'}", "--format=json")
        job = json.loads(done.stdout)["job_id"]
        self.server.cli("cancel", job)
        testbed.wait_until(lambda: "cancelled" in json.dumps(self.server.cli_json("jobs")).lower(),
                           "the job is cancelled")
        self.assertNotIn("dropped", json.dumps(self.server.cli_json("list")))
        testbed.wait_until(lambda: self.server.files() == files, "the job's files are gone")


if __name__ == "__main__":
    unittest.main(verbosity=2)
