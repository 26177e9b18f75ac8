#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace fourfold::conformance {

// Inputs and the outputs wanted for them: paths of protobuf files, in the model's order.
struct DataSet {
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
};

// One of ONNX's backend test cases: a folder with model.onnx and test_data_set_*.
struct Case {
  std::string suite;  // the folder around it: "node", "simple", ...
  std::string name;   // "test_add"
  std::string model;  // path
  std::vector<DataSet> data;
};

struct CaseList {
  std::vector<Case> cases;           // by suite, then name
  std::vector<std::string> no_data;  // "real/test_vgg19": folders with a data.json that says where
                                     // to download the case, and no case
};

// All cases in `folder` and below, which may be one case, a suite or several. NOT_FOUND if the
// folder is not there or holds none.
absl::StatusOr<CaseList> FindCases(const std::string& folder);

}  // namespace fourfold::conformance
