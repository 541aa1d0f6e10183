// A publisher's own thread: how it starts, is woken, and ends with a result for every message.
//
// Who derives from it calls start() at the end of the constructor and close() in the destructor.
#pragma once

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "publishers/book.h"
#include "publishers/message_id.h"

namespace idem::publish {

template <class Message>
class Engine {
 public:
  using Requests = std::vector<Request<Message>>;
  using Known = PublishResult::Known;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // --- any thread
  bool flush(std::chrono::milliseconds timeout) {
    return intake_.wait_until_empty(std::chrono::steady_clock::now() + timeout);
  }

  Unresolved close(std::chrono::milliseconds timeout) {
    if (on_own_thread()) throw std::logic_error("close() in a publisher's callback would wait for itself");
    std::lock_guard lock(close_mutex_);
    if (!thread_.joinable()) return {};
    intake_.close();
    intake_.wait_until_empty(std::chrono::steady_clock::now() + timeout);
    abandon_ = true;
    wake();
    thread_.join();
    return std::move(unresolved_);
  }

  bool on_own_thread() const { return std::this_thread::get_id() == own_thread_; }

 protected:
  /// `give_up`: how long a message may be without a result.
  Engine(Room room, std::chrono::milliseconds give_up)
      : give_up_(give_up), wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)), intake_(room, [this] { wake(); }) {
    if (wake_fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  }
  virtual ~Engine() { ::close(wake_fd_); }

  void start() {
    thread_ = std::thread([this] { run(); });
  }
  /// close() for a destructor: what is left behind is logged.
  void close_and_log(std::chrono::milliseconds timeout, const std::string& name) {
    const Unresolved left = close(timeout);
    if (!left.empty())
      runtime::log().warn("{}: the publisher ends with {} messages whose fate is unknown and {} that were not sent",
                          name, left.unknown.size(), left.not_sent.size());
  }

  static void refuse(Requests& requests, const std::string& why) {
    for (Request<Message>& request : requests)
      if (request.done) request.done({Known::refused, request.message.id, why});
  }
  /// Checked requests, to the thread; or refused.
  void hand_over(Requests& requests) {
    if (const auto why_not = intake_.put(requests, /*at_once=*/on_own_thread())) refuse(requests, *why_not);
  }
  void wake() { eventfd_write(wake_fd_, 1); }
  int wake_fd() const { return wake_fd_; }

  // --- the thread
  /// One turn; sleeps when there is nothing to do.
  virtual void turn() = 0;
  /// The last: nothing is sent after it, and what has an answer by now should have its result.
  virtual void stop_sending() = 0;
  /// A message that has come in.
  virtual void taken(Ticket ticket) = 0;

  void take_in(Requests requests) {
    const TimePoint deadline = std::chrono::steady_clock::now() + give_up_;
    for (Request<Message>& request : requests) {
      request.deadline = deadline;
      taken(book_.add(std::move(request)));
    }
  }
  void take_in() { take_in(intake_.take()); }

  /// Until woken, or one of the sockets is ready, or `end`, or a message's time is over.
  void sleep(TimePoint end, pollfd socket) {
    Requests come = intake_.take(/*will_sleep=*/true);
    if (!come.empty()) return take_in(std::move(come));
    if (const auto deadline = book_.next_deadline()) end = std::min(end, *deadline);
    const auto patience = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
    pollfd events[] = {{wake_fd_, POLLIN, 0}, socket};
    ::poll(events, 2, static_cast<int>(std::max<std::int64_t>(0, patience)));
    eventfd_t woken = 0;
    eventfd_read(wake_fd_, &woken);
  }

  std::string after_give_up() const {
    return std::to_string(give_up_.count()) + " ms (give_up)" + (obstacle_.empty() ? "" : ": " + obstacle_);
  }
  void set_obstacle(const std::string& text) {
    obstacle_ = text;
    intake_.set_obstacle(text);
  }

  const std::chrono::milliseconds give_up_;

 private:
  const int wake_fd_;
  Intake<Message> intake_;

 protected:
  Book<Message> book_{intake_};
  SendQueue queue_;

 private:
  void run() {
    own_thread_ = std::this_thread::get_id();
    while (!abandon_) turn();
    stop_sending();
    take_in();  // what callers handed over in the last moment
    for (const Ticket ticket : book_.tickets()) {
      const Request<Message>& request = *book_.find(ticket);
      const bool maybe = request.maybe_stored;
      (maybe ? unresolved_.unknown : unresolved_.not_sent).push_back(request.message.id);
      book_.settle(
          ticket, maybe ? Known::unknown : Known::refused,
          maybe ? "the publisher was closed before an answer came" : "the publisher was closed before it was sent");
    }
    book_.release();
  }

  std::string obstacle_;  ///< why nothing moves; the thread's own
  Unresolved unresolved_;
  std::mutex close_mutex_;
  std::atomic<bool> abandon_{false};
  std::atomic<std::thread::id> own_thread_{};
  std::thread thread_;
};

}  // namespace idem::publish
