#pragma once

#include "kernels/accumulate_axis.h"
#include "kernels/arg_reduce.h"
#include "kernels/binary.h"
#include "kernels/compare.h"
#include "kernels/convert.h"
#include "kernels/convolution.h"
#include "kernels/copy.h"
#include "kernels/determinant.h"
#include "kernels/einsum.h"
#include "kernels/eltwise.h"
#include "kernels/generate.h"
#include "kernels/grid_sample.h"
#include "kernels/likelihood.h"
#include "kernels/matmul.h"
#include "kernels/normalization.h"
#include "kernels/pad.h"
#include "kernels/plain_convolution.h"
#include "kernels/pooling.h"
#include "kernels/quantize.h"
#include "kernels/recurrent.h"
#include "kernels/reduce.h"
#include "kernels/regions.h"
#include "kernels/resize.h"
#include "kernels/select.h"
#include "kernels/signal.h"
#include "kernels/softmax.h"
#include "kernels/unpooling.h"

// The implementations that define what every other one computes: plain loops that serve every spec
// its header describes. Null only for a spec the header refuses or gives no meaning.
namespace fourfold::kernels::reference {

PreparedPtr PrepareAlignRegions(const AlignRegionsSpec& spec, const PrepareContext& context);
PreparedPtr PrepareAccumulateAxis(const AccumulateAxisSpec& spec, const PrepareContext& context);
PreparedPtr PrepareArgReduce(const ArgReduceSpec& spec, const PrepareContext& context);
PreparedPtr PrepareBinary(const BinarySpec& spec, const PrepareContext& context);
PreparedPtr PrepareCompare(const CompareSpec& spec, const PrepareContext& context);
PreparedPtr PrepareConvert(const ConvertSpec& spec, const PrepareContext& context);
PreparedPtr PrepareConvolution(const ConvolutionSpec& spec, const PrepareContext& context);
PreparedPtr PrepareCopy(const CopySpec& spec, const PrepareContext& context);
PreparedPtr PrepareDequantize(const QuantizeSpec& spec, const PrepareContext& context);
PreparedPtr PrepareDeterminant(const DeterminantSpec& spec, const PrepareContext& context);
PreparedPtr PrepareDynamicQuantize(const DynamicQuantizeSpec& spec, const PrepareContext& context);
PreparedPtr PrepareEinsum(const EinsumSpec& spec, const PrepareContext& context);
PreparedPtr PrepareEltwise(const EltwiseSpec& spec, const PrepareContext& context);
PreparedPtr PrepareGridSample(const GridSampleSpec& spec, const PrepareContext& context);
PreparedPtr PrepareLocalResponseNorm(const LocalResponseNormSpec& spec,
                                     const PrepareContext& context);
PreparedPtr PrepareLpNormalization(const LpNormalizationSpec& spec, const PrepareContext& context);
PreparedPtr PrepareMatMul(const MatMulSpec& spec, const PrepareContext& context);
PreparedPtr PrepareMaxRegions(const MaxRegionsSpec& spec, const PrepareContext& context);
PreparedPtr PrepareNormalization(const NormalizationSpec& spec, const PrepareContext& context);
PreparedPtr PrepareEye(const EyeSpec& spec, const PrepareContext& context);
PreparedPtr PrepareFill(const FillSpec& spec, const PrepareContext& context);
PreparedPtr PrepareFourier(const FourierSpec& spec, const PrepareContext& context);
PreparedPtr PrepareFrames(const FramesSpec& spec, const PrepareContext& context);
PreparedPtr PrepareLikelihood(const LikelihoodSpec& spec, const PrepareContext& context);
PreparedPtr PrepareMelWeights(const MelWeightsSpec& spec, const PrepareContext& context);
PreparedPtr PreparePad(const PadSpec& spec, const PrepareContext& context);
PreparedPtr PreparePlainConvolution(const PlainConvolutionSpec& spec,
                                    const PrepareContext& context);
PreparedPtr PreparePooling(const PoolingSpec& spec, const PrepareContext& context);
PreparedPtr PrepareQuantize(const QuantizeSpec& spec, const PrepareContext& context);
PreparedPtr PrepareRecurrent(const RecurrentSpec& spec, const PrepareContext& context);
PreparedPtr PrepareRange(const RangeSpec& spec, const PrepareContext& context);
PreparedPtr PrepareReduce(const ReduceSpec& spec, const PrepareContext& context);
PreparedPtr PrepareResize(const ResizeSpec& spec, const PrepareContext& context);
PreparedPtr PrepareSelect(const SelectSpec& spec, const PrepareContext& context);
PreparedPtr PrepareSoftmax(const SoftmaxSpec& spec, const PrepareContext& context);
PreparedPtr PrepareUnpooling(const UnpoolingSpec& spec, const PrepareContext& context);
PreparedPtr PrepareWindow(const WindowSpec& spec, const PrepareContext& context);

}  // namespace fourfold::kernels::reference
