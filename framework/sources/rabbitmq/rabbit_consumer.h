// The running consumer behind a RabbitSource, from start to stop.
//
//   rabbit_consumer.cc  start, the path of a message, acknowledgements, stop
//   rabbit_faults.cc    what goes wrong: lost channels and connections, and the way back
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <idem/rabbitmq.h>

#include "rabbitmq/redial.h"
#include "sources/rabbitmq/attempt.h"
#include "sources/rabbitmq/delivery_tags.h"
#include "sources/rabbitmq/incoming.h"
#include "sources/rabbitmq/tally.h"

struct amqp_frame_t_;
struct amqp_method_t_;

namespace idem::rabbit {

class Consumer {
 public:
  /// Checks the options. Throws as Source::start() does.
  Consumer(const RabbitOptions& options, SourceEvents& events, const SourceContext& context, Tally& tally);
  /// Leaves without telling anybody, if stop() was not called.
  ~Consumer();
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  void start();
  void poll(std::chrono::milliseconds wait, std::size_t limit);
  void wake();
  void set_paused(PartitionHandle handle, bool paused);
  void acknowledge(PartitionHandle handle, std::span<const std::int64_t> offsets);
  void keep_alive();
  std::optional<std::int64_t> lag(PartitionHandle handle) const;
  void stop();

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  bool held() const { return handle_.has_value(); }
  bool holds(PartitionHandle handle) const { return handle_ && *handle_ == handle; }

  // --- the path of a message
  bool read(std::size_t limit);
  bool may_read() const;
  bool take(amqp_frame_t_& frame);
  bool take_method(const amqp_frame_t_& frame);
  bool deliver();
  void send_acks();
  void tend(TimePoint now);
  void sleep_until(TimePoint end);
  TimePoint next_duty() const;

  // --- small duties
  int heartbeat(TimePoint now);
  void hand_back_old(TimePoint now);
  void ask_for_length(TimePoint now);
  void length_is(std::uint32_t ready, std::uint32_t consumers);

  // --- faults
  void begin(std::unique_ptr<Connection> connection);
  void channel_closed(int code, const std::string& text);
  void lost(const std::string& why);
  void make_room(TimePoint now);
  void connect_again(TimePoint now);
  void attempt_failed(const Failure& failure);
  void send_failed(int status);
  void fatal(const std::string& what);
  void say(const std::string& what);

  Configuration configuration_;
  SourceEvents* events_;
  Tally& tally_;
  int wake_fd_;
  std::unique_ptr<Connection> connection_;  ///< while it consumes
  std::optional<PartitionHandle> handle_;
  bool reading_ = false;                    ///< the runtime wants this assignment's messages
  bool paused_ = false;
  std::optional<TimePoint> unread_since_;   ///< paused with something to read, which the server does not bear for long
  DeliveryTags tags_;
  std::vector<DeliveryTags::Ack> acks_;
  TimePoint last_acks_{};
  Incoming incoming_;
  std::uint64_t received_ = 0;              ///< in this assignment

  TimePoint next_heartbeat_{}, next_look_{};
  bool asked_ = false;                      ///< how long the queue is; not yet answered
  std::uint64_t received_when_asked_ = 0, received_when_empty_ = UINT64_MAX, received_when_told_ = UINT64_MAX;
  std::optional<std::int64_t> ready_;       ///< messages in the queue, when last asked

  std::unique_ptr<Connection> leaving_;     ///< to be closed by the next attempt
  std::unique_ptr<Attempt> attempt_;
  Redial redial_;
  std::optional<TimePoint> refused_since_;  ///< by a server that could be talked to
  bool server_was_up_ = false;              ///< when the channel was lost
  int undecodable_ = 0;                     ///< frames since the last acknowledgement
  std::string last_said_;
  bool ended_ = false;                      ///< on_fatal was said
  bool handing_back_said_ = false;
};

}  // namespace idem::rabbit
