// A store's file in the hands of people.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace idem::test {

/// As somebody with the sqlite3 shell would. Each row of an answer is its columns with a bar between.
std::vector<std::string> by_hand(const std::string& path, const std::string& sql);

/// What the StoreError of a call says; "": it has thrown none.
std::string refusal(const std::function<void()>& call);

}  // namespace idem::test
