// The headers of a call: what the consumer tells the called service, besides the payload.
#pragma once

namespace idem::kills::call_header {

inline constexpr const char* key = "Idempotency-Key";
inline constexpr const char* message_id = "Message-Id";
inline constexpr const char* maybe_executed = "Maybe-Executed";  // 0 or 1
inline constexpr const char* attempt = "Attempt";
// For the record only: which call this is (calls.h), and where its message lay.
inline constexpr const char* life = "Life";
inline constexpr const char* number = "Number";
inline constexpr const char* partition = "Partition";
inline constexpr const char* place = "Place";
inline constexpr const char* message_key = "Message-Key";

}  // namespace idem::kills::call_header
