// Bytes that somebody else chose, for a terminal or a line of a log.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace idem::cli {

/// One line without anything that a terminal would obey: control characters, what turns the direction of writing, and
/// bytes that are no UTF-8 become \n, \t, \xNN …, a backslash becomes two. So nobody who can send a message can make
/// it look like several, or like something else.
/// What is longer than `longest` characters is cut, and ends with "…".
std::string printable(std::string_view bytes, std::size_t longest = std::string_view::npos);

/// How many columns a printable text takes, as near as can be known.
std::size_t width(std::string_view text);

}  // namespace idem::cli
