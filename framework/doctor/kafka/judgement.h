// What the facts about a Kafka cluster mean. Pure: no cluster, no clock.
#pragma once

#include <idem/doctor.h>

#include "doctor/kafka/facts.h"

namespace idem::doctor {

Report judge(const KafkaFacts& facts, const KafkaDoctorOptions& options);

/// acks, enable.idempotence and retries as a producer with these properties would have them; empty if none is given.
Report judge_producer(const KafkaDoctorOptions& options);

/// A property of producers that tells how it would lose, copy or reorder.
bool is_judged_of_producers(const std::string& property);

}  // namespace idem::doctor
