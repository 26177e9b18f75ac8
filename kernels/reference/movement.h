#pragma once

#include "kernels/arrange.h"
#include "kernels/gather.h"
#include "kernels/scatter.h"
#include "kernels/top_k.h"

// As reference.h, of the operations that select and rearrange elements. Ranks above kMaxRank of
// loops.h are refused.
namespace fourfold::kernels::reference {

PreparedPtr PrepareBlocksToImage(const BlocksToImageSpec& spec, const PrepareContext& context);
PreparedPtr PrepareGather(const GatherSpec& spec, const PrepareContext& context);
PreparedPtr PrepareGatherElements(const GatherElementsSpec& spec, const PrepareContext& context);
PreparedPtr PrepareGatherNd(const GatherNdSpec& spec, const PrepareContext& context);
PreparedPtr PrepareOneHot(const OneHotSpec& spec, const PrepareContext& context);
PreparedPtr PrepareReverseSequence(const ReverseSequenceSpec& spec, const PrepareContext& context);
PreparedPtr PrepareScatterElements(const ScatterElementsSpec& spec, const PrepareContext& context);
PreparedPtr PrepareScatterNd(const ScatterNdSpec& spec, const PrepareContext& context);
PreparedPtr PrepareTopK(const TopKSpec& spec, const PrepareContext& context);
PreparedPtr PrepareTriangle(const TriangleSpec& spec, const PrepareContext& context);

}  // namespace fourfold::kernels::reference
