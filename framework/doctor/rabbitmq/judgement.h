// What the facts about a RabbitMQ server mean. Pure: no server, no clock.
#pragma once

#include <idem/doctor.h>

#include "doctor/rabbitmq/facts.h"

namespace idem::doctor {

Report judge(const RabbitFacts& facts, const RabbitDoctorOptions& options);

}  // namespace idem::doctor
