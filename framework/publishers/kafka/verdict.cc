#include "publishers/kafka/verdict.h"

#include <librdkafka/rdkafka.h>

namespace idem::kafka {
namespace {

constexpr int invalid_different_record =
    -138;  // librdkafka 2.0 has no name for it: another one of the batch is invalid

}  // namespace

Verdict verdict_of(int error, bool persisted) {
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR || persisted) return Verdict::stored;
  switch (error) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case invalid_different_record:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
      return Verdict::bad_message;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      return Verdict::bad_topic;
    default:
      return Verdict::lost;
  }
}

}  // namespace idem::kafka
