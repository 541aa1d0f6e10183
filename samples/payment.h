// What a payment is, and the tables it is booked in: what payments.cc and raw_loop.cc have in common.
#pragma once

#include <charconv>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <thread>

struct Payment {
  std::int64_t account = 0;
  std::int64_t cents = 0;

  /// "ACCOUNT CENTS", such as "17 2599".
  static std::optional<Payment> parse(std::string_view text) {
    Payment payment;
    const char* const end = text.data() + text.size();
    const auto [space, bad_account] = std::from_chars(text.data(), end, payment.account);
    if (bad_account != std::errc() || space == end || *space != ' ') return std::nullopt;
    const auto [rest, bad_cents] = std::from_chars(space + 1, end, payment.cents);
    if (bad_cents != std::errc() || rest != end) return std::nullopt;
    return payment;
  }
};

/// Stands in for what a service does before it books: asks somebody else, which takes a moment.
inline void screen(const Payment&) { std::this_thread::sleep_for(std::chrono::microseconds(300)); }

/// `booking` is append-only and has, on purpose, no unique constraint: a payment booked twice is there twice.
inline constexpr const char* ledger_tables[] = {
    "CREATE TABLE IF NOT EXISTS booking (payment TEXT, account INTEGER, cents INTEGER)",
    "CREATE TABLE IF NOT EXISTS account (id INTEGER PRIMARY KEY, cents INTEGER NOT NULL)",
};
