// The rows that wait to be sent, and those that never will be.
//
// What a handler publishes waits in memory and is written just before COMMIT, in the transaction of its effect. Relays
// read through a connection of their own, which sees what is committed and nothing else. The one writer numbers rows, so
// the order of numbers is the order of commit. Rows that were sent are deleted with whatever group commits next.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <idem/outbox.h>

#include "publishers/message_id.h"
#include "sqlite/connection.h"
#include "sqlite/group.h"

namespace idem::sqlite {

class Writer;

class Outbox final : public OutboxTable, private Participant {
 public:
  /// Under the write turn. Throws StoreError.
  explicit Outbox(Writer& writer);

  // --- OutboxTable: any thread, without the write turn
  void open(const std::string& destination, std::function<void()> on_commit) override;
  void close(const std::string& destination) noexcept override;
  bool is_open(const std::string& destination) const override;
  std::vector<Row> read(const std::string& destination, std::int64_t after, std::size_t messages,
                        std::size_t bytes) override;
  void remove(std::span<const std::int64_t> numbers) override;
  void park(std::int64_t number, const std::string& why) override;
  std::vector<ParkedOutgoing> parked(std::int64_t after, std::size_t limit) override;
  std::map<std::string, std::size_t> waiting() override;

  // --- under the write turn, in an open transaction
  /// `outbox` may be null: nobody relays for this store. Throws TransactionError for a name that is not open, SqlError.
  /// Returns the message's id.
  static std::string insert_into(Outbox* outbox, std::string_view destination, OutgoingMessage message);
  /// So much of the open group that it had better commit.
  bool full() const { return pending_bytes_ >= most_pending_bytes; }

 private:
  static constexpr std::size_t most_pending_bytes = 8 << 20;
  struct Pending {
    std::int64_t to = 0;
    std::optional<publish::Uuid> made;  ///< the id, if it is ours; message.id is empty then
    OutgoingMessage message;
  };

  struct Known {
    std::int64_t number = 0;          ///< in the table of destinations
    std::function<void()> on_commit;  ///< empty: closed
    bool written = false;             ///< rows of it are in the open group
  };

  std::string insert(std::string_view destination, OutgoingMessage message);
  std::int64_t will_be_written(std::string_view destination);
  void keep() override;
  void take_back() noexcept override;
  void write() override;
  void committed() noexcept override;
  void lost() noexcept override;
  void forget_pending() noexcept;
  std::int64_t last_number();
  std::int64_t number_of(const std::string& destination);
  template <class Work>
  auto reading(Work work);

  Writer& writer_;
  mutable std::mutex known_mutex_;
  std::map<std::string, Known, std::less<>> known_;  ///< guarded by known_mutex_

  // --- under the write turn
  publish::MessageIds ids_;
  Statement insert_, insert_many_, remove_, park_;
  std::int64_t last_number_, written_up_to_ = 0;
  std::vector<Pending> pending_;    ///< of the open group
  std::size_t kept_ = 0;            ///< so many of them belong to it for good
  std::size_t pending_bytes_ = 0;
  std::vector<std::int64_t> to_remove_;

  // --- guarded by reader_mutex_
  std::mutex reader_mutex_;
  Connection reader_;
  Statement read_, parked_, waiting_;
};

}  // namespace idem::sqlite
