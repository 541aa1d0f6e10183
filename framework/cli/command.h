// A subcommand of the program idem: one file each.
#pragma once

#include <CLI/CLI.hpp>

namespace idem::cli {

/// Exit codes. 0, 1 and 2 are the subcommand's own to define.
constexpr int usage_error = 3;  ///< what was asked for cannot be understood, or this build cannot do it

/// Each adds its subcommand. When it is chosen it runs from within CLI::App::parse and leaves its exit code behind.
/// It may throw: std::invalid_argument is a usage error.
void add_doctor(CLI::App& app, int& code);

}  // namespace idem::cli
