#include "sources/kafka/kafka_consumer.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <future>
#include <stdexcept>
#include <thread>

#include "runtime/failpoint.h"
#include "runtime/log.h"

namespace idem::kafka {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr seconds start_patience{10};
constexpr seconds commit_patience{5};
constexpr seconds close_patience{5};

std::optional<std::string_view> bytes(const void* data, std::size_t size) {
  if (!data) return std::nullopt;
  return std::string_view(static_cast<const char*>(data), size);
}

/// librdkafka's destroy waits for its threads, and has been seen to wait for ever. A client that does not go
/// in time is left to its own thread: everything of ours is durable by then.
void destroy(rd_kafka_t* client, std::shared_ptr<void> link) {
  std::promise<void> done;
  std::future<void> gone = done.get_future();
  std::thread([client, link = std::move(link), done = std::move(done)]() mutable {
    // A group is left by closing; what was not closed until now is to be dropped, not waited for.
    rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    done.set_value();
  }).detach();
  if (gone.wait_for(close_patience) != std::future_status::ready)
    runtime::log().warn("Kafka source: the client library does not end; it is left behind");
}

}  // namespace

// --- start
// ----------------------------------------------------------------------------------------------------------

Consumer::Consumer(KafkaOptions options, SourceEvents& events, const SourceContext& context)
    : options_(std::move(options)),
      events_(&events),
      configuration_(configure(options_, context)),
      link_(std::make_shared<Link>(Link{this, configuration_.secrets})) {}

void Consumer::start() {
  connect();
  look_at_topics();
  if (fixed())
    assign_fixed();
  else
    subscribe();
}

void Consumer::connect() {
  rd_kafka_conf_t* conf = configuration_.conf.get();
  rd_kafka_conf_set_opaque(conf, link_.get());
  rd_kafka_conf_set_log_cb(conf, on_log);
  rd_kafka_conf_set_error_cb(conf, on_error);
  rd_kafka_conf_set_rebalance_cb(
      conf, [](rd_kafka_t* client, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t* list, void* opaque) {
        on_rebalance(client, error, list, opaque);
      });
  char why[512] = "";
  client_ = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
  if (!client_) throw std::invalid_argument("Kafka source: " + redact(why, configuration_.secrets));
  configuration_.conf.release();  // rd_kafka_new took it over
  lookup_.emplace(client_, configuration_);
}

/// A misspelt topic or an unreachable broker ends the start: later it would only look like an idle topic.
void Consumer::look_at_topics() {
  Deadline deadline = steady_clock::now() + start_patience;
  for (const std::string& name : options_.topics) {
    TopicHandle handle(rd_kafka_topic_new(client_, name.c_str(), nullptr));
    if (!handle) throw std::invalid_argument("Kafka source: \"" + name + "\" is no topic name");
    std::optional<std::int32_t> count;
    try {
      count = lookup_->partition_count(handle.get(), deadline);
    } catch (const std::runtime_error& failure) {
      rd_kafka_poll(client_, 0);  // the reason, such as a refused login, lies in the error callback
      throw std::runtime_error(failure.what() + (last_refusal_.empty() ? "" : ": " + last_refusal_));
    }
    if (!count)
      throw std::runtime_error("Kafka source: there is no topic \"" + name + "\" at " + configuration_.brokers +
                               "; create it first or correct KafkaOptions::topics");
    partitions_.add_topic(name, std::move(handle), *count);
  }
  look_at_group(deadline);
}

void Consumer::look_at_group(Deadline deadline) {
  // Errors and rebalances are served together with messages from here on, by rd_kafka_consumer_poll alone.
  rd_kafka_poll_set_consumer(client_);
  queue_.reset(rd_kafka_queue_get_consumer(client_));
  commits_.emplace(client_, queue_.get(), configuration_.group, fixed());
  std::vector<PartitionRef> all = partitions_.all();
  for (const GroupOffset& offset : lookup_->committed(all, deadline))
    if (offset.next) events_->on_group_commit(offset.partition, *offset.next, offset.metadata);
  watch_.emplace(*lookup_, std::move(all), options_.watch_interval);
}

void Consumer::subscribe() {
  PartitionList list = make_list(partitions_.topics().size());
  for (const auto& topic : partitions_.topics())
    rd_kafka_topic_partition_list_add(list.get(), topic.name.c_str(), RD_KAFKA_PARTITION_UA);
  if (auto error = rd_kafka_subscribe(client_, list.get()))
    throw std::runtime_error(std::string("Kafka source: cannot subscribe: ") + rd_kafka_err2str(error));
}

void Consumer::assign_fixed() {
  const std::vector<std::int32_t>& numbers = options_.partitions;
  std::vector<PartitionRef> wanted;
  for (const auto& topic : partitions_.topics()) {
    for (std::int32_t number : numbers)
      if (static_cast<std::size_t>(number) >= topic.slots.size())
        throw std::invalid_argument("Kafka source: KafkaOptions::partitions names " + std::to_string(number) +
                                    ", but topic \"" + topic.name + "\" has " + std::to_string(topic.slots.size()) +
                                    " partitions, counted from 0");
    for (const Slot& slot : topic.slots)
      if (numbers.empty() || std::find(numbers.begin(), numbers.end(), slot.ref.partition) != numbers.end())
        wanted.push_back(slot.ref);
  }
  PartitionList assigned = take_over(wanted);
  if (auto error = rd_kafka_assign(client_, assigned.get()))
    throw std::runtime_error(std::string("Kafka source: cannot assign partitions: ") + rd_kafka_err2str(error));
}

// --- the path of a message
// ------------------------------------------------------------------------------------------

void Consumer::poll(milliseconds wait, std::size_t limit) {
  apply_pauses();
  // librdkafka serves rebalances, errors and answers to commits inside this call and returns for messages,
  // ends of partitions and wake().
  auto patience = commits_->any_answered() ? 0 : static_cast<int>(std::min(wait, milliseconds(1'000)).count());
  for (std::size_t taken = 0; taken < limit; patience = 0) {
    MessageHandle received(rd_kafka_consumer_poll(client_, patience));
    if (!received) break;
    if (!received->err) ++taken;
    if (!take(*received)) break;
  }
  if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
  report_commits();
  look_around(steady_clock::now());
}

/// False: enough for this poll.
bool Consumer::take(rd_kafka_message_t& received) {
  if (!received.err) return deliver(received);
  if (received.err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
    reached_end(received);
  else
    partition_error(received);
  return !ended_;
}

bool Consumer::deliver(rd_kafka_message_t& received) {
  Slot* slot = partitions_.find(received.rkt, received.partition);
  if (!slot || !slot->read) return true;
  if (slot->want_paused || slot->dropped) {  // paused within this poll
    slot->dropped = pauses_changed_ = true;
    return true;
  }
  if (received.offset != slot->next) {
    if (received.offset < slot->next) {
      fatal("the log of " + to_string(slot->ref) + " goes back: offset " + std::to_string(received.offset) +
            " came where " + std::to_string(slot->next) +
            " was due. It was truncated or the topic was created anew; start again to have it looked at");
      return false;
    }
    skipped_below_log_begin(*slot, received.offset);
  }

  Message message;
  message.topic = slot->ref.topic;
  message.partition = received.partition;
  message.offset = received.offset;
  message.key = bytes(received.key, received.key_len);
  message.payload = bytes(received.payload, received.len);
  if (!set_headers(received))
    warn_once("headers " + to_string(slot->ref),
              to_string(slot->ref) + ": the headers of the message at offset " + std::to_string(received.offset) +
                  " cannot be read (librdkafka takes at most 100,000 of a message); it goes on without headers");
  message.headers = headers_;
  rd_kafka_timestamp_type_t kind;
  std::int64_t stamp = rd_kafka_message_timestamp(&received, &kind);
  if (kind != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE && stamp >= 0) message.timestamp = Timestamp(milliseconds(stamp));

  slot->next = received.offset + 1;
  slot->moved = true;
  (void)IDEM_FAILPOINT("source.polled");
  return events_->on_message(slot->handle, message);
}

/// False: there are some, and they cannot be read.
bool Consumer::set_headers(rd_kafka_message_t& received) {
  headers_.clear();
  rd_kafka_headers_t* headers = nullptr;
  if (auto error = rd_kafka_message_headers(&received, &headers)) return error == RD_KAFKA_RESP_ERR__NOENT;
  const char* name;
  const void* value;
  std::size_t size;
  for (std::size_t i = 0; !rd_kafka_header_get_all(headers, i, &name, &value, &size); ++i)
    headers_.push_back({name, bytes(value, size)});
  return true;
}

void Consumer::reached_end(rd_kafka_message_t& received) {
  Slot* slot = partitions_.find(received.rkt, received.partition);
  if (!slot || !slot->read || slot->want_paused || slot->dropped) return;
  if (received.offset < slot->next)
    return fatal("the log of " + to_string(slot->ref) + " ends at offset " + std::to_string(received.offset) +
                 ", before the position " + std::to_string(slot->next) +
                 ". It was truncated or the topic was created anew; start again to have it looked at");
  slot->next = received.offset;
  slot->moved = true;
  events_->on_end(slot->handle, slot->next);
}

/// Tells librdkafka of the pauses that changed, in one call each.
///
/// A resume seeks to the position as well. librdkafka has thrown away what it had fetched of the partition;
/// by version it keeps or forgets a pause across assignments, and rewinds on a resume of what is not paused;
/// and before 2.2 a bare resume waits up to a second for the fetching thread to look again, where a seek
/// wakes it.
void Consumer::apply_pauses() {
  if (!std::exchange(pauses_changed_, false)) return;
  PartitionList pause = make_list(8), resume = make_list(8), seek = make_list(8);
  auto add = [](PartitionList& list, const Slot& slot) {
    rd_kafka_topic_partition_list_add(list.get(), slot.ref.topic.c_str(), slot.ref.partition)->offset = slot.next;
  };
  for (Slot* slot : partitions_.held()) {
    if (!slot->read) continue;
    if (slot->want_paused && !slot->is_paused) add(pause, *slot);
    if (!slot->want_paused && slot->is_paused) add(resume, *slot);
    if (!slot->want_paused && (slot->is_paused || slot->dropped)) add(seek, *slot);
    slot->is_paused = slot->want_paused;
    slot->dropped = slot->dropped && slot->want_paused;
  }
  if (pause->cnt > 0) rd_kafka_pause_partitions(client_, pause.get());
  if (resume->cnt > 0) rd_kafka_resume_partitions(client_, resume.get());
  if (seek->cnt > 0) Error(rd_kafka_seek_partitions(client_, seek.get(), /*timeout_ms=*/0));
}

void Consumer::set_paused(PartitionHandle partition, bool paused) {
  Slot* slot = partitions_.find(partition);
  if (!slot || slot->want_paused == paused) return;
  slot->want_paused = paused;
  slot->moved = true;
  pauses_changed_ = true;
}

/// As if what was fetched had been thrown away: the next poll seeks to the new position.
void Consumer::seek(PartitionHandle before, const StartAt& start) {
  Slot* slot = partitions_.find(before);
  if (!slot) return;
  slot->handle = start.handle;
  slot->next = start.offset;
  slot->want_paused = false;
  slot->dropped = slot->moved = pauses_changed_ = true;
}

void Consumer::wake() {
  if (queue_) rd_kafka_queue_yield(queue_.get());
}

/// What is looked at now and then, between polls.
void Consumer::look_around(TimePoint now) {
  if (now < next_check_) return;
  next_check_ = now + milliseconds(100);
  if (auto asked = watch_->report(*events_)) answered(*asked);
  for (const std::string& topic : watch_->take_missing()) fatal("topic \"" + topic + "\" does not exist any more");
  look_for_silent_partitions(now);
}

// --- commits
// --------------------------------------------------------------------------------------------------------

void Consumer::commit(std::span<const Commit> commits, bool wait) {
  std::vector<Commit> current;
  for (const Commit& commit : commits) {
    if (!partitions_.find(commit.handle))
      commits_->refuse(commit, to_string(commit.partition) + " is no longer assigned");
    else if (outage_)  // librdkafka would keep it for a session timeout, and neither close nor end before
      commits_->refuse(commit, "no broker can be reached");
    else if (IDEM_FAILPOINT("source.before_commit"))
      commits_->refuse(commit, "failpoint source.before_commit");
    else
      current.push_back(commit);
  }
  if (!current.empty()) {
    if (wait)
      commits_->send_and_wait(current, commit_patience);
    else
      commits_->send(current);
  }
  if (wait) report_commits();
}

void Consumer::report_commits() {
  if (!commits_->any_answered()) return;
  std::vector<CommitResult> results = commits_->take_answered();
  (void)IDEM_FAILPOINT("source.committed");
  events_->on_committed(results);
}

std::optional<std::int64_t> Consumer::lag(PartitionHandle partition, std::int64_t next) {
  Slot* slot = partitions_.find(partition);
  if (!slot) return std::nullopt;
  std::int64_t low = 0, high = -1;
  rd_kafka_get_watermark_offsets(client_, slot->ref.topic.c_str(), slot->ref.partition, &low, &high);
  return std::max<std::int64_t>(0, std::max(high, slot->log_end) - next);
}

// --- stop
// -----------------------------------------------------------------------------------------------------------

void Consumer::stop() {
  (void)IDEM_FAILPOINT("source.stop");
  watch_.reset();
  if (fixed()) {
    give_up(partitions_.held(), /*lost=*/false);
    rd_kafka_assign(client_, nullptr);
  }
  close();
  // A client that fails does not ask for its partitions back.
  give_up(partitions_.held(), /*lost=*/true);
  commits_->give_up();
  report_commits();
  if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
}

/// Leaves the group. The last rebalance, in which the runtime drains and commits, is served here, on the I/O
/// thread.
void Consumer::close() {
  Queue closing(rd_kafka_queue_new(client_));
  Deadline begun = steady_clock::now();
  closing_ = true;
  if (std::string error = text(Error(rd_kafka_consumer_close_queue(client_, closing.get()))); !error.empty()) {
    runtime::log().warn("Kafka source: not closed properly: {}", redact(error, configuration_.secrets));
    return;
  }
  while (!rd_kafka_consumer_closed(client_)) {
    // The runtime's own draining is not counted.
    if (steady_clock::now() >= std::max(begun, last_rebalance_) + close_patience) {
      runtime::log().warn("Kafka source: the group was not left in time; it will notice by session.timeout.ms");
      return;
    }
    MessageHandle(rd_kafka_consume_queue(closing.get(), 50));  // what was still under way is not delivered any more
  }
}

Consumer::~Consumer() {
  events_ = nullptr;
  watch_.reset();
  commits_.reset();
  queue_.reset();
  partitions_ = {};
  if (client_) destroy(client_, link_);
}

}  // namespace idem::kafka
