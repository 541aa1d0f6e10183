// The verdict on a consumer: its database held against what the sender wrote down. Nothing a consumer says of
// itself plays a part.
#pragma once

#include <cstddef>
#include <filesystem>

namespace quickstart {

struct Verdict {
  std::size_t sent = 0;            ///< messages, repeats included
  std::size_t distinct = 0;        ///< payment ids among them
  std::size_t effects = 0;         ///< rows in `booking`
  std::size_t lost = 0;            ///< ids sent and never booked
  std::size_t doubled = 0;         ///< bookings of an id beyond its first
  std::size_t foreign = 0;         ///< bookings that were never sent: unknown id, other account or amount
  std::size_t accounts = 0;        ///< accounts that were sent money, or have some
  std::size_t wrong_balances = 0;  ///< accounts that do not hold the sum of the distinct payments sent to them

  bool clean() const { return lost == 0 && doubled == 0 && foreign == 0 && wrong_balances == 0; }
};

/// `ledger` has a line "ID ACCOUNT CENTS" for each message sent. Throws std::runtime_error when either file
/// cannot be read or does not make sense.
Verdict judge(const std::filesystem::path& ledger, const std::filesystem::path& database);

/// Rows in `booking` so far, 0 while there is no such table. Safe while the consumer writes, or dies.
std::size_t count_bookings(const std::filesystem::path& database);

}  // namespace quickstart
