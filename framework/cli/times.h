// Points in time as people write and read them: always UTC.
#pragma once

#include <string>

#include <idem/message.h>

namespace idem::cli {

/// "2026-11-28T10:15:00.123Z"; what lies outside of the years with four digits as its milliseconds.
std::string in_utc(Timestamp time);

/// "3d" (so long before `now`), "2026-11-28", "2026-11-28T10:15:00Z" or as in_utc() writes it. Throws
/// std::invalid_argument that says what would be right.
Timestamp parse_time(const std::string& text, Timestamp now);

}  // namespace idem::cli
