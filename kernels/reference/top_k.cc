#include <numeric>

#include "kernels/reference/elements.h"
#include "kernels/reference/indices.h"
#include "kernels/reference/movement.h"

namespace fourfold::kernels::reference {
namespace {

// The lines of src [outer, length, inner] along their middle.
struct Selection {
  int64_t outer, length, inner, k;
  bool largest;
  int parts;  // each has `length` numbers of scratch memory
};

// Whether element a of a line comes before element b.
template <typename E>
struct Before {
  const typename E::Stored* line;
  int64_t step;
  bool largest;

  bool operator()(int64_t a, int64_t b) const {
    const auto x = E::Load(line[a * step]), y = E::Load(line[b * step]);
    if (x != x || y != y) return (x != x) == (y != y) ? a < b : y != y;
    if (x == y) return a < b;
    return largest ? x > y : x < y;
  }
};

template <typename E>
void SelectLine(const Selection& selection, const typename E::Stored* line, int64_t* order,
                typename E::Stored* values, int64_t* indices) {
  const Before<E> before{line, selection.inner, selection.largest};
  int64_t* const end = order + selection.length;
  int64_t* const last = order + selection.k;
  std::iota(order, end, int64_t{0});
  if (last != end) std::nth_element(order, last, end, before);
  std::sort(order, last, before);
  for (int64_t i = 0; i < selection.k; ++i) {
    if (values != nullptr) values[i * selection.inner] = line[order[i] * selection.inner];
    if (indices != nullptr) indices[i * selection.inner] = order[i];
  }
}

template <typename E>
PreparedPtr Select(const Selection& selection) {
  const size_t scratch = static_cast<size_t>(selection.parts) *
                         static_cast<size_t>(selection.length) * sizeof(int64_t);
  const auto run = [selection](const RunArgs& args) {
    using T = typename E::Stored;
    const T* src = Input<T>(args, 0);
    T* values = Output<T>(args, 0);
    int64_t* indices = args.outputs.size() > 1 ? Output<int64_t>(args, 1) : nullptr;
    auto* scratch = static_cast<int64_t*>(args.scratch);
    const int64_t lines = selection.outer * selection.inner;
    const int64_t parts = std::min<int64_t>({lines, selection.parts, args.parallel->threads()});
    const auto part = [&](int p) {
      for (int64_t i = lines * p / parts; i < lines * (p + 1) / parts; ++i) {
        const int64_t o = i / selection.inner, n = i % selection.inner;
        const int64_t to = o * selection.k * selection.inner + n;
        SelectLine<E>(selection, src + o * selection.length * selection.inner + n,
                      scratch + p * selection.length, values == nullptr ? nullptr : values + to,
                      indices == nullptr ? nullptr : indices + to);
      }
    };
    if (parts == 1) {
      part(0);
    } else if (parts > 1) {
      args.parallel->For(static_cast<int>(parts), std::cref(part));
    }
  };
  return MakeKernel("reference/select", run, scratch);
}

}  // namespace

PreparedPtr PrepareTopK(const TopKSpec& spec, const PrepareContext& context) {
  const Dims& dims = spec.src.dims;
  if (spec.axis >= dims.size() || spec.k < 0 || spec.k > dims[spec.axis]) return nullptr;
  Selection selection{.outer = Product(dims, 0, spec.axis),
                      .length = dims[spec.axis],
                      .inner = Product(dims, spec.axis + 1, dims.size()),
                      .k = spec.k,
                      .largest = spec.largest,
                      .parts = 1};
  // A thread is worth it for some thousands of comparisons.
  constexpr int64_t kWorthAThread = 16384;
  const int64_t worth = ElementCount(dims) / kWorthAThread + 1;
  selection.parts = static_cast<int>(std::min<int64_t>(std::max(context.threads, 1), worth));
  return VisitElement(spec.src.type,
                      [&](auto element) { return Select<decltype(element)>(selection); });
}

}  // namespace fourfold::kernels::reference
