#include <idem/once.h>

#include <condition_variable>
#include <mutex>
#include <stdexcept>

#include "core/siphash.h"

namespace idem {
namespace {

/// Waits for the one settlement of a synchronous call.
class Wait final : public SettleListener {
 public:
  void on_settled(std::span<const Settlement> settlements) noexcept override {
    std::lock_guard lock(mutex_);
    settled_ = settlements.back();
    changed_.notify_one();
  }
  bool durable() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return settled_.has_value(); });
    const bool durable = settled_->durable;
    settled_.reset();
    return durable;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Settlement> settled_;
};

}  // namespace

Once once(TransactionalStore& store, std::string_view consumer, std::string_view id,
          const std::function<void(Transaction&)>& fn, std::string_view content) {
  if (id.empty()) throw std::invalid_argument("idem: once() needs an id");
  const auto ledger = store.ledger({std::string(consumer)});
  Wait wait;
  const auto session = ledger->session(wait);

  Message message;
  message.id = id;
  message.topic = "once";
  Record record;
  record.message = &message;
  record.id = core::siphash128(ledger->hash_key(), id);
  record.fingerprint = content.empty() ? 0 : core::siphash64(ledger->hash_key(), content) | 1;
  record.time = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
  const Record* records[] = {&record};

  // Settles as not durable only when its group failed, which says nothing about this call: it is tried again.
  for (;;) {
    Seen seen[1] = {Seen::fresh};
    session->look_up(records, seen);
    if (seen[0] == Seen::conflict || seen[0] == Seen::claim_conflict) return Once::conflict;
    Conclusion conclusion;
    Joined joined;
    if (seen[0] == Seen::duplicate) {
      conclusion.kind = Conclusion::Kind::skipped;
      joined = session->finish(record, conclusion);
    } else {
      Transaction& tx = session->begin(record);
      try {
        fn(tx);
      } catch (...) {
        (void)session->roll_back();
        session->yield();
        throw;
      }
      joined = session->finish(record, conclusion);
    }
    if (joined != Joined::joined) continue;
    session->yield();
    if (wait.durable()) return conclusion.kind == Conclusion::Kind::done ? Once::applied : Once::duplicate;
  }
}

}  // namespace idem
