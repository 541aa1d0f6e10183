#include "sqlite/lot_file.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <utility>

#include "core/siphash.h"
#include "runtime/failpoint.h"
#include "sqlite/id_lookup.h"
#include "sqlite/key_bytes.h"
#include "sqlite/parked_rows.h"
#include "sqlite/redrive.h"
#include "sqlite/results.h"
#include "sqlite/schema.h"
#include "sqlite/values.h"

namespace idem::sqlite {
namespace {

constexpr std::size_t numbers_of_an_id = 1'000;

}  // namespace

LotFile::LotFile(Connection& connection) : connection_(connection), schema_(stored_version(connection)) {
  if (schema_ == 0) throw StoreError("there is no store of idem's in it: correct the path", false);
  refuse_newer(schema_);
  Statement consumers(connection_, "SELECT consumer, name FROM idem_consumer");
  for (auto rows = consumers.rows(); rows.next();) names_.emplace(rows.integer(0), rows.text(1));
}

IdKey LotFile::key_of_id(std::string_view id) { return core::siphash128(read_identity(connection_).hash_key, id); }

std::int64_t LotFile::consumer_number(const std::string& name) const {
  std::string known;
  for (const auto& [number, consumer] : names_) {
    if (consumer == name) return number;
    known += (known.empty() ? "" : ", ") + consumer;
  }
  throw StoreError("there is no consumer \"" + name + "\" in it" +
                       (known.empty() ? ", nor any other" : "; there is: " + known),
                   false);
}

std::string LotFile::consumer_name(std::int64_t number) const {
  const auto name = names_.find(number);
  return name != names_.end() ? name->second : std::to_string(number);
}

ParkedChoice LotFile::choice(const ParkedFilter& filter) {
  return ParkedChoice(filter, filter.consumer ? std::optional(consumer_number(*filter.consumer)) : std::nullopt,
                      filter.id ? std::optional(parked_id_key(key_of_id(*filter.id))) : std::nullopt,
                      schema_ >= first_schema_with_audit);
}

std::vector<Parked> LotFile::list(const ParkedFilter& filter, std::size_t limit, Payloads payloads) {
  const ParkedChoice chosen = choice(filter);
  const char* columns = payloads == Payloads::included ? parked_columns : parked_columns_without_payload;
  Statement find(connection_, std::string("SELECT ") + columns +
                                  ", consumer, length(payload) FROM idem_parked WHERE number IN (SELECT number FROM " +
                                  chosen.sql() + " ORDER BY number LIMIT ?) ORDER BY number");
  find.bind(chosen.bind(find, 1), Value(static_cast<std::int64_t>(limit)));
  std::vector<Parked> messages;
  for (Statement::Rows rows(find); rows.next();)
    messages.push_back({consumer_name(rows.integer(13)), read_parked(rows),
                        rows.is_null(14) ? std::nullopt : std::optional(static_cast<std::size_t>(rows.integer(14)))});
  return messages;
}

std::vector<ParkedCount> LotFile::counts(const ParkedFilter& filter) {
  const ParkedChoice chosen = choice(filter);
  Statement all(connection_, "SELECT consumer, reason, number FROM " + chosen.sql());
  chosen.bind(all, 1);
  std::map<std::pair<std::int64_t, ParkReason>, ParkedCount> counts;
  for (Statement::Rows rows(all); rows.next();) {
    ParkedCount& count = counts[{rows.integer(0), reason_of(rows, 1)}];
    ++count.messages;
    count.last_number = std::max(count.last_number, rows.integer(2));
  }
  std::vector<ParkedCount> answer;
  for (const auto& [of, count] : counts)
    answer.push_back({consumer_name(of.first), of.second, count.messages, count.last_number});
  return answer;
}

void LotFile::write_audit(const ParkedChoice& chosen, const ByHand& by) {
  Statement insert(connection_,
                   insert_audit_of_parked + ("IN (SELECT number FROM " + chosen.sql() + ") ORDER BY number"));
  insert.bind(1, milliseconds(now()));
  insert.bind(2, std::string_view(by.who));
  insert.bind(3, std::string_view(by.why));
  insert.bind(4, std::string_view("drop"));
  chosen.bind(insert, 5);
  insert.run_bound();
}

std::size_t LotFile::drop(const ParkedFilter& filter, const ByHand& by) {
  const ParkedChoice chosen = choice(filter);
  write_audit(chosen, by);
  if (IDEM_FAILPOINT("parked.drop")) throw StoreError("failpoint parked.drop", true);
  Statement erase(connection_,
                  "DELETE FROM idem_parked WHERE number IN (SELECT number FROM " + chosen.sql() + ")");
  chosen.bind(erase, 1);
  erase.run_bound();
  return static_cast<std::size_t>(connection_.changes());
}

Redriven LotFile::redrive(const ParkedFilter& filter, const ByHand& by, const RedriveOptions& options) {
  const ParkedChoice chosen = choice(filter);
  std::vector<std::int64_t> numbers;
  {
    Statement find(connection_, "SELECT number FROM " + chosen.sql() + " ORDER BY number LIMIT ?");
    find.bind(chosen.bind(find, 1), Value(static_cast<std::int64_t>(options.limit)));
    for (Statement::Rows rows(find); rows.next();) numbers.push_back(rows.integer(0));
  }
  Redrive redrive(connection_, by, now());
  const Timestamp first = options.due.value_or(now());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto seconds_to_thousandths = [&] { return static_cast<std::int64_t>(i * 1'000 / options.per_second); };
    redrive.message(numbers[i], first + std::chrono::milliseconds(options.per_second == 0 ? 0 : seconds_to_thousandths()));
  }
  return {numbers.size(), numbers.empty() ? 0 : numbers.back()};
}

bool LotFile::ended_here(Statement& numbers_and_reasons, std::int64_t consumer, const std::string& id_key,
                         std::int64_t after, std::vector<std::int64_t>& numbers) {
  bool ended = false;
  for (auto rows = numbers_and_reasons.rows(Blob{id_key}, consumer); rows.next();) {
    if (numbers.size() < numbers_of_an_id) numbers.push_back(rows.integer(0));
    ended = ended || (rows.integer(0) > after && park_reason(rows.text(1)) != ParkReason::id_conflict);
  }
  return ended;
}

RememberedId LotFile::look_up(const std::string& consumer, std::string_view id) {
  if (schema_ < first_schema_with_runs)
    throw StoreError("its ids are kept as an older idem did (schema " + std::to_string(schema_) +
                         "): they can be asked for when a service of this version has opened it",
                     false);
  const std::int64_t number = consumer_number(consumer);
  const IdKey key = key_of_id(id);
  const std::string id_key = parked_id_key(key);
  RememberedId answer;
  Statement parked(connection_,
                   "SELECT number, reason FROM idem_parked WHERE id_key = ? AND consumer = ? ORDER BY number DESC");
  const bool has_audit = schema_ >= first_schema_with_audit;
  const std::int64_t before_forgotten = has_audit ? parked_before_forgotten(connection_, number, key) : 0;
  bool ended = ended_here(parked, number, id_key, before_forgotten, answer.parked);
  if (has_audit) {
    Statement dropped(connection_,
                      "SELECT parked, reason FROM idem_audit WHERE id_key = ? AND consumer = ? AND what = 'drop' "
                      "ORDER BY number DESC");
    ended = ended_here(dropped, number, id_key, before_forgotten, answer.dropped) || ended;
  }
  if (schema_ >= first_schema_with_returning) {
    Statement redriven(connection_,
                       "SELECT parked FROM idem_audit WHERE id_key = ? AND consumer = ? AND what = 'redrive' "
                       "ORDER BY number DESC LIMIT ?");
    for (auto rows = redriven.rows(Blob{id_key}, number, numbers_of_an_id); rows.next();)
      answer.redriven.push_back(rows.integer(0));
    Statement returning(connection_,
                        "SELECT min(due) FROM idem_returning WHERE id_key = ? AND consumer = ?");
    if (auto rows = returning.rows(Blob{id_key}, number); rows.next()) answer.returns_at = maybe_time_of(rows, 0);
  }
  const Claimed claim = find_claim(connection_, number, key);
  if (claim == Claimed::forgotten) {
    answer.state = RememberedId::State::forgotten;
  } else if (const auto found = find_remembering(connection_, number, key)) {
    answer.state = ended ? RememberedId::State::parked : RememberedId::State::done;
    answer.generation = found->generation;
    answer.from = found->from;
    answer.to = found->to;
  } else if (claim == Claimed::yes) {
    answer.state = RememberedId::State::claimed;
  }
  if (answer.returns_at) answer.state = RememberedId::State::returning;
  Statement horizon(connection_, "SELECT max(bound) FROM idem_horizon WHERE consumer = ?");
  if (auto rows = horizon.rows(number); rows.next()) answer.forgotten_until = maybe_time_of(rows, 0);
  return answer;
}

RememberedId LotFile::forget(const std::string& consumer, std::string_view id, const ByHand& by) {
  RememberedId known = look_up(consumer, id);
  if (known.state != RememberedId::State::done && known.state != RememberedId::State::parked) return known;
  const std::int64_t number = consumer_number(consumer);
  const IdKey key = key_of_id(id);
  write_audit(number, id, key, by);
  if (IDEM_FAILPOINT("ids.forget")) throw StoreError("failpoint ids.forget", true);
  let_through(number, key);
  return known;
}

void LotFile::write_audit(std::int64_t consumer, std::string_view id, const IdKey& key, const ByHand& by) {
  Statement insert(connection_,
                   "INSERT INTO idem_audit (at, who, why, what, consumer, parked, id, id_key) VALUES (?, ?, ?, 'forget', "
                   "?, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'idem_parked'), 0), ?, ?)");
  const std::string id_key = parked_id_key(key);
  insert.run(milliseconds(now()), by.who, by.why, consumer, Blob{id}, Blob{id_key});
}

// What is remembered stays where it is, in rows that are never changed: the claim goes before it.
void LotFile::let_through(std::int64_t consumer, const IdKey& key) {
  const KeyBytes bytes(key);
  Statement claim(connection_, "INSERT INTO idem_claim (consumer, id_key, fingerprint, forgotten) VALUES (?, ?, 0, 1)");
  claim.run(consumer, bytes.blob());
  std::vector<std::int64_t> generations;
  Statement all(connection_, "SELECT number FROM idem_generation WHERE consumer = ?");
  for (auto rows = all.rows(consumer); rows.next();) generations.push_back(rows.integer(0));
  for (const std::int64_t generation : generations) {
    Statement erase(connection_, "DELETE FROM " + Results::table(generation) + " WHERE id_key = ?");
    erase.run(bytes.blob());
  }
}

void require_meant(const std::string& call, const ParkedFilter& filter, const ByHand& by) {
  if (filter == ParkedFilter{}) throw std::invalid_argument(call + ": the filter says nothing");
  if (by.who.empty()) throw std::invalid_argument(call + ": ByHand::who is required");
}

void require_valid(const RedriveOptions& options) {
  if (options.limit == 0) throw std::invalid_argument("RedriveOptions::limit must be at least 1");
}

}  // namespace idem::sqlite
