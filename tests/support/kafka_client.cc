#include "kafka_client.h"

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cstring>
#include <set>
#include <span>
#include <stdexcept>
#include <thread>

namespace idem::test {
namespace {

constexpr int answer_timeout_ms = 30'000;

// What became of one record. Filled by librdkafka inside rd_kafka_poll() and rd_kafka_flush(), that is on the
// thread that produces.
struct Ticket {
  Position position;
  int error = RD_KAFKA_RESP_ERR__IN_PROGRESS;
};

void report_deliveries(rd_kafka_conf_t* conf) {
  rd_kafka_conf_set_dr_msg_cb(conf, [](rd_kafka_t*, const rd_kafka_message_t* message, void*) {
    *static_cast<Ticket*>(message->_private) = {{message->partition, message->offset}, message->err};
  });
}

RdKafka<rd_kafka_s> make_producer(const std::string& bootstrap, KafkaConfig config) {
  // One request at a time: a batch that is sent again may not come after the next one.
  config.insert({{"acks", "all"},
                 {"linger.ms", "2"},
                 {"queue.buffering.max.kbytes", "262144"},
                 {"max.in.flight.requests.per.connection", "1"}});
  return make_client(KafkaRole::producer, bootstrap, config, report_deliveries);
}

RdKafka<rd_kafka_s> make_consumer(const std::string& bootstrap, const std::string& group,
                                  KafkaConfig config = {}) {
  config.insert({{"group.id", group}, {"enable.auto.commit", "false"}, {"enable.partition.eof", "true"}});
  return make_client(KafkaRole::consumer, bootstrap, config);
}

const void* data(const Bytes& bytes) { return bytes ? bytes->data() : nullptr; }
std::size_t size(const Bytes& bytes) { return bytes ? bytes->size() : 0; }

Bytes bytes(const void* data, std::size_t size) {
  if (!data) return std::nullopt;
  return std::string(static_cast<const char*>(data), size);
}

RdKafka<rd_kafka_headers_t> make_headers(const Record& record) {
  if (record.headers.empty()) return nullptr;
  RdKafka<rd_kafka_headers_t> headers(rd_kafka_headers_new(record.headers.size()));
  for (const auto& [name, value] : record.headers) {
    rd_kafka_header_add(headers.get(), name.data(), static_cast<ssize_t>(name.size()), data(value),
                        static_cast<ssize_t>(size(value)));
  }
  return headers;
}

// Puts one record into the producer's queue; waits while the queue is full.
void enqueue(rd_kafka_t* producer, const std::string& topic, const Record& record, Ticket* ticket) {
  auto headers = make_headers(record);
  for (;;) {
    rd_kafka_vu_t parts[8];
    std::size_t count = 0;
    parts[count].vtype = RD_KAFKA_VTYPE_TOPIC;
    parts[count++].u.cstr = topic.c_str();
    parts[count].vtype = RD_KAFKA_VTYPE_KEY;
    parts[count++].u.mem = {const_cast<void*>(data(record.key)), size(record.key)};
    parts[count].vtype = RD_KAFKA_VTYPE_VALUE;
    parts[count++].u.mem = {const_cast<void*>(data(record.payload)), size(record.payload)};
    parts[count].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    parts[count++].u.i = RD_KAFKA_MSG_F_COPY;
    parts[count].vtype = RD_KAFKA_VTYPE_PARTITION;
    parts[count++].u.i32 = record.partition.value_or(RD_KAFKA_PARTITION_UA);
    parts[count].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
    parts[count++].u.i64 = record.timestamp_ms.value_or(0);
    parts[count].vtype = RD_KAFKA_VTYPE_OPAQUE;
    parts[count++].u.ptr = ticket;
    if (headers) {
      parts[count].vtype = RD_KAFKA_VTYPE_HEADERS;
      parts[count++].u.headers = headers.get();
    }
    RdKafka<rd_kafka_error_t> error(rd_kafka_produceva(producer, parts, count));
    if (!error) {
      (void)headers.release();  // the message owns them now
      return;
    }
    if (rd_kafka_error_code(error.get()) != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      check(std::move(error), "produce to " + topic);
    }
    rd_kafka_poll(producer, 50);
  }
}

std::vector<std::int32_t> partitions_of(rd_kafka_t* client, const std::string& topic) {
  std::unique_ptr<rd_kafka_topic_t, decltype(&rd_kafka_topic_destroy)> handle(
      rd_kafka_topic_new(client, topic.c_str(), nullptr), rd_kafka_topic_destroy);
  const rd_kafka_metadata_t* answer = nullptr;
  check(rd_kafka_metadata(client, /*all_topics=*/0, handle.get(), &answer, answer_timeout_ms),
        "metadata of " + topic);
  RdKafka<const rd_kafka_metadata_t> owned(answer);
  std::vector<std::int32_t> result;
  for (const auto& entry : std::span(answer->topics, answer->topic_cnt)) {
    check(entry.err, "metadata of " + topic);
    for (const auto& partition : std::span(entry.partitions, entry.partition_cnt))
      result.push_back(partition.id);
  }
  return result;
}

std::vector<Ticket> produce_through(rd_kafka_t* producer, const std::string& topic, std::size_t count,
                                    const std::function<Record(std::size_t)>& make) {
  // Asked for here, an unknown topic is an error at once, and the first record need not wait for librdkafka's
  // own inquiry, which may come a second later.
  partitions_of(producer, topic);
  std::vector<Ticket> tickets(count);
  try {
    for (std::size_t i = 0; i < count; ++i) {
      enqueue(producer, topic, make(i), &tickets[i]);
      rd_kafka_poll(producer, 0);
    }
    check(rd_kafka_flush(producer, 60'000), "flush to " + topic);
  } catch (...) {
    // The tickets go away now, so no record may be left that points to one.
    rd_kafka_purge(producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(producer, 60'000);
    throw;
  }
  for (const Ticket& ticket : tickets) check(ticket.error, "deliver to " + topic);
  return tickets;
}

std::vector<Position> produce_all(rd_kafka_t* producer, const std::string& topic,
                                  const std::vector<Record>& records) {
  std::vector<Position> positions;
  positions.reserve(records.size());
  auto tickets = produce_through(producer, topic, records.size(), [&](std::size_t i) { return records[i]; });
  for (const Ticket& ticket : tickets) positions.push_back(ticket.position);
  return positions;
}

RdKafka<rd_kafka_topic_partition_list_t> list_of(const std::string& topic,
                                                 std::span<const std::int32_t> partitions) {
  RdKafka<rd_kafka_topic_partition_list_t> list(
      rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  for (std::int32_t partition : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition);
  }
  return list;
}

StoredRecord stored(const rd_kafka_message_t& message) {
  StoredRecord record;
  record.key = bytes(message.key, message.key_len);
  record.payload = bytes(message.payload, message.len);
  record.partition = message.partition;
  record.offset = message.offset;
  record.timestamp_ms = rd_kafka_message_timestamp(&message, nullptr);
  rd_kafka_headers_t* headers = nullptr;  // stay the message's
  if (rd_kafka_message_headers(&message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    const char* name;
    const void* value;
    std::size_t length;
    for (std::size_t i = 0; !rd_kafka_header_get_all(headers, i, &name, &value, &length); ++i) {
      record.headers.emplace_back(name, bytes(value, length));
    }
  }
  return record;
}

Watermarks query_watermarks(rd_kafka_t* client, const TopicPartition& partition) {
  Watermarks result;
  check(rd_kafka_query_watermark_offsets(client, partition.topic.c_str(), partition.partition, &result.low,
                                         &result.high, answer_timeout_ms),
        "watermarks of " + partition.topic);
  return result;
}

}  // namespace

KafkaClient::KafkaClient(std::string bootstrap, KafkaConfig producer_config)
    : bootstrap_(std::move(bootstrap)), producer_config_(std::move(producer_config)) {}

std::vector<Position> KafkaClient::produce(const std::string& topic, const std::vector<Record>& records) {
  auto producer = make_producer(bootstrap_, producer_config_);
  return produce_all(producer.get(), topic, records);
}

void KafkaClient::produce_each(const std::string& topic, std::size_t count,
                               const std::function<Record(std::size_t)>& make) {
  auto producer = make_producer(bootstrap_, producer_config_);
  produce_through(producer.get(), topic, count, make);
}

std::vector<StoredRecord> KafkaClient::read_all(const std::string& topic, Isolation isolation) {
  const bool committed_only = isolation == Isolation::read_committed;
  auto consumer = make_consumer(bootstrap_, "idem-test-reader",
                                {{"isolation.level", committed_only ? "read_committed" : "read_uncommitted"},
                                 {"fetch.wait.max.ms", "10"}});
  std::vector<std::int32_t> partitions = partitions_of(consumer.get(), topic);
  auto list = list_of(topic, partitions);
  for (auto& entry : std::span(list->elems, list->cnt)) entry.offset = RD_KAFKA_OFFSET_BEGINNING;
  check(rd_kafka_assign(consumer.get(), list.get()), "assign " + topic);

  std::vector<StoredRecord> result;
  std::set<std::int32_t> unfinished(partitions.begin(), partitions.end());
  while (!unfinished.empty()) {
    RdKafka<rd_kafka_message_t> message(rd_kafka_consumer_poll(consumer.get(), answer_timeout_ms));
    if (!message) throw std::runtime_error("read " + topic + ": no answer");
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      unfinished.erase(message->partition);
      continue;
    }
    check(message->err, "read " + topic);
    result.push_back(stored(*message));
  }
  return result;
}

Watermarks KafkaClient::watermarks(const TopicPartition& partition) {
  return query_watermarks(make_producer(bootstrap_, {}).get(), partition);
}

std::map<std::int32_t, CommittedOffset> KafkaClient::committed(const std::string& group,
                                                               const std::string& topic,
                                                               const std::vector<std::int32_t>& partitions) {
  auto consumer = make_consumer(bootstrap_, group);
  auto list = list_of(topic, partitions);
  check(rd_kafka_committed(consumer.get(), list.get(), answer_timeout_ms), "committed offsets of " + group);
  std::map<std::int32_t, CommittedOffset> result;
  for (const auto& entry : std::span(list->elems, list->cnt)) {
    check(entry.err, "committed offset of " + group);
    if (entry.offset < 0) continue;
    const char* text = static_cast<const char*>(entry.metadata);
    result[entry.partition] = {entry.offset, std::string(text ? text : "", entry.metadata_size)};
  }
  return result;
}

void KafkaClient::commit(const std::string& group, const TopicPartition& partition,
                         const CommittedOffset& next) {
  auto consumer = make_consumer(bootstrap_, group);
  auto list = list_of(partition.topic, std::span(&partition.partition, 1));
  auto& entry = list->elems[0];
  entry.offset = next.offset;
  if (!next.metadata.empty()) {
    entry.metadata = strdup(next.metadata.c_str());  // the list frees it
    entry.metadata_size = next.metadata.size();
  }
  check(rd_kafka_commit(consumer.get(), list.get(), /*async=*/0), "commit for " + group);
}

KafkaTransaction::KafkaTransaction(const std::string& bootstrap, const std::string& transactional_id)
    : bootstrap_(bootstrap), producer_(make_producer(bootstrap, {{"transactional.id", transactional_id}})) {
  check(RdKafka<rd_kafka_error_t>(rd_kafka_init_transactions(producer_.get(), answer_timeout_ms)),
        "init transactions");
  check(RdKafka<rd_kafka_error_t>(rd_kafka_begin_transaction(producer_.get())), "begin transaction");
  open_ = true;
}

KafkaTransaction::~KafkaTransaction() {
  if (open_) RdKafka<rd_kafka_error_t>(rd_kafka_abort_transaction(producer_.get(), answer_timeout_ms));
}

std::vector<Position> KafkaTransaction::produce(const std::string& topic,
                                                const std::vector<Record>& records) {
  auto positions = produce_all(producer_.get(), topic, records);
  for (const Position& position : positions) written_.insert({topic, position.partition});
  return positions;
}

void KafkaTransaction::commit() { end(rd_kafka_commit_transaction, "commit transaction"); }

void KafkaTransaction::abort() { end(rd_kafka_abort_transaction, "abort transaction"); }

void KafkaTransaction::end(rd_kafka_error_s* (*ask)(rd_kafka_s*, int), const std::string& what) {
  open_ = false;
  auto watcher = make_consumer(bootstrap_, "idem-test-watcher", {{"isolation.level", "read_uncommitted"}});
  auto log_end = [&](const TopicPartition& partition) { return query_watermarks(watcher.get(), partition).high; };
  std::map<TopicPartition, std::int64_t> before;
  for (const TopicPartition& partition : written_) before[partition] = log_end(partition);
  check(RdKafka<rd_kafka_error_t>(ask(producer_.get(), answer_timeout_ms)), what);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(answer_timeout_ms);
  for (const auto& [partition, end] : before) {
    while (log_end(partition) == end) {
      if (std::chrono::steady_clock::now() > deadline)
        throw std::runtime_error(what + ": no marker in " + partition.topic);
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
}

}  // namespace idem::test
