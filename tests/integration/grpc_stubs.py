"""Python messages and stubs of proto/, generated into a temporary folder when imported."""

import sys

from grpc_tools import protoc

import fourfold_testbed as testbed

_folder = testbed.scratch_folder()
_files = ["proto/inference/model_config.proto", "proto/inference/grpc_predict_v2.proto",
          "proto/fourfold/v1/variants.proto"]
_status = protoc.main(["protoc", f"--proto_path={testbed.ROOT}", f"--python_out={_folder}",
                       f"--grpc_python_out={_folder}", *_files])
if _status:
    raise RuntimeError(f"protoc ended with {_status}")
sys.path.insert(0, str(_folder))

# pylint: disable=wrong-import-position
from proto.fourfold.v1 import variants_pb2 as variants  # noqa: E402
from proto.fourfold.v1 import variants_pb2_grpc as variants_grpc  # noqa: E402
from proto.inference import grpc_predict_v2_pb2 as inference  # noqa: E402
from proto.inference import grpc_predict_v2_pb2_grpc as inference_grpc  # noqa: E402

__all__ = ["variants", "variants_grpc", "inference", "inference_grpc"]
