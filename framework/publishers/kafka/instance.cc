#include "publishers/kafka/instance.h"

#include <librdkafka/rdkafka.h>

#include <stdexcept>
#include <utility>

#include "runtime/log.h"
#include "sources/kafka/kafka_properties.h"

namespace idem::kafka {
namespace {

void on_log(const rd_kafka_t* client, int, const char* facility, const char* text) {
  const auto& configuration = *static_cast<const ProducerConfiguration*>(rd_kafka_opaque(client));
  runtime::log().debug("{}: {}: {}", configuration.name, facility, redact(text, configuration.secrets));
}

const void* data(const std::optional<std::string>& bytes) { return bytes ? bytes->data() : nullptr; }
std::size_t size(const std::optional<std::string>& bytes) { return bytes ? bytes->size() : 0; }

struct DeleteHeaders {
  void operator()(rd_kafka_headers_t* headers) const { rd_kafka_headers_destroy(headers); }
};
using Headers = std::unique_ptr<rd_kafka_headers_t, DeleteHeaders>;

Headers headers_of(const KafkaOutgoing& message, const std::string& id_header) {
  Headers headers(rd_kafka_headers_new(message.headers.size() + 1));
  const auto add = [&](const std::string& name, const void* value, std::size_t length) {
    rd_kafka_header_add(headers.get(), name.data(), static_cast<ssize_t>(name.size()), value,
                        static_cast<ssize_t>(length));
  };
  for (const auto& [name, value] : message.headers) add(name, data(value), size(value));
  add(id_header, message.id.data(), message.id.size());
  return headers;
}

constexpr int purge_patience_ms = 10'000;

}  // namespace

struct Instance::Client {
  rd_kafka_t* handle = nullptr;
  rd_kafka_queue_t* events = nullptr;
  ~Client() {
    if (events) rd_kafka_queue_destroy(events);
    if (handle) rd_kafka_destroy(handle);
  }
};

Instance::Instance(const ProducerConfiguration& configuration, int wake_fd)
    : configuration_(configuration), client_(std::make_unique<Client>()) {
  Conf conf(rd_kafka_conf_dup(configuration.conf.get()));
  rd_kafka_conf_set_opaque(conf.get(), const_cast<ProducerConfiguration*>(&configuration));
  rd_kafka_conf_set_log_cb(conf.get(), on_log);
  rd_kafka_conf_set_events(conf.get(), RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
  char why[512] = "";
  client_->handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), why, sizeof why);
  if (!client_->handle) throw std::invalid_argument("Kafka publisher: " + redact(why, configuration.secrets));
  (void)conf.release();  // rd_kafka_new took it over
  client_->events = rd_kafka_queue_get_main(client_->handle);
  const std::uint64_t one = 1;
  rd_kafka_queue_io_event_enable(client_->events, wake_fd, &one, sizeof one);
}

Instance::~Instance() = default;

Instance::Taken Instance::produce(const KafkaOutgoing& message, publish::Ticket ticket, Delivery& refusal) {
  Headers headers = headers_of(message, configuration_.id_header);
  rd_kafka_vu_t parts[8];
  std::size_t count = 0;
  parts[count].vtype = RD_KAFKA_VTYPE_TOPIC;
  parts[count++].u.cstr = message.topic.c_str();
  parts[count].vtype = RD_KAFKA_VTYPE_KEY;
  parts[count++].u.mem = {const_cast<void*>(data(message.key)), size(message.key)};
  parts[count].vtype = RD_KAFKA_VTYPE_VALUE;
  parts[count++].u.mem = {const_cast<void*>(data(message.payload)), size(message.payload)};
  parts[count].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  parts[count++].u.i = RD_KAFKA_MSG_F_COPY;
  parts[count].vtype = RD_KAFKA_VTYPE_PARTITION;
  parts[count++].u.i32 = message.partition.value_or(RD_KAFKA_PARTITION_UA);
  parts[count].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
  parts[count++].u.i64 = message.timestamp->time_since_epoch().count();
  parts[count].vtype = RD_KAFKA_VTYPE_OPAQUE;
  parts[count++].u.ptr = reinterpret_cast<void*>(ticket);
  parts[count].vtype = RD_KAFKA_VTYPE_HEADERS;
  parts[count++].u.headers = headers.get();
  Error error(rd_kafka_produceva(client_->handle, parts, count));
  if (!error) {
    (void)headers.release();  // the message owns them now
    return Taken::yes;
  }
  if (rd_kafka_error_code(error.get()) == RD_KAFKA_RESP_ERR__QUEUE_FULL) return Taken::full;
  refusal = {ticket,
             rd_kafka_error_code(error.get()),
             false,
             false,
             redact(rd_kafka_error_string(error.get()), configuration_.secrets),
             true};
  return Taken::no;
}

void Instance::take_answers(std::vector<Delivery>& deliveries) {
  while (Event event{rd_kafka_queue_poll(client_->events, 0)}) {
    if (rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_DR) {
      while (const rd_kafka_message_t* message = rd_kafka_event_message_next(event.get())) {
        const rd_kafka_msg_status_t status = rd_kafka_message_status(message);
        deliveries.push_back({reinterpret_cast<publish::Ticket>(message->_private), message->err,
                              status == RD_KAFKA_MSG_STATUS_PERSISTED, status == RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED,
                              message->err ? rd_kafka_err2str(message->err) : "", false});
      }
    } else if (rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_ERROR) {
      trouble_ = redact(rd_kafka_event_error_string(event.get()), configuration_.secrets);
    }
  }
  char why[512] = "";
  if (fatal_.empty() && rd_kafka_fatal_error(client_->handle, why, sizeof why) != RD_KAFKA_RESP_ERR_NO_ERROR)
    fatal_ = redact(why, configuration_.secrets);
}

void Instance::purge(std::vector<Delivery>& deliveries) {
  rd_kafka_purge(client_->handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  for (int waited = 0; rd_kafka_outq_len(client_->handle) > 0 && waited < purge_patience_ms; waited += 10) {
    take_answers(deliveries);
    rd_kafka_flush(client_->handle, 10);
  }
  take_answers(deliveries);
}

std::string Instance::take_trouble() { return std::exchange(trouble_, {}); }

}  // namespace idem::kafka
