#!/usr/bin/env python3
"""A client we did not write: every call of Triton's Python client, synchronous, with callbacks, as a
stream and asyncio, unchanged. Run it with python_env.sh and
FOURFOLD_REQUIREMENTS=tests/integration/requirements-triton.txt."""

import asyncio
import concurrent.futures
import queue
import time
import unittest

import grpc
import numpy
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from tritonclient.grpc import model_config_pb2, service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

import fourfold_testbed as testbed
from fourfold_testbed import VARIANTS

CALLERS = 32
IMAGE, LOGITS = "image", "logits"


def images(count):
    """Held-out digits, float32 [1, 1, 8, 8] each."""
    _, samples, _ = testbed.digits_samples(count)
    return [numpy.array(s.values, numpy.float32).reshape(s.shape) for s in samples]


def tensor(value, name=IMAGE, datatype="FP32"):
    wanted = triton.InferInput(name, list(value.shape), datatype)
    wanted.set_data_from_numpy(value)
    return wanted


class ClientTest(unittest.TestCase):
    def start(self, *flags, store=None):
        server = testbed.Server(*flags, store=store)
        self.addCleanup(server.kill)
        return server.start()

    def connect(self, server):
        client = triton.InferenceServerClient(server.grpc)
        self.addCleanup(client.close)
        return client

    def refused(self, code, call, *arguments, words=(), **options):
        with self.assertRaises(InferenceServerException) as caught:
            call(*arguments, **options)
        self.assertEqual(caught.exception.status(), f"StatusCode.{code}", caught.exception)
        for word in words:
            self.assertIn(word, caught.exception.message())


class OneServerTest(ClientTest):
    """Tests that leave the server as they found it, but for its counters, share one."""

    @classmethod
    def setUpClass(cls):
        cls.server = testbed.Server()
        cls.addClassCleanup(cls.server.kill)
        cls.server.start()
        cls.server.upload_digits()
        cls.images = images(CALLERS)

    def setUp(self):
        self.client = self.connect(self.server)

    # ---- about the server and its models ----

    def test_server_and_models_are_live_and_ready(self):
        self.assertTrue(self.client.is_server_live())
        self.assertTrue(self.client.is_server_ready())
        for model in ("digits", *(f"digits@{v}" for v in VARIANTS)):
            self.assertTrue(self.client.is_model_ready(model), model)
        self.assertTrue(self.client.is_model_ready("digits", "1"))
        self.assertFalse(self.client.is_model_ready("digits", "2"))
        self.assertFalse(self.client.is_model_ready("digits@int3"))
        self.assertFalse(self.client.is_model_ready("nosuch"))

    def test_a_deleted_model_is_not_ready(self):
        self.server.upload_digits("passing")
        self.assertTrue(self.client.is_model_ready("passing"))
        self.server.cli("delete", "passing")
        self.assertFalse(self.client.is_model_ready("passing"))

    def test_server_metadata_lists_the_extensions(self):
        metadata = self.client.get_server_metadata()
        self.assertTrue(metadata.name)
        self.assertTrue(metadata.version)
        self.assertLessEqual({"statistics", "model_configuration", "parameters"},
                             set(metadata.extensions))

    def test_model_metadata_and_configuration_agree(self):
        for model in ("digits", "digits@int8"):
            metadata = self.client.get_model_metadata(model)
            self.assertEqual(metadata.name, model)
            self.assertEqual(list(metadata.versions), ["1"])
            self.assertEqual([(t.name, t.datatype, list(t.shape)) for t in metadata.inputs],
                             [(IMAGE, "FP32", [-1, 1, 8, 8])])
            self.assertEqual([(t.name, t.datatype, list(t.shape)) for t in metadata.outputs],
                             [(LOGITS, "FP32", [-1, 10])])
            config = self.client.get_model_config(model).config
            self.assertEqual(config.name, model)
            self.assertEqual(config.max_batch_size, 32)
            self.assertEqual([(t.name, t.data_type, list(t.dims)) for t in config.input],
                             [(IMAGE, model_config_pb2.TYPE_FP32, [1, 8, 8])])
            self.assertEqual([(t.name, t.data_type, list(t.dims)) for t in config.output],
                             [(LOGITS, model_config_pb2.TYPE_FP32, [10])])
            self.assertFalse(config.model_transaction_policy.decoupled)
        as_json = self.client.get_model_config("digits", as_json=True)
        self.assertEqual(as_json["config"]["max_batch_size"], 32)
        self.refused("NOT_FOUND", self.client.get_model_metadata, "nosuch", words=["nosuch"])
        self.refused("NOT_FOUND", self.client.get_model_config, "nosuch", words=["nosuch"])

    def test_the_repository_index_lists_every_address(self):
        index = self.client.get_model_repository_index()
        self.assertEqual({m.name for m in index.models if m.name.split("@")[0] == "digits"},
                         {"digits", *(f"digits@{v}" for v in VARIANTS)})
        for model in index.models:
            self.assertEqual((model.version, model.state), ("1", "READY"))

    def test_what_is_not_there_is_unimplemented(self):
        self.refused("UNIMPLEMENTED", self.client.load_model, "digits",
                     words=["RepositoryModelLoad"])
        self.refused("UNIMPLEMENTED", self.client.get_system_shared_memory_status,
                     words=["SystemSharedMemoryStatus"])

    def test_statistics_count_requests_samples_and_failures(self):
        self.server.upload_digits("counted")
        self.addCleanup(self.server.cli, "delete", "counted")

        def figures(model):
            (one,) = self.client.get_inference_statistics(model).model_stats
            self.assertEqual(one.version, "1")
            return one

        for _ in range(3):
            self.client.infer("counted@int8", [tensor(self.images[0])])
        self.client.infer("counted@int8", [tensor(numpy.concatenate(self.images[:4]))])
        self.client.infer("counted@fp32", [tensor(self.images[0])])
        for _ in range(2):
            self.refused("INVALID_ARGUMENT", self.client.infer, "counted@int8",
                         [tensor(self.images[0], name="pixels")])
        int8 = figures("counted@int8")
        self.assertEqual((int8.inference_count, int8.execution_count), (7, 4))
        times = int8.inference_stats
        self.assertEqual((times.success.count, times.fail.count), (4, 2))
        for part in (times.queue, times.compute_input, times.compute_infer, times.compute_output):
            self.assertEqual(part.count, 4)
        self.assertGreater(times.compute_infer.ns, 0)
        self.assertGreaterEqual(
            times.success.ns, times.queue.ns + times.compute_input.ns + times.compute_infer.ns +
            times.compute_output.ns)
        self.assertEqual((times.cache_hit.count, times.cache_miss.count), (0, 0))
        self.assertEqual({b.batch_size: b.compute_infer.count for b in int8.batch_stats},
                         {1: 3, 4: 1})
        self.assertEqual(figures("counted").inference_count, 8)
        self.assertGreater(figures("counted").last_inference, 0)
        everything = self.client.get_inference_statistics().model_stats
        self.assertEqual({m.name for m in everything}, {"digits", "counted"})
        self.refused("NOT_FOUND", self.client.get_inference_statistics, "nosuch")

    # ---- inference ----

    def test_infer_answers_with_id_version_and_the_variant(self):
        answers = {}
        for variant in VARIANTS:
            result = self.client.infer(f"digits@{variant}", [tensor(self.images[0])],
                                       request_id=f"call of {variant}")
            response = result.get_response()
            self.assertEqual(response.id, f"call of {variant}")
            self.assertEqual(response.model_name, f"digits@{variant}")
            self.assertEqual(response.model_version, "1")
            self.assertEqual(response.parameters["variant"].string_param, variant)
            answers[variant] = result.as_numpy(LOGITS)
            self.assertEqual(answers[variant].shape, (1, 10))
            self.assertEqual(answers[variant].dtype, numpy.float32)
            self.assertIsNone(result.as_numpy("nosuch"))
        for variant in VARIANTS:
            self.assertEqual(answers[variant].argmax(), answers["fp32"].argmax(), variant)
        self.assertTrue((answers["int8"] != answers["fp32"]).any(), "int8 is not fp32")

    def test_the_variant_may_be_a_parameter(self):
        result = self.client.infer("digits", [tensor(self.images[0])],
                                   parameters={"variant": "hybrid", "of_somebody_else": 7})
        self.assertEqual(result.get_response().parameters["variant"].string_param, "hybrid")

    def test_typed_contents_are_answered_as_raw_ones(self):
        stub = service_pb2_grpc.GRPCInferenceServiceStub(grpc.insecure_channel(self.server.grpc))
        request = service_pb2.ModelInferRequest(model_name="digits@fp32", id="typed")
        typed = request.inputs.add(name=IMAGE, datatype="FP32", shape=[1, 1, 8, 8])
        typed.contents.fp32_contents.extend(self.images[0].ravel().tolist())
        response = stub.ModelInfer(request, timeout=30)
        raw = self.client.infer("digits@fp32", [tensor(self.images[0])]).as_numpy(LOGITS)
        self.assertEqual(response.raw_output_contents[0], raw.tobytes())

    def test_requested_outputs(self):
        result = self.client.infer("digits@int8", [tensor(self.images[0])],
                                   outputs=[triton.InferRequestedOutput(LOGITS)])
        self.assertEqual([o.name for o in result.get_response().outputs], [LOGITS])
        self.refused("INVALID_ARGUMENT", self.client.infer, "digits", [tensor(self.images[0])],
                     outputs=[triton.InferRequestedOutput("classes")],
                     words=['output "classes"', 'it has "logits"'])
        self.refused("UNIMPLEMENTED", self.client.infer, "digits", [tensor(self.images[0])],
                     outputs=[triton.InferRequestedOutput(LOGITS, class_count=3)],
                     words=["classification"])

    def test_compressed_requests(self):
        plain = self.client.infer("digits@int8", [tensor(self.images[0])]).as_numpy(LOGITS)
        for algorithm in ("gzip", "deflate"):
            result = self.client.infer("digits@int8", [tensor(self.images[0])],
                                       compression_algorithm=algorithm)
            self.assertEqual(result.as_numpy(LOGITS).tobytes(), plain.tobytes(), algorithm)

    def test_errors_say_what_is_wrong(self):
        image = self.images[0]
        for words, model, inputs in (
                (['"pixels"', 'it has "image"'], "digits", [tensor(image, name="pixels")]),
                (["got shape [1,64]", "wanted [-1,1,8,8]"], "digits",
                 [tensor(image.reshape(1, 64))]),
                (['got datatype "FP64"', "wanted FP32"], "digits",
                 [tensor(image.astype(numpy.float64), datatype="FP64")]),
                (["given twice"], "digits", [tensor(image), tensor(image)])):
            with self.subTest(words=words):
                self.refused("INVALID_ARGUMENT", self.client.infer, model, inputs, words=words)
        self.refused("NOT_FOUND", self.client.infer, "nosuch", [tensor(image)], words=["nosuch"])
        self.refused("NOT_FOUND", self.client.infer, "digits", [tensor(image)],
                     model_version="9", words=["9"])
        self.refused("NOT_FOUND", self.client.infer, "digits@int3", [tensor(image)],
                     words=["int3", "int8"])

    def test_every_call_keeps_its_deadline(self):
        client = self.client
        self.server.stop()  # it accepts, and never answers
        try:
            for call, arguments in (
                    (client.is_server_live, ()), (client.is_server_ready, ()),
                    (client.is_model_ready, ("digits",)), (client.get_server_metadata, ()),
                    (client.get_model_metadata, ("digits",)), (client.get_model_config, ("digits",)),
                    (client.get_model_repository_index, ()),
                    (client.get_inference_statistics, ()),
                    (client.infer, ("digits", [tensor(self.images[0])]))):
                with self.subTest(call=call.__name__):
                    self.refused("DEADLINE_EXCEEDED", call, *arguments, client_timeout=0.05)
        finally:
            self.server.resume()
        client.infer("digits", [tensor(self.images[0])])

    def test_the_server_keeps_a_requests_timeout(self):
        self.refused("DEADLINE_EXCEEDED", self.client.infer, "digits", [tensor(self.images[0])],
                     timeout=1, words=["deadline"])  # microseconds

    def test_async_infer_with_many_in_flight(self):
        alone = [self.client.infer("digits@int8", [tensor(i)]).as_numpy(LOGITS)
                 for i in self.images]
        finished = queue.Queue()
        count = 8 * len(self.images)
        for number in range(count):
            self.client.async_infer(
                "digits@int8", [tensor(self.images[number % len(self.images)])],
                callback=lambda result, error, number=number: finished.put((number, result, error)),
                request_id=str(number))
        seen = set()
        for _ in range(count):
            number, result, error = finished.get(timeout=60)
            self.assertIsNone(error)
            self.assertEqual(result.get_response().id, str(number))
            self.assertEqual(result.as_numpy(LOGITS).tobytes(),
                             alone[number % len(self.images)].tobytes())
            seen.add(number)
        self.assertEqual(len(seen), count)

    def test_asyncio(self):
        async def work():
            async with triton_aio.InferenceServerClient(self.server.grpc) as client:
                self.assertTrue(await client.is_server_ready())
                results = await asyncio.gather(*(
                    client.infer("digits@fp32", [tensor(i)], request_id=str(n))
                    for n, i in enumerate(self.images)))
                self.assertEqual([r.get_response().id for r in results],
                                 [str(n) for n in range(len(self.images))])

                async def requests():
                    for number, image in enumerate(self.images):
                        yield {"model_name": "digits@fp32", "inputs": [tensor(image)],
                               "request_id": str(number)}

                ids = set()
                async for result, error in client.stream_infer(requests()):
                    self.assertIsNone(error)
                    ids.add(result.get_response().id)
                self.assertEqual(ids, {str(n) for n in range(len(self.images))})

        asyncio.run(work())

    # ---- streams ----

    def stream(self, **options):
        answers = queue.Queue()
        self.client.start_stream(lambda result, error: answers.put((result, error)), **options)
        return answers

    def test_a_stream_with_many_in_flight(self):
        alone = [self.client.infer("digits@int8", [tensor(i)]).as_numpy(LOGITS)
                 for i in self.images]
        answers = self.stream()
        count = 8 * len(self.images)
        for number in range(count):
            self.client.async_stream_infer(
                "digits@int8", [tensor(self.images[number % len(self.images)])],
                request_id=str(number), enable_empty_final_response=True)
        self.client.stop_stream()  # half-closes and waits for all answers
        seen = set()
        for _ in range(count):
            result, error = answers.get_nowait()
            self.assertIsNone(error)
            number = int(result.get_response().id)
            self.assertEqual(result.as_numpy(LOGITS).tobytes(),
                             alone[number % len(self.images)].tobytes())
            seen.add(number)
        self.assertEqual(len(seen), count)
        self.assertTrue(answers.empty())

    def test_a_stream_goes_on_after_an_error(self):
        answers = self.stream()
        self.client.async_stream_infer("digits", [tensor(self.images[0])])
        self.assertIsNone(answers.get(timeout=30)[1])
        self.client.async_stream_infer("nosuch", [tensor(self.images[0])])
        result, error = answers.get(timeout=30)
        self.assertIsNone(result)
        self.assertIn("nosuch", error.message())
        self.client.async_stream_infer("digits", [tensor(self.images[0])], request_id="after")
        result, error = answers.get(timeout=30)
        self.assertIsNone(error)
        self.assertEqual(result.get_response().id, "after")
        self.client.stop_stream()
        self.assertTrue(answers.empty())

    def test_a_cancelled_stream_leaves_the_server_serving(self):
        self.stream()
        for _ in range(100):
            self.client.async_stream_infer("digits", [tensor(self.images[0])])
        self.client.stop_stream(cancel_requests=True)
        answers = self.stream()
        self.client.async_stream_infer("digits", [tensor(self.images[0])])
        self.assertIsNone(answers.get(timeout=30)[1])
        self.client.stop_stream()

    def test_a_stream_keeps_its_deadline(self):
        answers = self.stream(stream_timeout=0.3)
        result, error = answers.get(timeout=30)  # nothing was sent, so it just ran out
        self.assertIsNone(result)
        self.assertEqual(error.status(), "StatusCode.DEADLINE_EXCEEDED")
        self.client.stop_stream(cancel_requests=True)


class LoadTest(ClientTest):
    def test_callers_share_executions_and_get_the_bytes_that_each_gets_alone(self):
        server = self.start("--batch_delay_ms=5", "--threads=1")
        server.upload_digits()
        client = self.connect(server)
        samples = images(CALLERS)

        def sizes(model):
            (one,) = client.get_inference_statistics(model).model_stats
            return {b.batch_size: b.compute_infer.count for b in one.batch_stats}

        def ask(model, image):
            return client.infer(model, [tensor(image)]).as_numpy(LOGITS).tobytes()

        with concurrent.futures.ThreadPoolExecutor(CALLERS) as pool:
            for model in ("digits@int8", "digits@hybrid"):
                alone = [ask(model, image) for image in samples]
                self.assertEqual(set(sizes(model)), {1})
                # Plans for batches are made in the background when first wanted.
                give_up = time.monotonic() + 60
                while time.monotonic() < give_up:
                    together = list(pool.map(lambda image, m=model: ask(m, image), samples))
                    self.assertEqual(together, alone, model)
                    if max(sizes(model)) >= 8:
                        break
                print(f"{model}: executions by batch size {sizes(model)}")
                self.assertGreater(max(sizes(model)), 1)

    def test_overload_is_refused_at_once(self):
        server = self.start("--queue_limit=1", "--batch_delay_ms=200", "--threads=1")
        server.upload_digits()
        client = self.connect(server)
        (image,) = images(1)
        finished = queue.Queue()
        for _ in range(CALLERS):
            client.async_infer("digits@int8", [tensor(image)],
                               callback=lambda result, error: finished.put((result, error)))
        outcomes = [finished.get(timeout=60) for _ in range(CALLERS)]
        errors = [error for _, error in outcomes if error is not None]
        self.assertGreater(len(outcomes) - len(errors), 0, "nobody was answered")
        self.assertGreater(len(errors), 0, "nobody was refused")
        for error in errors:
            self.assertEqual(error.status(), "StatusCode.RESOURCE_EXHAUSTED")
            self.assertIn("--queue_limit", error.message())

    def test_a_server_that_stops_ends_streams_as_unavailable(self):
        server = self.start()
        server.upload_digits()
        client = self.connect(server)
        answers = queue.Queue()
        client.start_stream(lambda result, error: answers.put((result, error)))
        client.async_stream_infer("digits", [tensor(images(1)[0])])
        self.assertIsNone(answers.get(timeout=30)[1])
        self.assertEqual(server.terminate(), 0)
        _, error = answers.get(timeout=30)
        self.assertEqual(error.status(), "StatusCode.UNAVAILABLE")
        self.assertIn("shutting down", error.message())
        client.stop_stream(cancel_requests=True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
