// The thread and the connection behind a RabbitPublisher.
//
//   sender.cc          callers' side, and the turns of the thread
//   sender_answers.cc  what the server says, and what follows for the messages
//   sender_link.cc     connecting, losing, connecting again
#pragma once

#include <chrono>
#include <deque>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <idem/rabbitmq_publisher.h>

#include "publishers/engine.h"
#include "publishers/rabbitmq/confirm_window.h"
#include "publishers/rabbitmq/message_writer.h"
#include "publishers/rabbitmq/publisher_config.h"
#include "rabbitmq/redial.h"

struct amqp_frame_t_;

namespace idem::rabbit {

inline constexpr const char* nack_reason =
    "the server answered with a nack: a queue it is routed to is full (x-overflow reject-publish) or failed; other queues "
    "bound to the exchange may have it";

class Sender final : public publish::Engine<RabbitOutgoing> {
 public:
  using Request = publish::Request<RabbitOutgoing>;

  /// Throws as RabbitPublisher's constructor does.
  explicit Sender(const RabbitPublisherOptions& options);
  ~Sender() override;

  /// Takes them together, or gives results at once. Any thread.
  void submit(Requests requests);

 private:
  using TimePoint = publish::TimePoint;
  using Ticket = publish::Ticket;
  bool transactional() const { return options_.mode == RabbitPublisherOptions::Mode::transaction; }

  // --- sender.cc
  bool refuse_defects(Requests& requests) const;
  void turn() override;
  void stop_sending() override;
  void taken(Ticket ticket) override { queue_.add(ticket); }
  void write();
  bool begin_next();
  void message_written();
  void send_nacked_again(TimePoint now);
  void expire(TimePoint now);
  void expire_one(Ticket ticket);
  void rest(TimePoint now);

  // --- sender_answers.cc
  void read();
  void take(const amqp_frame_t_& frame);
  void take_method(const amqp_frame_t_& frame);
  void take_back_if_complete();
  void settle_answered();
  void take_nack(Ticket ticket);
  void channel_closed(int code, bool while_publishing, const std::string& text);
  void blame(int code, const std::string& text);
  void blame_transaction(int code, bool while_publishing, const std::string& text);
  void roll_back(const std::string& why);
  std::vector<Ticket> take_unanswered();

  // --- sender_link.cc
  void connect_at_start();
  void connect(TimePoint now);
  void begin(std::unique_ptr<Connection> connection);
  void lost(const std::string& why);
  void attempt_failed(const std::string& what);
  void look_for_silence(TimePoint now);
  void say(const std::string& what);

  const RabbitPublisherOptions options_;
  const Server server_;

  // --- the thread's own
  ConfirmWindow window_;
  std::vector<ConfirmWindow::Settled> settled_;
  std::deque<std::pair<TimePoint, Ticket>> nacked_;  ///< and when each is to be sent again
  MessageWriter writer_;
  Ticket writing_ = 0;            ///< what the writer is at, while it is busy
  bool waits_for_space_ = false;  ///< the socket takes nothing at the moment
  bool more_to_write_ = false;
  bool committing_ = false, rolling_back_ = false;  ///< transaction: the answer is awaited
  TimePoint rolling_back_since_{};
  struct ComingBack {
    std::string why, id;
    std::uint64_t missing = 0;  ///< bytes of the body still to come
    bool has_header = false;
  };
  std::optional<ComingBack> coming_back_;

  std::unique_ptr<Connection> connection_, leaving_;
  std::string blocked_;  ///< why the server takes nothing
  TimePoint unblocked_at_{};
  Redial redial_;
  std::future<std::unique_ptr<Connection>> attempt_;
  std::thread attempt_thread_;
  std::string last_said_;
};

}  // namespace idem::rabbit
