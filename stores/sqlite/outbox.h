// The rows that wait to be sent, and those that never will be.
//
// Rows are written in the transaction of the handler that publishes, and read by relays through a connection of their
// own, which sees what is committed and nothing else. The one writer numbers them, so the order of numbers is the order
// of commit. Rows that were sent are deleted with whatever group commits next.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <idem/outbox.h>

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

 private:
  struct Known {
    std::function<void()> on_commit;  ///< empty: closed
    bool written = false;             ///< rows of it are in the open group
  };

  std::string insert(std::string_view destination, OutgoingMessage message);
  void keep() override {}
  void take_back() noexcept override {}
  void write() override;
  void committed() noexcept override;
  void lost() noexcept override;
  std::int64_t last_number();
  template <class Work>
  auto reading(Work work);

  Writer& writer_;
  mutable std::mutex known_mutex_;
  std::map<std::string, Known, std::less<>> known_;  ///< guarded by known_mutex_, its nodes stay

  // --- under the write turn
  Statement insert_, remove_, park_;
  std::int64_t last_number_;
  std::vector<std::int64_t> to_remove_;

  // --- guarded by reader_mutex_
  std::mutex reader_mutex_;
  Connection reader_;
  Statement read_, parked_, waiting_;
};

}  // namespace idem::sqlite
