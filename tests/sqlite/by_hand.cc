#include "by_hand.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <idem/store.h>

namespace idem::test {

std::vector<std::string> by_hand(const std::string& path, const std::string& sql) {
  std::vector<std::string> answer;
  sqlite3* database = nullptr;
  EXPECT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
  const auto row = [](void* rows, int columns, char** values, char**) {
    std::string line;
    for (int i = 0; i < columns; ++i) line += (i ? "|" : "") + std::string(values[i] ? values[i] : "NULL");
    static_cast<std::vector<std::string>*>(rows)->push_back(line);
    return 0;
  };
  char* why = nullptr;
  EXPECT_EQ(sqlite3_exec(database, sql.c_str(), row, &answer, &why), SQLITE_OK) << (why ? why : "");
  sqlite3_free(why);
  sqlite3_close(database);
  return answer;
}

std::string refusal(const std::function<void()>& call) {
  try {
    call();
    return "";
  } catch (const StoreError& e) {
    return e.what();
  }
}

}  // namespace idem::test
