#include "sqlite/statement_cache.h"

#include <sqlite3.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace idem::sqlite {
namespace {

// "$12" and "?12" are the number 12; anything else has no number.
std::size_t number_of(std::string_view name) {
  std::size_t number = 0;
  const char* const end = name.data() + name.size();
  const auto [stopped, error] = std::from_chars(name.data() + 1, end, number);
  const bool numbered = (name.front() == '$' || name.front() == '?') && error == std::errc{} && stopped == end;
  return numbered ? number : 0;
}

}  // namespace

UserStatement::UserStatement(Connection& connection, std::string_view sql)
    : connection_(connection), statement_(connection, std::string(sql)) {
  if (sql.find('\0') != std::string_view::npos) throw TransactionError("the SQL text contains a NUL character");
  statement_.prepared();
  refuse_second_statement();
  number_parameters();
}

// SQLite would run the first statement and forget the rest of the text in silence.
void UserStatement::refuse_second_statement() {
  const std::string& sql = statement_.sql();
  const std::size_t first = std::strlen(sqlite3_sql(statement_.prepared()));
  const std::string_view rest = std::string_view(sql).substr(std::min(first, sql.size()));
  if (rest.find_first_not_of(" \t\r\n;") == std::string_view::npos) return;
  sqlite3_stmt* second = nullptr;
  const int code =
      sqlite3_prepare_v3(connection_.handle(), rest.data(), static_cast<int>(rest.size()), 0, &second, nullptr);
  sqlite3_finalize(second);
  if (code != SQLITE_OK || second != nullptr)
    throw TransactionError("one statement at a time; the text has another one: " + sql);
}

void UserStatement::number_parameters() {
  const int count = sqlite3_bind_parameter_count(statement_.prepared());
  for (int i = 1; i <= count; ++i) {
    const char* name = sqlite3_bind_parameter_name(statement_.prepared(), i);
    const std::size_t number = name != nullptr ? number_of(name) : static_cast<std::size_t>(i);
    if (number == 0) throw TransactionError("parameters are named $1, $2, …; this one is not: " + std::string(name));
    value_of_.push_back(number - 1);
    values_ = std::max(values_, number);
  }
}

void UserStatement::bind(std::span<const Value> values) {
  if (values.size() != values_)
    throw TransactionError("the statement takes " + std::to_string(values_) + " values, " +
                           std::to_string(values.size()) + " were given: " + statement_.sql());
  for (std::size_t i = 0; i < value_of_.size(); ++i) statement_.bind(static_cast<int>(i + 1), values[value_of_[i]]);
}

StatementCache::StatementCache(Connection& connection, std::size_t capacity)
    : connection_(connection), capacity_(capacity) {}

std::shared_ptr<UserStatement> StatementCache::get(std::string_view sql) {
  if (auto known = by_sql_.find(sql); known != by_sql_.end()) {
    if ((*known->second)->statement().busy()) return std::make_shared<UserStatement>(connection_, sql);
    if (known->second != order_.begin()) order_.splice(order_.begin(), order_, known->second);
    return order_.front();
  }
  order_.push_front(std::make_shared<UserStatement>(connection_, sql));
  by_sql_.emplace(order_.front()->statement().sql(), order_.begin());
  if (order_.size() > capacity_) {
    by_sql_.erase(order_.back()->statement().sql());
    order_.pop_back();
  }
  return order_.front();
}

}  // namespace idem::sqlite
