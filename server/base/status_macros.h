#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// RETURN_IF_ERROR(expression): leaves the function with the status if it is not OK.
#define RETURN_IF_ERROR(expression)                                                           \
  do {                                                                                        \
    if (absl::Status status_macro_ = (expression); !status_macro_.ok()) return status_macro_; \
  } while (false)

// ASSIGN_OR_RETURN(lhs, expression): assigns the value of a StatusOr, or leaves with its status.
#define ASSIGN_OR_RETURN(lhs, expression) \
  ASSIGN_OR_RETURN_IMPL_(STATUS_MACROS_CONCAT_(status_or_, __LINE__), lhs, expression)
#define ASSIGN_OR_RETURN_IMPL_(variable, lhs, expression)  \
  auto variable = (expression);                            \
  if (!variable.ok()) return std::move(variable).status(); \
  lhs = std::move(variable).value()
#define STATUS_MACROS_CONCAT_(a, b) STATUS_MACROS_CONCAT_IMPL_(a, b)
#define STATUS_MACROS_CONCAT_IMPL_(a, b) a##b
