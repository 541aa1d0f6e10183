#include "publishers/kafka/sender.h"

#include <algorithm>

#include "publishers/kafka/verdict.h"

namespace idem::kafka {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

/// What a message costs beside its texts, in librdkafka too.
constexpr std::size_t overhead = 512;
constexpr std::chrono::milliseconds first_pause{50}, longest_pause{5'000};

std::size_t size_of(const KafkaOutgoing& m) {
  std::size_t size = overhead + m.id.size() + (m.key ? m.key->size() : 0) + 2 * (m.payload ? m.payload->size() : 0);
  for (const auto& [name, value] : m.headers) size += name.size() + (value ? value->size() : 0);
  return size;
}

std::string name_of(const KafkaOutgoing& message) {
  return "message \"" + message.id.substr(0, 64) + "\" for topic " + message.topic;
}

}  // namespace

Sender::Sender(const KafkaPublisherOptions& options)
    : Engine({options.queue_messages, options.queue_bytes, options.wait_for_room}, options.give_up),
      options_(options),
      configuration_(configure_producer(options)) {
  instance_ = std::make_unique<Instance>(configuration_, wake_fd());
  start();
}

Sender::~Sender() { close_and_log(options_.close_timeout, configuration_.name); }

// --- any thread ----------------------------------------------------------------------------------------------------

void Sender::submit(Requests requests) {
  for (Request& request : requests) {
    KafkaOutgoing& message = request.message;
    if (message.id.empty()) message.id = publish::new_message_id();
    if (!message.timestamp)
      message.timestamp = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    request.size = size_of(message);
    std::string defect = defect_of(message, configuration_.id_header);
    if (defect.empty()) continue;
    if (request.done) request.done({Known::refused, message.id, std::move(defect), /*permanent=*/true});
    request.size = 0;  // has its result
  }
  std::erase_if(requests, [](const Request& request) { return request.size == 0; });
  if (!requests.empty()) hand_over(requests);
}

std::vector<StoppedLane> Sender::stopped() const {
  std::lock_guard lock(lanes_mutex_);
  return lanes_.all_stopped();
}

bool Sender::resume(const Lane& lane) {
  std::lock_guard lock(lanes_mutex_);
  return lanes_.resume(lane);
}

// --- the thread ----------------------------------------------------------------------------------------------------

void Sender::turn() {
  take_in();
  const TimePoint now = steady_clock::now();
  if (!instance_) open(now);
  if (instance_) answer();
  if (instance_) look_for_silence(now);
  if (instance_) produce(now);
  expire(now);
  book_.release();
  TimePoint end = now + (full_ ? 20ms : 500ms);
  if (!instance_) end = std::min(end, next_instance_);
  sleep(end, {-1, 0, 0});
}

void Sender::taken(Ticket ticket) {
  const auto lane = lane_of(book_.find(ticket)->message);
  std::string stopped;
  if (lane) {
    std::lock_guard lock(lanes_mutex_);
    if (const std::string* why = lanes_.stopped(*lane))
      stopped = *why;
    else
      lanes_.add(ticket, *lane);
  }
  if (stopped.empty()) return queue_.add(ticket);
  book_.settle(ticket, Known::refused, "not sent: its lane has stopped (" + stopped + "); call resume()");
}

void Sender::open(TimePoint now) {
  if (now < next_instance_) return;
  try {
    instance_ = std::make_unique<Instance>(configuration_, wake_fd());
  } catch (const std::exception& e) {  // no threads, no memory
    say(e.what());
    set_obstacle(e.what());
    next_instance_ = now + longest_pause;
  }
}

void Sender::produce(TimePoint now) {
  full_ = false;
  while (const auto ticket = queue_.next()) {
    Delivery refusal;
    const Instance::Taken taken = instance_->produce(book_.find(*ticket)->message, *ticket, refusal);
    if (taken == Instance::Taken::full) {
      full_ = true;
      return;
    }
    queue_.sent();
    inside_.emplace(*ticket, now);
    if (taken == Instance::Taken::yes) continue;
    // Said by librdkafka before anything was sent.
    deliveries_.push_back(std::move(refusal));
    return answer();
  }
}

/// Takes the answers that have come, and does what follows from them.
void Sender::answer() {
  instance_->take_answers(deliveries_);
  for (Delivery& delivery : deliveries_) judge(delivery);
  deliveries_.clear();
  if (const std::string trouble = instance_->take_trouble(); !trouble.empty()) {
    say(trouble);
    if (!inside_.empty()) set_obstacle(trouble);
  }
  if (!instance_->fatal().empty()) return renew("librdkafka's producer failed: " + instance_->fatal());
  if (!returned_.empty()) return renew("messages were not stored and must keep their order");
  if (!stopping_.empty()) renew("a lane stops");
}

void Sender::judge(Delivery& delivery) {
  inside_.erase(delivery.ticket);
  Request* request = book_.find(delivery.ticket);
  if (!request) return queue_.answered(delivery.ticket);
  request->maybe_stored |= delivery.maybe;
  switch (verdict_of(delivery.error, delivery.persisted)) {
    case Verdict::stored:
      queue_.answered(delivery.ticket);
      failures_ = 0;
      set_obstacle("");
      return end(delivery.ticket, Known::stored, "");
    case Verdict::bad_message:
      // Kafka refuses a whole batch over one of its messages.
      if (!delivery.at_once && queue_.on_the_way() > 1) {
        returned_.push_back(delivery.ticket);
        suspects_.push_back(delivery.ticket);
        return;
      }
      queue_.answered(delivery.ticket);
      failures_ = 0;
      return end(delivery.ticket, request->maybe_stored ? Known::unknown : Known::refused,
                 "Kafka refuses the message: " + delivery.text, /*permanent=*/!request->maybe_stored);
    case Verdict::bad_topic:
      queue_.answered(delivery.ticket);
      failures_ = 0;
      will_stop(delivery.ticket, name_of(request->message) + " was refused: " + delivery.text);
      return end(delivery.ticket, request->maybe_stored ? Known::unknown : Known::refused,
                 "topic " + request->message.topic + " does not take it: " + delivery.text +
                     "; create the topic, correct the name or give the right to write, then resume() the lane");
    case Verdict::lost:
      returned_.push_back(delivery.ticket);
  }
}

// The producer is emptied, so that nothing of it can be stored behind this thread's back, and replaced.
void Sender::renew(const std::string& why) {
  std::vector<Delivery> last;
  if (instance_) instance_->purge(last);
  for (Delivery& delivery : last) judge(delivery);
  for (const auto& [ticket, since] : inside_) {  // without an answer even so
    if (Request* request = book_.find(ticket)) request->maybe_stored = true;
    returned_.push_back(ticket);
  }
  inside_.clear();
  instance_.reset();
  std::sort(returned_.begin(), returned_.end());
  if (!returned_.empty()) say(why + "; " + std::to_string(returned_.size()) + " messages have no answer and are kept");
  queue_.back(std::exchange(returned_, {}));
  queue_.suspect(std::exchange(suspects_, {}));
  stop_lanes();
  const auto pause = std::min<std::chrono::milliseconds>(first_pause * (1 << std::min(failures_, 10)), longest_pause);
  next_instance_ = steady_clock::now() + (failures_ == 0 ? 0ms : pause);
  ++failures_;
}

// Before the message has its result: whoever gets it finds the lane stopped, and may resume it.
void Sender::will_stop(Ticket ticket, const std::string& why) {
  const auto lane = lane_of(book_.find(ticket)->message);
  if (!lane) return;
  stopping_.emplace_back(*lane, why);
  std::lock_guard lock(lanes_mutex_);
  lanes_.stop(*lane, why);
}

/// The producer is empty: what of these lanes has no result was not stored by it, or nobody can tell.
void Sender::stop_lanes() {
  for (const auto& [lane, why] : std::exchange(stopping_, {})) {
    std::vector<Ticket> behind;
    {
      std::lock_guard lock(lanes_mutex_);
      behind = lanes_.held(lane);
    }
    for (const Ticket ticket : behind) {
      const bool maybe = book_.find(ticket)->maybe_stored;
      queue_.drop(ticket);
      end(ticket, maybe ? Known::unknown : Known::refused, "its lane has stopped (" + why + "); call resume()");
    }
  }
}

void Sender::expire(TimePoint now) {
  while (const auto ticket = book_.expired(now)) {
    if (inside_.contains(*ticket)) renew("a message had no answer in " + after_give_up());
    if (book_.find(*ticket)) expire_one(*ticket);
  }
}

/// It is not in a producer.
void Sender::expire_one(Ticket ticket) {
  const Request& request = *book_.find(ticket);
  const bool maybe = request.maybe_stored;
  will_stop(ticket, name_of(request.message) + (maybe ? " is unknown" : " was not sent") + " after " + after_give_up());
  queue_.drop(ticket);
  end(ticket, maybe ? Known::unknown : Known::refused,
      (maybe ? "sent, and no answer came in " : "not sent in ") + after_give_up());
  stop_lanes();
}

void Sender::look_for_silence(TimePoint now) {
  if (inside_.empty() || now - inside_.begin()->second < options_.delivery_timeout) return;
  renew("no answer in " + std::to_string(options_.delivery_timeout.count()) +
        " ms (KafkaPublisherOptions::delivery_timeout)");
}

void Sender::stop_sending() {
  if (instance_) renew("the publisher is closed");
}

void Sender::end(Ticket ticket, Known known, std::string why, bool permanent) {
  if (const auto lane = lane_of(book_.find(ticket)->message)) {
    std::lock_guard lock(lanes_mutex_);
    lanes_.ended(ticket, *lane);
  }
  book_.settle(ticket, known, std::move(why), permanent);
}

/// The same thing is said once in a row.
void Sender::say(const std::string& what) {
  if (what == last_said_) return;
  last_said_ = what;
  runtime::log().warn("{}: {}", configuration_.name, what);
}

}  // namespace idem::kafka
