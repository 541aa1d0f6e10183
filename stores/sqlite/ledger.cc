#include "sqlite/ledger.h"

#include "sqlite/id_lookup.h"
#include "sqlite/session.h"

namespace idem::sqlite {
namespace {

/// 0: not to be compared.
bool differ(std::uint64_t a, std::uint64_t b) { return a != 0 && b != 0 && a != b; }

}  // namespace

SqliteLedger::SqliteLedger(std::shared_ptr<Writer> writer, const LedgerOptions& options)
    : writer_(std::move(writer)),
      options_(options),
      consumer_(find_or_make(*writer_, options.consumer)),
      positions_(writer_->connection(), consumer_),
      ids_(writer_->connection(), writer_->ids_in_memory()),
      results_(writer_->connection()),
      claims_(writer_->connection(), consumer_),
      retention_(writer_->connection(), ids_, results_, consumer_, options.retention),
      parking_lot_(writer_->connection(), consumer_),
      returning_(writer_->connection(), consumer_) {
  turn_over();
}

// Records may still be in the open group, and the group calls back: it ends first. Stream time may be newer than the
// last group.
SqliteLedger::~SqliteLedger() {
  try {
    Writer::Hold hold(*writer_);
    if (retention_.unsaved()) writer_->group().take_part(*this);
    writer_->commit();
  } catch (const std::exception&) {
    // A dead store has no open group.
  }
}

std::int64_t SqliteLedger::find_or_make(Writer& writer, const std::string& name) {
  Statement find(writer.connection(), "SELECT consumer FROM idem_consumer WHERE name = ?");
  for (auto rows = find.rows(name); rows.next();) return rows.integer(0);
  writer.run_alone([&] {
    Statement insert(writer.connection(), "INSERT INTO idem_consumer (name, stream_time) VALUES (?, 0)");
    insert.run(name);
  });
  auto rows = find.rows(name);
  rows.next();
  return rows.integer(0);
}

Ledger::Opened SqliteLedger::open(const PartitionRef& partition) {
  Writer::Hold hold(*writer_);
  try {
    return positions_.open(partition);
  } catch (const SqlError& e) {
    throw writer_->database().store_error(e);
  }
}

void SqliteLedger::reset(std::uint32_t slot, const Progress& progress, std::string_view origin) {
  Writer::Hold hold(*writer_);
  writer_->run_alone([&] { positions_.write_reset(slot, progress, origin); });
  positions_.was_reset(slot, progress, origin);
}

void SqliteLedger::skip(std::uint32_t slot, std::int64_t from, std::int64_t to, std::uint64_t token,
                        SettleListener& listener) {
  Writer::Hold hold(*writer_);
  try {
    writer_->group().close_span();
  } catch (const SqlError& e) {
    throw writer_->database().store_error(e);
  }
  positions_.skip(slot, from, to);
  writer_->group().take_part(*this);
  writer_->joined(listener, token, Group::Clock::now());
}

std::unique_ptr<Session> SqliteLedger::session(SettleListener& listener) {
  return std::make_unique<SqliteSession>(shared_from_this(), listener);
}

Ledger::Ending SqliteLedger::ending(const IdKey& id) {
  Writer::Hold hold(*writer_);
  try {
    if (auto result = results_.find(id)) return {.parked = false, .result = std::move(result)};
    return {.parked = was_parked(writer_->connection(), consumer_, id), .result = std::nullopt};
  } catch (const SqlError& e) {
    throw writer_->database().store_error(e);
  }
}

std::vector<ParkedMessage> SqliteLedger::parked(std::int64_t after, std::size_t limit) {
  Writer::Hold hold(*writer_);
  try {
    writer_->commit();  // only what is durable is listed
    return parking_lot_.list(after, limit);
  } catch (const SqlError& e) {
    throw writer_->database().store_error(e);
  }
}

// Rows of the open group among them: if it is lost, whoever looks them up does not find them.
Ledger::Returning SqliteLedger::returning(const PartitionRef& partition, Timestamp now, std::size_t limit,
                                          const std::function<bool(std::int64_t)>& in_hand) {
  Writer::Hold hold(*writer_);
  try {
    return returning_.due(partition, now, limit, in_hand);
  } catch (const SqlError& e) {
    throw writer_->database().store_error(e);
  }
}

// --- For sessions ---------------------------------------------------------------------------------------------

void SqliteLedger::turn_over() {
  if (!retention_.due()) return;
  writer_->run_alone([this] { retention_.turn_over(); });
  retention_.applied();
}

void SqliteLedger::look_up(std::span<const Record* const> records, std::span<Seen> seen) {
  asked_.clear();
  keys_.clear();
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (const auto known = judge_unasked(*records[i])) {
      seen[i] = *known;
      continue;
    }
    asked_.push_back(i);
    keys_.push_back(*records[i]->id);
  }
  found_.assign(keys_.size(), std::nullopt);
  ids_.find(keys_, found_);
  for (std::size_t i = 0; i < asked_.size(); ++i) seen[asked_[i]] = judge(*records[asked_[i]], found_[i]);
}

/// Where the ids need not be asked.
std::optional<Seen> SqliteLedger::judge_unasked(const Record& record) {
  if (record.returning != 0) return judge_returning(record);
  if (position_done(record)) return Seen::duplicate;
  return record.id ? std::nullopt : std::optional(Seen::fresh);
}

std::optional<Seen> SqliteLedger::judge_returning(const Record& record) {
  const auto row = returning_.find(record.returning);
  if (!row) return Seen::duplicate;
  if (row->id != record.id) return std::nullopt;
  if (!record.id) return Seen::fresh;
  return judge_claimed(record).value_or(Seen::fresh);
}

Seen SqliteLedger::judge(const Record& record, std::optional<std::uint64_t> remembered) const {
  if (!remembered || claims_.forgotten(*record.id)) return judge_unremembered(record);
  return differ(record.fingerprint, *remembered) ? Seen::conflict : Seen::duplicate;
}

Seen SqliteLedger::judge_unremembered(const Record& record) const {
  if (const auto claimed = judge_claimed(record)) return *claimed;
  return retention_.undecidable(record.message->topic, record.time) ? Seen::undecidable : Seen::fresh;
}

std::optional<Seen> SqliteLedger::judge_claimed(const Record& record) const {
  const auto claimed_as = claims_.find(*record.id);
  if (!claimed_as) return std::nullopt;
  return differ(record.fingerprint, *claimed_as) ? Seen::claim_conflict : Seen::claimed;
}

/// That its id is there says nothing then: it was remembered when this very message was kept.
bool SqliteLedger::remembered_for_itself(const Record& record) {
  if (record.returning == 0) return false;
  const auto row = returning_.find(record.returning);
  return row && row->id == record.id;
}

bool SqliteLedger::position_done(const Record& record) const {
  return record.partition != Record::no_partition && positions_.done(record.partition, record.message->offset);
}

void SqliteLedger::finish_position(const Record& record) {
  if (record.partition == Record::no_partition) return;
  positions_.finish(record);
  writer_->group().take_part(*this);
}

bool SqliteLedger::remember(const Record& record, IdIndex::Moment then) {
  const bool for_itself = remembered_for_itself(record);
  bool added = true;
  if (for_itself) added = ids_.add(*record.id, record.fingerprint, IdIndex::before_all);
  else if (claims_.forgotten(*record.id)) ids_.add_again(*record.id, record.fingerprint);
  else if (!ids_.add(*record.id, record.fingerprint, then)) return false;
  claims_.remove(*record.id);
  if (added) retention_.note(record.message->topic, record.time);
  writer_->group().take_part(*this);
  return true;
}

bool SqliteLedger::claim(const Record& record, IdIndex::Moment then) {
  if (!remembered_for_itself(record) && ids_.knows(*record.id, record.returning != 0 ? IdIndex::before_all : then))
    return false;
  if (!claims_.add(*record.id, record.fingerprint)) return false;
  writer_->group().take_part(*this);
  return true;
}

bool SqliteLedger::delay(const Record& record, const Conclusion& conclusion) {
  if (record.returning != 0) return returning_.put_off(record, conclusion);
  returning_.add(record, conclusion);
  return true;
}

// --- As Participant -------------------------------------------------------------------------------------------

void SqliteLedger::write() {
  keep();
  positions_.write();
  ids_.write();
  claims_.write();
  retention_.write();
}

void SqliteLedger::committed() noexcept {
  positions_.committed();
  ids_.committed();
  claims_.committed();
  retention_.committed();
}

void SqliteLedger::lost() noexcept {
  positions_.lost();
  ids_.lost();
  claims_.lost();
  retention_.lost();
}

}  // namespace idem::sqlite
