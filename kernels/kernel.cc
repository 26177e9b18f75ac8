#include "kernels/kernel.h"

#include <cstdlib>
#include <new>

namespace fourfold::kernels {

PackedWeights::Buffer PackedWeights::GetOrPack(const std::string& key, size_t bytes,
                                               const std::function<Buffer()>& pack) {
  const std::lock_guard lock(mutex_);
  Buffer& buffer = buffers_[key];
  if (buffer == nullptr) {
    buffer = pack();
    bytes_ += bytes;
  }
  return buffer;
}

size_t PackedWeights::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

std::shared_ptr<void> AllocateAligned(size_t bytes) {
  constexpr size_t kAlignment = 64;
  const size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  void* memory = std::aligned_alloc(kAlignment, rounded == 0 ? kAlignment : rounded);
  if (memory == nullptr) throw std::bad_alloc();
  return std::shared_ptr<void>(memory, &std::free);
}

}  // namespace fourfold::kernels
