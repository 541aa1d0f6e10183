#include "sqlite/outbox.h"

#include <sqlite3.h>

#include <chrono>
#include <stdexcept>
#include <utility>

#include "runtime/failpoint.h"
#include "sqlite/header_bytes.h"
#include "sqlite/values.h"
#include "sqlite/writer.h"

namespace idem::sqlite {
namespace {

constexpr std::size_t rows_at_once = 32;

std::string insert_statement(std::size_t rows) {
  std::string sql = "INSERT INTO idem_outbox (number, destination, id, key, payload, headers) VALUES ";
  for (std::size_t i = 0; i < rows; ++i) sql += i == 0 ? "(?, ?, ?, ?, ?, ?)" : ", (?, ?, ?, ?, ?, ?)";
  return sql;
}

/// id, whether it is a blob, key, payload, headers, from this column on.
OutgoingMessage message_of(const Row& row, int first) {
  OutgoingMessage message;
  message.id = row.integer(first + 1) ? publish::text_of_uuid(row.text(first)) : std::string(row.text(first));
  message.key = owned(row, first + 2);
  message.payload = owned(row, first + 3);
  if (!row.is_null(first + 4)) message.headers = decode_headers(row.text(first + 4));
  return message;
}

}  // namespace

Outbox::Outbox(Writer& writer)
    : writer_(writer),
      insert_(writer.connection(), insert_statement(1)),
      insert_many_(writer.connection(), insert_statement(rows_at_once)),
      remove_(writer.connection(), "DELETE FROM idem_outbox WHERE number = ?"),
      park_(writer.connection(),
            "INSERT INTO idem_outbox_parked (number, destination, id, key, payload, headers, why, parked_at) "
            "SELECT number, name, id, key, payload, headers, ?, ? FROM idem_outbox JOIN idem_outbox_destination USING "
            "(destination) WHERE number = ?"),
      last_number_(last_number()),
      reader_(writer.database().settings_of_reader()),
      read_(reader_,
            "SELECT number, id, typeof(id) = 'blob', key, payload, headers FROM idem_outbox WHERE number > ? AND "
            "destination = (SELECT destination FROM idem_outbox_destination WHERE name = ?) ORDER BY number LIMIT ?"),
      parked_(reader_,
              "SELECT number, destination, id, typeof(id) = 'blob', key, payload, headers, why, parked_at "
              "FROM idem_outbox_parked WHERE number > ? ORDER BY number LIMIT ?"),
      waiting_(reader_,
               "SELECT name, count(*) FROM idem_outbox JOIN idem_outbox_destination USING (destination) "
               "GROUP BY name") {}

// Parked ones count: a number names a row for people, too.
std::int64_t Outbox::last_number() {
  Statement last(writer_.connection(),
                 "SELECT max(coalesce((SELECT max(number) FROM idem_outbox), 0), "
                 "coalesce((SELECT max(number) FROM idem_outbox_parked), 0))");
  auto rows = last.rows();
  rows.next();
  return rows.integer(0);
}

// --- destinations --------------------------------------------------------------------------------------------------

std::int64_t Outbox::number_of(const std::string& destination) {
  Statement find(writer_.connection(), "SELECT destination FROM idem_outbox_destination WHERE name = ?");
  for (auto rows = find.rows(destination); rows.next();) return rows.integer(0);
  writer_.run_alone([&] {
    Statement insert(writer_.connection(), "INSERT INTO idem_outbox_destination (name) VALUES (?)");
    insert.run(destination);
  });
  return number_of(destination);
}

void Outbox::open(const std::string& destination, std::function<void()> on_commit) {
  std::int64_t number = 0;
  try {
    Writer::Hold hold(writer_);
    number = number_of(destination);
  } catch (const SqlError& e) {
    throw writer_.database().store_error(e);
  }
  std::lock_guard lock(known_mutex_);
  Known& known = known_[destination];
  if (known.on_commit)
    throw std::logic_error("idem: rows for \"" + destination + "\" are sent by another relay of this store already");
  known.number = number;
  known.on_commit = std::move(on_commit);
}

void Outbox::close(const std::string& destination) noexcept {
  std::lock_guard lock(known_mutex_);
  if (const auto found = known_.find(destination); found != known_.end()) found->second.on_commit = nullptr;
}

bool Outbox::is_open(const std::string& destination) const {
  std::lock_guard lock(known_mutex_);
  return known_.contains(destination);
}

// --- writing -------------------------------------------------------------------------------------------------------

std::string Outbox::insert_into(Outbox* outbox, std::string_view destination, OutgoingMessage message) {
  if (!outbox)
    throw TransactionError("publish(\"" + std::string(destination) +
                           "\"): no idem::Relay has a destination in this store; add it before the runtime runs");
  return outbox->insert(destination, std::move(message));
}

std::string Outbox::insert(std::string_view destination, OutgoingMessage message) {
  const std::int64_t to = will_be_written(destination);
  Pending& row = pending_.emplace_back();
  row.to = to;
  if (message.id.empty()) row.made = ids_.next();
  std::string id = row.made ? publish::text_of_uuid(publish::bytes_of(*row.made)) : message.id;
  row.message = std::move(message);
  pending_bytes_ += row.message.size();
  writer_.group().take_part(*this);
  (void)IDEM_FAILPOINT("outbox.inserted");
  return id;
}

/// The destination's number.
std::int64_t Outbox::will_be_written(std::string_view destination) {
  std::lock_guard lock(known_mutex_);
  if (const auto found = known_.find(destination); found != known_.end()) {
    found->second.written = true;
    return found->second.number;
  }
  std::string names;
  for (const auto& [name, known] : known_) names += (names.empty() ? "\"" : ", \"") + name + "\"";
  throw TransactionError("publish(\"" + std::string(destination) + "\"): no relay has this destination; there are " +
                         (names.empty() ? "none" : names));
}

void Outbox::remove(std::span<const std::int64_t> numbers) {
  Writer::Hold hold(writer_);
  to_remove_.insert(to_remove_.end(), numbers.begin(), numbers.end());
  writer_.group().take_part(*this);
  writer_.commit_soon();
}

void Outbox::park(std::int64_t number, const std::string& why) {
  Writer::Hold hold(writer_);
  writer_.run_alone([&] {
    park_.run(why, milliseconds(now()), number);
    remove_.run(number);
  });
}

// --- as Participant ------------------------------------------------------------------------------------------------

// Just before COMMIT, all in a row: several times cheaper than one by one between the statements of handlers. Numbers are
// given here, so their order is the order of commit.
void Outbox::write() {
  std::int64_t number = last_number_;
  std::size_t next = 0;
  const auto write_with = [&](Statement& insert, std::size_t rows) {
    std::vector<std::string> headers;  // bound, not copied
    headers.reserve(rows);
    int parameter = 0;
    for (const std::size_t end = next + rows; next < end; ++next) {
      const Pending& row = pending_[next];
      headers.push_back(encode_headers(row.message.headers));
      insert.bind(++parameter, ++number);
      insert.bind(++parameter, row.to);
      insert.bind(++parameter,
                  row.made ? Value(Blob{publish::bytes_of(*row.made)}) : Value(std::string_view(row.message.id)));
      insert.bind(++parameter, blob(row.message.key));
      insert.bind(++parameter, blob(row.message.payload));
      insert.bind(++parameter, headers.back().empty() ? Value(nullptr) : Value(Blob{headers.back()}));
    }
    insert.run_bound();
  };
  while (pending_.size() - next >= rows_at_once) write_with(insert_many_, rows_at_once);
  while (next < pending_.size()) write_with(insert_, 1);
  written_up_to_ = number;
  for (const std::int64_t sent : to_remove_) remove_.run(sent);
}

void Outbox::keep() { kept_ = pending_.size(); }

void Outbox::take_back() noexcept {
  for (std::size_t i = kept_; i < pending_.size(); ++i) pending_bytes_ -= pending_[i].message.size();
  pending_.resize(kept_);
}

void Outbox::committed() noexcept {
  last_number_ = written_up_to_;
  to_remove_.clear();
  forget_pending();
  std::lock_guard lock(known_mutex_);
  for (auto& [name, known] : known_)
    if (std::exchange(known.written, false) && known.on_commit) known.on_commit();
}

// What was to be removed goes with the next group that has to do with the outbox.
void Outbox::lost() noexcept {
  forget_pending();
  std::lock_guard lock(known_mutex_);
  for (auto& [name, known] : known_) known.written = false;
}

void Outbox::forget_pending() noexcept {
  pending_.clear();
  pending_bytes_ = kept_ = 0;
}

// --- reading -------------------------------------------------------------------------------------------------------

// It has no part in the writer's fate: what fails here is tried again, on a connection opened anew.
template <class Work>
auto Outbox::reading(Work work) {
  std::lock_guard lock(reader_mutex_);
  try {
    if (IDEM_FAILPOINT("outbox.read")) throw SqlError(SQLITE_BUSY, "failpoint outbox.read");
    return work();
  } catch (const SqlError& e) {
    std::string why = std::string("reading the outbox: ") + e.what();
    try {
      reader_.reopen();
    } catch (const SqlError& again) {
      why += std::string("; ") + again.what();
    }
    throw StoreError(why, true);
  }
}

std::vector<OutboxTable::Row> Outbox::read(const std::string& destination, std::int64_t after, std::size_t messages,
                                           std::size_t bytes) {
  return reading([&] {
    std::vector<OutboxTable::Row> found;
    auto rows = read_.rows(after, destination, messages);
    for (std::size_t taken = 0; (found.empty() || taken < bytes) && rows.next();) {
      OutboxTable::Row row{rows.integer(0), message_of(rows, 1)};
      taken += row.message.size();
      if (taken > bytes && !found.empty()) break;
      found.push_back(std::move(row));
    }
    return found;
  });
}

std::vector<ParkedOutgoing> Outbox::parked(std::int64_t after, std::size_t limit) {
  return reading([&] {
    std::vector<ParkedOutgoing> found;
    for (auto rows = parked_.rows(after, limit); rows.next();)
      found.push_back({rows.integer(0), std::string(rows.text(1)), message_of(rows, 2), std::string(rows.text(7)),
                       Timestamp(std::chrono::milliseconds(rows.integer(8)))});
    return found;
  });
}

std::map<std::string, std::size_t> Outbox::waiting() {
  return reading([&] {
    std::map<std::string, std::size_t> found;
    for (auto rows = waiting_.rows(); rows.next();)
      found.emplace(rows.text(0), static_cast<std::size_t>(rows.integer(1)));
    return found;
  });
}

}  // namespace idem::sqlite
