// What librdkafka's answer to one message means for it and its neighbours.
#pragma once

namespace idem::kafka {

enum class Verdict {
  stored,
  bad_message,  ///< Kafka will never take it: too large, an invalid record. Or another one of its batch
  bad_topic,    ///< the topic does not take it: unknown, no right to write
  lost,         ///< not stored as far as known; may be sent again
};

/// `error` is a rd_kafka_resp_err_t; `persisted`: librdkafka knows that it is in the log.
Verdict verdict_of(int error, bool persisted);

}  // namespace idem::kafka
