#!/usr/bin/env python3
"""The gRPC services as a client in another language sees them: standard health and reflection,
statuses of malformed calls, uploads that break off, calls in flight at shutdown. Run it with
python_env.sh."""

import array
import queue
import threading
import time
import unittest

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

import fourfold_testbed as testbed
from fourfold_testbed import DIGITS, VARIANTS
from grpc_stubs import inference, inference_grpc, variants, variants_grpc


def infer_request(model, sample, name="image", datatype="FP32", shape=(1, 1, 8, 8), raw=None):
    request = inference.ModelInferRequest(model_name=model)
    tensor = request.inputs.add(name=name, datatype=datatype)
    tensor.shape.extend(shape)
    request.raw_input_contents.append(
        array.array("f", sample).tobytes() if raw is None else raw)
    return request


class ServicesTest(unittest.TestCase):
    def setUp(self):
        self.server = testbed.Server()
        self.addCleanup(self.server.kill)
        self.server.start()
        self.connect()
        self.input, samples, _ = testbed.digits_samples(1)
        self.sample = samples[0].values

    def connect(self):
        channel = grpc.insecure_channel(self.server.grpc)
        self.addCleanup(channel.close)
        self.channel = channel
        self.inference = inference_grpc.GRPCInferenceServiceStub(channel)
        self.variants = variants_grpc.VariantServiceStub(channel)

    def refused(self, code, call, *arguments, words=()):
        with self.assertRaises(grpc.RpcError) as caught:
            call(*arguments, timeout=30)
        error = caught.exception
        self.assertEqual(error.code(), code, error.details())
        for word in words:
            self.assertIn(word, error.details())

    # ---- standard services ----

    def test_health_says_serving_of_the_server_and_of_each_variant(self):
        self.server.upload_digits()
        health = health_pb2_grpc.HealthStub(self.channel)
        for service in ("", "digits", *(f"digits@{v}" for v in VARIANTS)):
            answer = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=10)
            self.assertEqual(answer.status, health_pb2.HealthCheckResponse.SERVING, service)
        self.refused(grpc.StatusCode.NOT_FOUND, health.Check,
                     health_pb2.HealthCheckRequest(service="no.such.Service"))

    def test_reflection_lists_both_services(self):
        stub = reflection_pb2_grpc.ServerReflectionStub(self.channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        (answer,) = stub.ServerReflectionInfo(iter([request]), timeout=10)
        names = {service.name for service in answer.list_services_response.service}
        self.assertLessEqual({"inference.GRPCInferenceService", "fourfold.v1.VariantService"}, names)

    def test_the_six_standard_methods_answer(self):
        self.server.upload_digits()
        self.assertTrue(self.inference.ServerLive(inference.ServerLiveRequest(), timeout=10).live)
        self.assertTrue(self.inference.ServerReady(inference.ServerReadyRequest(), timeout=10).ready)
        self.assertTrue(self.inference.ServerMetadata(
            inference.ServerMetadataRequest(), timeout=10).name)
        for model in ("digits", *(f"digits@{v}" for v in VARIANTS)):
            self.assertTrue(self.inference.ModelReady(
                inference.ModelReadyRequest(name=model), timeout=10).ready, model)
            metadata = self.inference.ModelMetadata(
                inference.ModelMetadataRequest(name=model), timeout=10)
            self.assertEqual([(t.name, t.datatype, list(t.shape)) for t in metadata.inputs],
                             [(self.input, "FP32", [-1, 1, 8, 8])])
            answer = self.inference.ModelInfer(
                infer_request(model, self.sample, self.input), timeout=30)
            self.assertEqual(len(answer.outputs), 1)
            self.assertEqual(list(answer.outputs[0].shape), [1, 10])
            self.assertEqual(len(answer.raw_output_contents), 1)
            self.assertEqual(len(answer.raw_output_contents[0]), 40)
        self.assertFalse(self.inference.ModelReady(
            inference.ModelReadyRequest(name="nosuch"), timeout=10).ready)

    # ---- malformed calls ----

    def test_malformed_calls_get_a_status_and_the_server_serves_on(self):
        self.server.upload_digits()
        infer, invalid = self.inference.ModelInfer, grpc.StatusCode.INVALID_ARGUMENT
        good, name = self.sample, self.input
        whole = array.array("f", good).tobytes()
        for request in (
                infer_request("digits@int8", good, name, raw=whole[:-1]),
                infer_request("digits@int8", good, name, raw=whole + b"\0"),
                infer_request("digits@int8", good, name, raw=b""),
                infer_request("digits@int8", good, name, shape=(1, 1, 8)),
                infer_request("digits@int8", good, name, shape=(-1, 1, 8, 8)),
                infer_request("digits@int8", good, name, shape=(0, 1, 8, 8), raw=b""),
                infer_request("digits@int8", good, name, shape=(1 << 62, 4, 8, 8)),
                infer_request("digits@int8", good, name, datatype="INT32"),
                infer_request("digits@int8", good, name, datatype="FLOAT"),
                infer_request("digits@int8", good, "pixels"),
                inference.ModelInferRequest(model_name="digits@int8")):
            with self.subTest(request=str(request)[:200]):
                self.refused(invalid, infer, request)
        twice = infer_request("digits@int8", good, name)
        twice.inputs.add().CopyFrom(twice.inputs[0])
        twice.raw_input_contents.append(whole)
        self.refused(invalid, infer, twice)
        not_found = grpc.StatusCode.NOT_FOUND
        self.refused(not_found, infer, infer_request("nosuch", good, name), words=["nosuch"])
        self.refused(not_found, infer, infer_request("digits@int3", good, name), words=["int3"])
        version = infer_request("digits", good, name)
        version.model_version = "7"
        self.refused(not_found, infer, version, words=["7"])
        infer(infer_request("digits@int8", good, name), timeout=30)

    def test_unknown_jobs_and_models_are_not_found(self):
        not_found, stub = grpc.StatusCode.NOT_FOUND, self.variants
        self.refused(not_found, stub.GetJob, variants.GetJobRequest(job_id="nosuch"))
        self.refused(not_found, stub.CancelJob, variants.CancelJobRequest(job_id="nosuch"))
        for call, request in ((stub.DescribeModel, variants.DescribeModelRequest(model="nosuch")),
                              (stub.CompareVariants, variants.CompareVariantsRequest(model="nosuch")),
                              (stub.DeleteModel, variants.DeleteModelRequest(model="nosuch"))):
            self.refused(not_found, call, request, words=["nosuch"])
        for stream in (stub.WatchJob(variants.WatchJobRequest(job_id="nosuch"), timeout=30),
                       stub.DownloadVariant(variants.DownloadVariantRequest(model="nosuch"),
                                            timeout=30)):
            with self.assertRaises(grpc.RpcError) as caught:
                list(stream)
            self.assertEqual(caught.exception.code(), not_found)

    def test_an_upload_with_a_path_for_a_name_is_refused(self):
        model = (DIGITS / "digits.onnx").read_bytes()
        for name in ("../x", "a/b", "", ".", ".."):
            parts = [variants.UploadRequest(header=variants.UploadHeader(
                model=name, variants=["fp32"])), variants.UploadRequest(model_chunk=model)]
            with self.subTest(name=name):
                self.refused(grpc.StatusCode.INVALID_ARGUMENT, self.variants.Upload, iter(parts))
        self.assertEqual(self.server.files(), [])

    def test_parts_of_an_upload_in_the_wrong_order_are_refused(self):
        model = variants.UploadRequest(model_chunk=(DIGITS / "digits.onnx").read_bytes())
        header = variants.UploadRequest(header=variants.UploadHeader(model="m", variants=["fp32"]))
        short = variants.UploadRequest(header=variants.UploadHeader(
            model="m", variants=["fp32"], model_bytes=len(model.model_chunk) + 1))
        for parts in ([], [model], [header], [header, header, model], [model, header],
                      [short, model]):
            with self.subTest(parts=[p.WhichOneof("part") for p in parts]):
                self.refused(grpc.StatusCode.INVALID_ARGUMENT, self.variants.Upload, iter(parts))
        testbed.wait_until(lambda: not self.server.files(), "nothing is kept")

    # ---- uploads that break off ----

    def begin_upload(self):
        """An upload whose client has sent a header and half of the model and then waits."""
        testbed.wait_until(lambda: not self.server.files(), "earlier uploads are cleared away")
        parts = queue.Queue()
        call = self.variants.Upload.future(iter(parts.get, None))
        model = (DIGITS / "digits.onnx").read_bytes()
        parts.put(variants.UploadRequest(header=variants.UploadHeader(
            model="half", model_bytes=len(model))))
        parts.put(variants.UploadRequest(model_chunk=model[:len(model) // 2]))
        self.addCleanup(parts.put, None)
        testbed.wait_until(self.server.files, "the half model is staged")
        return call

    def test_an_upload_cut_in_the_middle_leaves_nothing(self):
        call = self.begin_upload()
        call.cancel()
        testbed.wait_until(lambda: not self.server.files(), "the staged half is removed")
        self.assertEqual(list(self.variants.ListModels(
            variants.ListModelsRequest(), timeout=10).models), [])
        self.server.upload_digits("half")

    def test_a_crash_while_receiving_leaves_a_clean_store(self):
        call = self.begin_upload()  # kept: a forgotten call is cancelled
        self.server.kill()
        del call
        self.assertNotEqual(self.server.files(), [], "the crash should leave something to sweep")
        self.server.start()
        self.assertEqual(self.server.files(), [])
        self.connect()
        self.assertEqual(list(self.variants.ListModels(
            variants.ListModelsRequest(), timeout=10).models), [])

    # ---- shutdown ----

    def test_calls_in_flight_at_shutdown_are_answered_in_full_or_refused_as_unavailable(self):
        self.server.upload_digits()
        request = infer_request("digits@int8", list(self.sample) * 64, self.input,
                                shape=(64, 1, 8, 8))
        expected = self.inference.ModelInfer(request, timeout=30).raw_output_contents[0]
        outcomes, stop = [], threading.Event()

        def call():
            while not stop.is_set():
                try:
                    answer = self.inference.ModelInfer(request, timeout=30)
                    outcomes.append(answer.raw_output_contents[0] == expected)
                except grpc.RpcError as error:
                    outcomes.append(error.code())
                    return

        threads = [threading.Thread(target=call) for _ in range(8)]
        for thread in threads:
            thread.start()
        testbed.wait_until(lambda: len(outcomes) >= 50, "fifty calls answered")
        began = time.monotonic()
        self.assertEqual(self.server.terminate(), 0, self.server.log[-3000:])
        self.assertLess(time.monotonic() - began, 30)
        stop.set()
        for thread in threads:
            thread.join(60)
            self.assertFalse(thread.is_alive(), "a call hangs")
        self.assertLessEqual(set(outcomes), {True, grpc.StatusCode.UNAVAILABLE})
        self.assertGreaterEqual(outcomes.count(True), 50)


if __name__ == "__main__":
    unittest.main(verbosity=2)
