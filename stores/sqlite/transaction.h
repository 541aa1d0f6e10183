// A handler's SQL: where it may run, and what an error in it means.
#pragma once

#include <atomic>
#include <thread>

#include "sqlite/writer.h"

namespace idem::sqlite {

class SqliteTransaction : public Transaction {
 public:
  explicit SqliteTransaction(Writer& writer) : writer_(writer) {}

  void* native_handle() override;

  /// From here on this thread may use it; from close() on nobody may.
  void open();
  void close();

 protected:
  ~SqliteTransaction() = default;

  /// Before each statement: makes sure that what it writes belongs to this scope. Throws if it cannot.
  virtual void touch() = 0;
  /// The store failed under a statement: leaves nothing of the scope and the write turn to others.
  virtual void abandon() = 0;

 private:
  std::int64_t execute(std::string_view sql, std::span<const Value> values) override;
  void select(std::string_view sql, std::span<const Value> values,
              const std::function<void(const Row&)>& on_row) override;
  std::string enqueue(std::string_view destination, OutgoingMessage&& message) override;

  void require_open() const;
  [[noreturn]] void fail(const SqlError& error);

  Writer& writer_;
  std::atomic<std::thread::id> user_{};  // who may use it; nobody outside of open() … close()
  bool native_used_ = false;
};

}  // namespace idem::sqlite
