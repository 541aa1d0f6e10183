// The database that the samples book into, seen from outside.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace idem::test {

// Where the build put a sample.
std::string sample(const std::string& name);

// Runs SQL, to prepare a database.
void execute(const std::filesystem::path& database, const std::string& sql);

// The rows a query finds, columns joined by spaces; none while there is no such file or table.
std::vector<std::string> rows(const std::filesystem::path& database, const std::string& sql);

// The bookings in order of payment id, as "ID ACCOUNT CENTS".
std::vector<std::string> bookings(const std::filesystem::path& database);

// Waits until there are at least `count` bookings; false when there are not after `patience`.
bool wait_for_bookings(const std::filesystem::path& database, std::size_t count,
                       std::chrono::milliseconds patience);

}  // namespace idem::test
