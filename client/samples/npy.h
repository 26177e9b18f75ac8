#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/samples/dtype.h"
#include "client/samples/file.h"

namespace fourfold::samples {

// A dense array in C order, little-endian: what one .npy file holds. Cheap to copy, the bytes are
// shared and never written. `bytes.data` may be unaligned if a file's author did not align it:
// read elements with memcpy.
struct Array {
  DType dtype = DType::kFloat32;
  std::vector<int64_t> dims;  // empty: one element
  SharedBytes bytes;          // exactly product(dims) * DTypeBytes(dtype)
};

// "float32 [300, 1, 8, 8]", for messages.
std::string DescribeArray(const Array& array);

// An array that owns a copy of `data`. Requires data.size() to fit dims and dtype.
Array MakeArray(DType dtype, std::vector<int64_t> dims, std::span<const std::byte> data);

// Bytes that an array of these dimensions takes. Errors: INVALID_ARGUMENT for a negative
// dimension or a product beyond int64.
absl::StatusOr<int64_t> ArrayBytes(DType dtype, std::span<const int64_t> dims);

// Reads .npy format 1.0, 2.0 or 3.0. The array shares `bytes`; `name` is for messages. Elements:
// f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 b1. Errors: INVALID_ARGUMENT if it is no .npy, is truncated, has
// bytes left over, contradicts itself, or is Fortran-ordered, big-endian, of Python objects,
// structures, strings or complex numbers.
absl::StatusOr<Array> ParseNpy(const SharedBytes& bytes, const std::string& name);

// Maps and parses a file: nothing is read before the elements are looked at. Errors as MapFile
// and ParseNpy.
absl::StatusOr<Array> ReadNpyFile(const std::string& path);

// What comes in front of the elements in a .npy file (format 1.0, padded to 64 bytes).
std::string NpyHeader(DType dtype, std::span<const int64_t> dims);

// Writes a .npy file. Errors as WriteFile.
absl::Status WriteNpyFile(const std::string& path, const Array& array);

}  // namespace fourfold::samples
