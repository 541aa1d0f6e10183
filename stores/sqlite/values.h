// Between C++ values and what a column holds: an optional is a NULL or a value, a time is its milliseconds.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <idem/message.h>
#include <idem/transaction.h>

namespace idem::sqlite {

/// Borrowed: for binding.
inline Value blob(const std::optional<std::string_view>& bytes) { return bytes ? Value(Blob{*bytes}) : Value(nullptr); }

inline std::optional<std::string> owned(const Row& row, int column) {
  return row.is_null(column) ? std::nullopt : std::optional(std::string(row.text(column)));
}

inline Timestamp time_of(const Row& row, int column) { return Timestamp(std::chrono::milliseconds(row.integer(column))); }
inline std::optional<Timestamp> maybe_time_of(const Row& row, int column) {
  return row.is_null(column) ? std::nullopt : std::optional(time_of(row, column));
}

inline std::int64_t milliseconds(Timestamp time) { return time.time_since_epoch().count(); }
inline Timestamp now() { return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()); }

}  // namespace idem::sqlite
