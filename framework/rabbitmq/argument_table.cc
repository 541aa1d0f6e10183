#include "rabbitmq/argument_table.h"

#include "rabbitmq/amqp_headers.h"

namespace idem::rabbit {

ArgumentTable::ArgumentTable(const RabbitArguments& arguments) {
  for (const auto& [name, value] : arguments) {
    amqp_table_entry_t entry;
    entry.key = bytes(name);
    if (const auto* boolean = std::get_if<bool>(&value)) {
      entry.value.kind = AMQP_FIELD_KIND_BOOLEAN;
      entry.value.value.boolean = *boolean;
    } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
      entry.value.kind = AMQP_FIELD_KIND_I64;
      entry.value.value.i64 = *number;
    } else {
      entry.value.kind = AMQP_FIELD_KIND_UTF8;
      entry.value.value.bytes = bytes(std::get<std::string>(value));
    }
    entries_.push_back(entry);
  }
}

ArgumentTable::~ArgumentTable() = default;

amqp_table_t ArgumentTable::get() { return {static_cast<int>(entries_.size()), entries_.data()}; }

}  // namespace idem::rabbit
