// What one consumer remembers: positions, ids, how long, and what is parked.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <idem/store.h>

#include "sqlite/claims.h"
#include "sqlite/id_index.h"
#include "sqlite/parking_lot.h"
#include "sqlite/positions.h"
#include "sqlite/results.h"
#include "sqlite/retention.h"
#include "sqlite/returning.h"
#include "sqlite/writer.h"

namespace idem::sqlite {

class SqliteLedger final : public Ledger, public std::enable_shared_from_this<SqliteLedger>, private Participant {
 public:
  /// Under the write turn: finds or makes the consumer's rows.
  SqliteLedger(std::shared_ptr<Writer> writer, const LedgerOptions& options);
  ~SqliteLedger() override;

  std::chrono::milliseconds retention() const { return options_.retention; }

  // --- Ledger -----------------------------------------------------------------------------------------------

  const HashKey& hash_key() const override { return writer_->database().identity().hash_key; }
  Opened open(const PartitionRef& partition) override;
  void reset(std::uint32_t slot, const Progress& progress, std::string_view origin) override;
  void skip(std::uint32_t slot, std::int64_t from, std::int64_t to, std::uint64_t token,
            SettleListener& listener) override;
  std::unique_ptr<Session> session(SettleListener& listener) override;
  void advance(Timestamp time) override { retention_.advance(time); }
  Timestamp stream_time() const override { return retention_.stream_time(); }
  Ending ending(const IdKey& id) override;
  std::vector<ParkedMessage> parked(std::int64_t after, std::size_t limit) override;
  Returning returning(const PartitionRef& partition, Timestamp now, std::size_t limit,
                      const std::function<bool(std::int64_t)>& in_hand) override;
  std::uint64_t returning_changes() const override { return writer_->redriven(); }

  // --- For sessions, under the write turn -------------------------------------------------------------------

  Writer& writer() { return *writer_; }

  /// Begins and drops generations when it is time. Commits the open group then.
  void turn_over();
  void look_up(std::span<const Record* const> records, std::span<Seen> seen);
  IdIndex::Moment now() const { return ids_.now(); }

  bool position_done(const Record& record) const;
  void finish_position(const Record& record);
  /// False, and nothing is remembered, if another record of that id was first.
  /// `then` is now() of its look-up.
  bool remember(const Record& record, IdIndex::Moment then);
  /// False, and nothing is claimed, if another record of that id was first.
  bool claim(const Record& record, IdIndex::Moment then);
  /// By another message, if the record is a conflict.
  bool claimed(const IdKey& id) const { return claims_.find(id).has_value(); }
  /// Of the id just remembered.
  void keep_result(const IdKey& id, std::string_view result) { results_.put(id, result); }
  void park(const Record& record, const Conclusion& conclusion) { parking_lot_.park(record, conclusion); }
  /// False: it had come back and has ended since.
  bool delay(const Record& record, const Conclusion& conclusion);
  /// What has come back does so no more. False: it has ended already.
  bool end_return(const Record& record) { return returning_.remove(record.returning); }

 private:
  void keep() override { positions_.keep(), ids_.keep(), claims_.keep(); }
  void take_back() noexcept override { positions_.take_back(), ids_.take_back(), claims_.take_back(); }
  void write() override;
  void committed() noexcept override;
  void lost() noexcept override;

  Seen judge(const Record& record, std::optional<std::uint64_t> remembered) const;
  Seen judge_unremembered(const Record& record) const;
  std::optional<Seen> judge_unasked(const Record& record);
  std::optional<Seen> judge_returning(const Record& record);
  std::optional<Seen> judge_claimed(const Record& record) const;
  bool remembered_for_itself(const Record& record);
  static std::int64_t find_or_make(Writer& writer, const std::string& name);

  const std::shared_ptr<Writer> writer_;
  const LedgerOptions options_;
  const std::int64_t consumer_;
  Positions positions_;
  IdIndex ids_;
  Results results_;
  Claims claims_;
  Retention retention_;
  ParkingLot parking_lot_;
  ReturningMessages returning_;

  // Of look_up, kept so that a run costs no allocation.
  std::vector<std::size_t> asked_;  // which record each key is of
  std::vector<IdKey> keys_;
  std::vector<std::optional<std::uint64_t>> found_;  // fingerprints
};

}  // namespace idem::sqlite
