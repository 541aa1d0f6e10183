// A subcommand of the program idem: one file each.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace idem::cli {

/// Exit codes. What 0, 1 and 2 mean is the subcommand's own to define; these are what most mean.
constexpr int failed = 1;           ///< understood, and could not be done
constexpr int nothing_matched = 2;
constexpr int usage_error = 3;      ///< what was asked for cannot be understood, or this build cannot do it

/// Each adds its subcommand. When it is chosen it runs from within CLI::App::parse and leaves its exit code behind.
/// It may throw: StoreError and std::system_error are `failed`, std::invalid_argument is a usage error.
void add_doctor(CLI::App& app, int& code);
void add_ids(CLI::App& app, int& code);
void add_parked(CLI::App& app, int& code);

/// To standard output. Throws std::system_error if it cannot be written there.
void write_out(const std::string& text);
/// nothing_matched, and says so on standard error.
int nothing(const std::string& why);

}  // namespace idem::cli
