#include "rdkafka_handles.h"

#include <librdkafka/rdkafka.h>

#include <stdexcept>

namespace idem::test {

void RdKafkaDeleter::operator()(rd_kafka_s* client) const { rd_kafka_destroy(client); }
void RdKafkaDeleter::operator()(const rd_kafka_metadata_t* metadata) const {
  rd_kafka_metadata_destroy(metadata);
}
void RdKafkaDeleter::operator()(rd_kafka_op_s* event) const { rd_kafka_event_destroy(event); }
void RdKafkaDeleter::operator()(rd_kafka_queue_s* queue) const { rd_kafka_queue_destroy(queue); }
void RdKafkaDeleter::operator()(rd_kafka_message_s* message) const { rd_kafka_message_destroy(message); }
void RdKafkaDeleter::operator()(rd_kafka_headers_s* headers) const { rd_kafka_headers_destroy(headers); }
void RdKafkaDeleter::operator()(rd_kafka_error_s* error) const { rd_kafka_error_destroy(error); }
void RdKafkaDeleter::operator()(rd_kafka_topic_partition_list_s* list) const {
  rd_kafka_topic_partition_list_destroy(list);
}
void RdKafkaDeleter::operator()(rd_kafka_AdminOptions_s* options) const {
  rd_kafka_AdminOptions_destroy(options);
}

RdKafka<rd_kafka_s> make_client(KafkaRole role, const std::string& bootstrap, const KafkaConfig& config,
                                void (*callbacks)(rd_kafka_conf_s*)) {
  KafkaConfig all = {{"bootstrap.servers", bootstrap},
                     {"reconnect.backoff.ms", "20"},
                     {"reconnect.backoff.max.ms", "500"},
                     {"log_level", "0"}};
  for (const auto& [name, value] : config) all[name] = value;

  char why[512];
  std::unique_ptr<rd_kafka_conf_t, decltype(&rd_kafka_conf_destroy)> conf(rd_kafka_conf_new(),
                                                                          rd_kafka_conf_destroy);
  for (const auto& [name, value] : all) {
    if (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), why, sizeof why) != RD_KAFKA_CONF_OK) {
      throw std::runtime_error(why);
    }
  }
  // Without a callback librdkafka writes every lost connection to stderr, whatever log_level says.
  rd_kafka_conf_set_error_cb(conf.get(), [](rd_kafka_t*, int, const char*, void*) {});
  if (callbacks) callbacks(conf.get());
  rd_kafka_type_t type = role == KafkaRole::producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER;
  rd_kafka_t* client = rd_kafka_new(type, conf.get(), why, sizeof why);
  if (!client) throw std::runtime_error(why);
  (void)conf.release();  // rd_kafka_new took it over
  return RdKafka<rd_kafka_s>(client);
}

void check(int response_error, const std::string& what) {
  if (response_error == RD_KAFKA_RESP_ERR_NO_ERROR) return;
  throw std::runtime_error(what + ": " + rd_kafka_err2str(static_cast<rd_kafka_resp_err_t>(response_error)));
}

void check(RdKafka<rd_kafka_error_s> error, const std::string& what) {
  if (error) throw std::runtime_error(what + ": " + rd_kafka_error_string(error.get()));
}

}  // namespace idem::test
