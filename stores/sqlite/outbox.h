// The rows that wait to be sent, and those that never will be.
//
// What a handler publishes waits in memory, packed, and is written just before COMMIT, in the transaction of its effect.
// Relays read through a connection of their own, which sees what is committed and nothing else. The one writer numbers
// messages, so the order of numbers is the order of commit. What was sent is marked with whatever group commits next; a
// pack of which all is marked is deleted.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <idem/outbox.h>

#include "publishers/message_id.h"
#include "sqlite/connection.h"
#include "sqlite/group.h"
#include "sqlite/outbox_pack.h"

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
  static std::string insert_into(Outbox* outbox, std::string_view destination, OutgoingMessage&& message);
  /// So much of the open group that it had better commit.
  bool full() const { return pending_bytes_ >= most_pending_bytes; }

 private:
  static constexpr std::size_t most_pending_bytes = 8 << 20;
  static constexpr std::size_t largest_pack = 64 << 10;  ///< but for its last message
  static constexpr std::size_t most_spares = 16;
  /// Of the open group.
  struct Pack {
    std::string_view destination;  ///< in known_
    std::int64_t to = 0, messages = 0;
    PackWriter body;
    std::int64_t kept_messages = 0;  ///< so many of them, and bytes, belong to the group for good
    std::size_t kept_bytes = 0;
  };

  struct Known {
    std::int64_t number = 0;          ///< in the table of destinations
    std::function<void()> on_commit;  ///< empty: closed
    bool written = false;             ///< messages for it are in the open group
  };

  std::string insert(std::string_view destination, OutgoingMessage&& message);
  void keep() override;
  void take_back() noexcept override;
  void write() override;
  void committed() noexcept override;
  void lost() noexcept override;
  void forget_pending() noexcept;
  Pack& pack_for(std::string_view destination);
  Pack start_pack(std::string_view destination);
  /// Of the row that has this message; nullopt: it is not there.
  std::optional<std::int64_t> pack_of(std::int64_t number);
  PackMarks& marks_of(std::int64_t pack);
  void write_marks(std::int64_t pack, const PackMarks& marks);
  OutgoingMessage message_in(std::int64_t pack, std::int64_t number);
  std::int64_t last_number();
  std::int64_t number_of(const std::string& destination);
  template <class Work>
  auto reading(Work work);

  Writer& writer_;
  mutable std::mutex known_mutex_;
  std::map<std::string, Known, std::less<>> known_;  ///< guarded by known_mutex_

  // --- under the write turn
  publish::MessageIds ids_;
  Statement insert_, delete_, mark_, unmark_, park_, find_pack_, find_marks_, body_;
  std::int64_t last_number_, written_up_to_ = 0;
  std::vector<Pack> packs_;  ///< whose destinations are known_ to be written
  std::vector<PackWriter> spares_;  ///< the memory of earlier packs
  std::size_t pending_bytes_ = 0;
  std::map<std::int64_t, PackMarks> marks_;  ///< of packs of which something was sent, by their rows' numbers
  std::set<std::int64_t> to_write_;          ///< whose marks have changed since a commit

  // --- guarded by reader_mutex_
  std::mutex reader_mutex_;
  Connection reader_;
  Statement read_, parked_, waiting_;
};

}  // namespace idem::sqlite
