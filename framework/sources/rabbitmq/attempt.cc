#include "sources/rabbitmq/attempt.h"

namespace idem::rabbit {

Attempt::Attempt(const Configuration& configuration, Wish wish, std::unique_ptr<Connection> old,
                 std::function<void()> on_end)
    : thread_([this, &configuration, wish = std::move(wish), old = std::move(old), on_end = std::move(on_end)]() mutable {
        Result result;
        try {
          if (old) old->close();
          old.reset();
          result.connection = establish(configuration, wish, cancelled_);
        } catch (const Failure& failure) {
          result.failure.emplace(failure);
        } catch (const std::exception& failure) {
          result.failure.emplace(0, failure.what());
        }
        {
          std::lock_guard lock(mutex_);
          result_ = std::move(result);
        }
        on_end();
      }) {}

Attempt::~Attempt() {
  cancelled_ = true;
  thread_.join();
  if (result_ && result_->connection) result_->connection->close();
}

std::optional<Attempt::Result> Attempt::take() {
  std::lock_guard lock(mutex_);
  if (!result_) return std::nullopt;
  std::optional<Result> taken = std::move(result_);
  result_.reset();
  return taken;
}

}  // namespace idem::rabbit
