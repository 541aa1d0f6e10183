#include "sqlite/outbox.h"

#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "runtime/failpoint.h"
#include "sqlite/header_bytes.h"
#include "sqlite/values.h"
#include "sqlite/writer.h"

namespace idem::sqlite {
namespace {

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
      insert_(writer.connection(), "INSERT INTO idem_outbox (number, destination, messages, pack) VALUES (?, ?, ?, ?)"),
      delete_(writer.connection(), "DELETE FROM idem_outbox WHERE number = ?"),
      mark_(writer.connection(), "INSERT OR REPLACE INTO idem_outbox_marks (number, marked, bits) VALUES (?, ?, ?)"),
      unmark_(writer.connection(), "DELETE FROM idem_outbox_marks WHERE number = ?"),
      park_(writer.connection(),
            "INSERT INTO idem_outbox_parked (number, destination, id, key, payload, headers, why, parked_at) "
            "SELECT ?, name, ?, ?, ?, ?, ?, ? FROM idem_outbox JOIN idem_outbox_destination USING (destination) "
            "WHERE number = ?"),
      find_pack_(writer.connection(),
                 "SELECT number, messages FROM idem_outbox WHERE number <= ? ORDER BY number DESC LIMIT 1"),
      find_marks_(writer.connection(),
                  "SELECT messages, bits FROM idem_outbox LEFT JOIN idem_outbox_marks USING (number) WHERE number = ?"),
      body_(writer.connection(), "SELECT pack FROM idem_outbox WHERE number = ?"),
      last_number_(last_number()),
      reader_(writer.database().settings_of_reader()),
      read_(reader_,
            "SELECT number, messages, pack, bits FROM idem_outbox LEFT JOIN idem_outbox_marks USING (number) WHERE "
            "destination = (SELECT destination FROM idem_outbox_destination WHERE name = ?2) AND "
            "number >= coalesce((SELECT max(number) FROM idem_outbox WHERE number <= ?1 + 1), 0) ORDER BY number"),
      parked_(reader_,
              "SELECT number, destination, id, typeof(id) = 'blob', key, payload, headers, why, parked_at "
              "FROM idem_outbox_parked WHERE number > ? ORDER BY number LIMIT ?"),
      waiting_(reader_,
               "SELECT name, sum(messages - coalesce(marked, 0)) FROM idem_outbox JOIN idem_outbox_destination USING "
               "(destination) LEFT JOIN idem_outbox_marks USING (number) GROUP BY name") {
  spares_.reserve(most_spares);
}

// Parked ones count: a number names a row for people, too.
std::int64_t Outbox::last_number() {
  Statement last(writer_.connection(),
                 "SELECT max(coalesce((SELECT max(number + messages - 1) FROM idem_outbox), 0), "
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

std::string Outbox::insert_into(Outbox* outbox, std::string_view destination, OutgoingMessage&& message) {
  if (!outbox)
    throw TransactionError("publish(\"" + std::string(destination) +
                           "\"): no idem::Relay has a destination in this store; add it before the runtime runs");
  return outbox->insert(destination, std::move(message));
}

std::string Outbox::insert(std::string_view destination, OutgoingMessage&& message) {
  Pack& pack = pack_for(destination);
  std::optional<publish::Uuid> made;
  if (message.id.empty()) made = pack.messages == 0 ? ids_.next() : ids_.next_of_same_time();
  pending_bytes_ -= pack.body.bytes().size();
  pack.body.append(made, message);
  ++pack.messages;
  pending_bytes_ += pack.body.bytes().size();
  writer_.group().take_part(*this);
  std::string id = made ? publish::text_of_uuid(publish::bytes_of(*made)) : std::move(message.id);
  (void)IDEM_FAILPOINT("outbox.inserted");
  return id;
}

Outbox::Pack& Outbox::pack_for(std::string_view destination) {
  const auto last =
      std::find_if(packs_.rbegin(), packs_.rend(), [&](const Pack& p) { return p.destination == destination; });
  if (last != packs_.rend() && last->body.bytes().size() < largest_pack) return *last;
  return packs_.emplace_back(start_pack(destination));
}

Outbox::Pack Outbox::start_pack(std::string_view destination) {
  Pack pack;
  std::lock_guard lock(known_mutex_);
  if (const auto found = known_.find(destination); found != known_.end()) {
    found->second.written = true;
    pack.destination = found->first;
    pack.to = found->second.number;
    if (!spares_.empty()) {
      pack.body = std::move(spares_.back());
      spares_.pop_back();
    }
    return pack;
  }
  std::string names;
  for (const auto& [name, known] : known_) names += (names.empty() ? "\"" : ", \"") + name + "\"";
  throw TransactionError("publish(\"" + std::string(destination) + "\"): no relay has this destination; there are " +
                         (names.empty() ? "none" : names));
}

// --- what was sent -------------------------------------------------------------------------------------------------

std::optional<std::int64_t> Outbox::pack_of(std::int64_t number) {
  const auto after = marks_.upper_bound(number);
  if (after != marks_.begin()) {
    const auto& [pack, marks] = *std::prev(after);
    if (number - pack < static_cast<std::int64_t>(marks.messages())) return pack;
  }
  auto rows = find_pack_.rows(number);
  if (!rows.next() || number - rows.integer(0) >= rows.integer(1)) return std::nullopt;
  return rows.integer(0);
}

PackMarks& Outbox::marks_of(std::int64_t pack) {
  if (const auto known = marks_.find(pack); known != marks_.end()) return known->second;
  auto rows = find_marks_.rows(pack);
  rows.next();
  return marks_.try_emplace(pack, static_cast<std::size_t>(rows.integer(0)), rows.text(1)).first->second;
}

void Outbox::write_marks(std::int64_t pack, const PackMarks& marks) {
  if (!marks.all()) return mark_.run(pack, marks.count(), Blob{marks.bits()});
  delete_.run(pack);
  unmark_.run(pack);
}

void Outbox::remove(std::span<const std::int64_t> numbers) {
  Writer::Hold hold(writer_);
  try {
    for (const std::int64_t number : numbers) {
      const auto pack = pack_of(number);
      if (pack && marks_of(*pack).mark(static_cast<std::size_t>(number - *pack))) to_write_.insert(*pack);
    }
  } catch (const SqlError& e) {
    throw writer_.database().store_error(e);
  }
  if (to_write_.empty()) return;
  writer_.group().take_part(*this);
  writer_.commit_soon();
}

void Outbox::park(std::int64_t number, const std::string& why) {
  Writer::Hold hold(writer_);
  std::optional<std::int64_t> pack;
  std::optional<PackMarks> marks;
  writer_.run_alone([&] {
    pack = pack_of(number);
    if (!pack) return;
    marks = marks_of(*pack);
    if (!marks->mark(static_cast<std::size_t>(number - *pack))) return;
    const OutgoingMessage message = message_in(*pack, number);
    const std::string headers = encode_headers(message.headers);
    park_.run(number, message.id, blob(message.key), blob(message.payload),
              headers.empty() ? Value(nullptr) : Value(Blob{headers}), why, milliseconds(now()), *pack);
    write_marks(*pack, *marks);
  });
  if (!pack) return;
  to_write_.erase(*pack);
  if (marks->all()) marks_.erase(*pack);
  else marks_.insert_or_assign(*pack, std::move(*marks));
}

OutgoingMessage Outbox::message_in(std::int64_t pack, std::int64_t number) {
  auto rows = body_.rows(pack);
  rows.next();
  PackReader messages(rows.text(0));
  for (; pack < number; ++pack) messages.skip();
  return messages.take();
}

// --- as Participant ------------------------------------------------------------------------------------------------

// Numbers are given here, so their order is the order of commit.
void Outbox::write() {
  std::int64_t number = last_number_;
  for (const Pack& pack : packs_) {
    if (pack.messages == 0) continue;
    insert_.run(number + 1, pack.to, pack.messages, Blob{pack.body.bytes()});
    number += pack.messages;
  }
  written_up_to_ = number;
  for (const std::int64_t pack : to_write_) write_marks(pack, marks_.at(pack));
}

void Outbox::keep() {
  for (Pack& pack : packs_) {
    pack.kept_messages = pack.messages;
    pack.kept_bytes = pack.body.bytes().size();
  }
}

void Outbox::take_back() noexcept {
  pending_bytes_ = 0;
  for (Pack& pack : packs_) {
    pack.messages = pack.kept_messages;
    pack.body.cut(pack.kept_bytes);
    pending_bytes_ += pack.kept_bytes;
  }
}

void Outbox::committed() noexcept {
  last_number_ = written_up_to_;
  for (const std::int64_t pack : to_write_)
    if (marks_.at(pack).all()) marks_.erase(pack);
  to_write_.clear();
  forget_pending();
  std::lock_guard lock(known_mutex_);
  for (auto& [name, known] : known_)
    if (std::exchange(known.written, false) && known.on_commit) known.on_commit();
}

// What was marked is written with the next group that has to do with the outbox.
void Outbox::lost() noexcept {
  forget_pending();
  std::lock_guard lock(known_mutex_);
  for (auto& [name, known] : known_) known.written = false;
}

void Outbox::forget_pending() noexcept {
  for (Pack& pack : packs_) {
    if (spares_.size() == most_spares) break;
    pack.body.cut(0);
    spares_.push_back(std::move(pack.body));
  }
  packs_.clear();
  pending_bytes_ = 0;
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
    std::size_t taken = 0;
    for (auto rows = read_.rows(after, destination); rows.next();) {
      const std::int64_t first = rows.integer(0);
      const PackMarks marks(static_cast<std::size_t>(rows.integer(1)), rows.text(3));
      PackReader pack(rows.text(2));
      for (std::size_t i = 0; i < marks.messages(); ++i) {
        const std::int64_t number = first + static_cast<std::int64_t>(i);
        if (number <= after || marks.marked(i)) {
          pack.skip();
          continue;
        }
        OutboxTable::Row row{number, pack.take()};
        taken += row.message.size();
        if (taken > bytes && !found.empty()) return found;
        found.push_back(std::move(row));
        if (found.size() == messages) return found;
      }
    }
    return found;
  });
}

std::vector<ParkedOutgoing> Outbox::parked(std::int64_t after, std::size_t limit) {
  return reading([&] {
    std::vector<ParkedOutgoing> found;
    for (auto rows = parked_.rows(after, limit); rows.next();)
      found.push_back({rows.integer(0), std::string(rows.text(1)), message_of(rows, 2), std::string(rows.text(7)),
                       time_of(rows, 8)});
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
