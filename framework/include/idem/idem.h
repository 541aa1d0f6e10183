// Everything a service needs. Link what you use: idem::idem, idem::kafka, idem::rabbitmq,
// idem::sqlite.
#pragma once

#include <idem/doctor.h>
#include <idem/handler.h>
#include <idem/kafka.h>
#include <idem/memory_store.h>
#include <idem/kafka_publisher.h>
#include <idem/once.h>
#include <idem/outbox.h>
#include <idem/rabbitmq.h>
#include <idem/rabbitmq_publisher.h>
#include <idem/runtime.h>
#include <idem/sqlite_store.h>
