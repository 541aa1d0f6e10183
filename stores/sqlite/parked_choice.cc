#include "sqlite/parked_choice.h"

#include "sqlite/values.h"

namespace idem::sqlite {

ParkedChoice::ParkedChoice(const ParkedFilter& filter, std::optional<std::int64_t> consumer,
                           std::optional<std::string> id_key, bool indexed)
    : id_key_(std::move(id_key)), sql_("idem_parked") {
  // Named, because SQLite would rather read the rows themselves in the order of their numbers.
  if (indexed) sql_ += id_key_ ? " INDEXED BY idem_parked_id" : " INDEXED BY idem_parked_in_order";
  sql_ += " WHERE number > ?";
  values_.emplace_back(filter.after);
  add("number <= ?", filter.up_to);
  if (filter.number) add("number = ?", *filter.number);
  if (consumer) add("consumer = ?", *consumer);
  if (id_key_) add("id_key = ?", Blob{*id_key_});
  if (filter.reason) add("reason = ?", to_string(*filter.reason));
  if (filter.topic) add("topic = ?", std::string_view(*filter.topic));
  if (filter.parked_from) add("parked_at >= ?", milliseconds(*filter.parked_from));
  if (filter.parked_before) add("parked_at < ?", milliseconds(*filter.parked_before));
}

void ParkedChoice::add(const char* condition, Value value) {
  sql_ += std::string(" AND ") + condition;
  values_.push_back(value);
}

int ParkedChoice::bind(Statement& statement, int first) const {
  for (const Value& value : values_) statement.bind(first++, value);
  return first;
}

}  // namespace idem::sqlite
