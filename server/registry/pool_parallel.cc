#include "server/registry/pool_parallel.h"

namespace fourfold::registry {

void PoolParallel::For(int count, const std::function<void(int)>& task) { pool_.For(count, task); }

}  // namespace fourfold::registry
