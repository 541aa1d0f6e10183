// A message's header table on its way from the wire to a handler: every header is there, and whatever is nested comes
// out as JSON.
//
// The first byte chooses: a table as rabbitmq-c decodes it from bytes, or one built here, with kinds and depths that no
// decoder would make.
#include <cmath>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "input.h"
#include "json.h"
#include "rabbitmq/amqp_headers.h"
#include "sources/rabbitmq/incoming.h"
#include "sources/rabbitmq/rabbit_table.h"

namespace {

using idem::fuzz::Input;
using idem::fuzz::promise;
using idem::rabbit::bytes;

struct Pool {
  Pool() { init_amqp_pool(&pool, 4'096); }
  ~Pool() { empty_amqp_pool(&pool); }
  amqp_pool_t pool;
};

/// Owns what a table built here points to.
class Builder {
 public:
  explicit Builder(Input& input) : input_(input) {}

  amqp_table_t table(int depth) {
    auto& entries = tables_.emplace_back();
    std::vector<amqp_table_entry_t> made;
    for (int count = input_.byte() % 8; count > 0; --count) {
      amqp_table_entry_t entry{};
      entry.key = bytes(input_.text());
      entry.value = value(depth);
      made.push_back(entry);
    }
    entries = std::move(made);
    return {static_cast<int>(entries.size()), entries.data()};
  }

 private:
  amqp_field_value_t value(int depth) {
    static constexpr char kinds[] = "tbBuUiIlLfdDSATFVx\0";
    amqp_field_value_t made{};
    made.kind = static_cast<std::uint8_t>(kinds[input_.byte() % sizeof kinds]);
    if (made.kind == AMQP_FIELD_KIND_TABLE) {
      made.value.table = depth > 0 ? table(depth - 1) : amqp_empty_table;
    } else if (made.kind == AMQP_FIELD_KIND_ARRAY) {
      auto& values = arrays_.emplace_back();
      std::vector<amqp_field_value_t> items;
      for (int count = depth > 0 ? input_.byte() % 8 : 0; count > 0; --count) items.push_back(value(depth - 1));
      values = std::move(items);
      made.value.array = {static_cast<int>(values.size()), values.data()};
    } else if (made.kind == AMQP_FIELD_KIND_UTF8 || made.kind == AMQP_FIELD_KIND_BYTES) {
      made.value.bytes = bytes(input_.text());
    } else if (made.kind == AMQP_FIELD_KIND_DECIMAL) {
      made.value.decimal = {input_.byte(), static_cast<std::uint32_t>(input_.number())};
    } else {
      made.value.u64 = input_.number();
      if (made.kind == AMQP_FIELD_KIND_BOOLEAN) made.value.boolean = made.value.u64 & 1;
    }
    return made;
  }

  Input& input_;
  std::deque<std::vector<amqp_table_entry_t>> tables_;
  std::deque<std::vector<amqp_field_value_t>> arrays_;
};

void look_at(const amqp_table_t& table, Input& input) {
  const std::string_view name = table.num_entries > 0 ? idem::rabbit::view(table.entries[0].key) : "key";
  idem::rabbit::Incoming incoming{std::string(name)};
  amqp_basic_deliver_t delivery{};
  delivery.delivery_tag = 7;
  delivery.redelivered = input.byte() & 1;
  delivery.exchange = delivery.routing_key = bytes(input.text());
  amqp_basic_properties_t properties{};
  properties._flags = AMQP_BASIC_HEADERS_FLAG;
  properties.headers = table;
  if (input.byte() & 1) {
    properties._flags |= AMQP_BASIC_TIMESTAMP_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG;
    properties.timestamp = input.number();
    properties.message_id = bytes(input.text());
  }
  const std::string_view body = input.rest();
  incoming.begin(delivery);
  incoming.properties(properties, body.size());
  incoming.body(body);
  promise(incoming.complete(), "a message with its whole body is complete", body);
  idem::Message message;
  incoming.fill(message);
  promise(message.text() == body, "the body is what came", body);
  promise(message.headers.size() >= static_cast<std::size_t>(table.num_entries) + 2, "no header is lost", body);
  for (int i = 0; i < table.num_entries; ++i) {
    const auto& [key, value] = table.entries[i];
    const idem::Header& header = message.headers[static_cast<std::size_t>(i)];
    promise(header.name == idem::rabbit::view(key), "a header has its name", header.name);
    if (value.kind == AMQP_FIELD_KIND_TABLE || value.kind == AMQP_FIELD_KIND_ARRAY)
      promise(header.value && idem::fuzz::is_json(*header.value), "what is nested is JSON", header.value.value_or(""));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  if (input.byte() % 2 == 0) {
    std::string wire(input.text(4));
    Pool pool;
    amqp_table_t table{};
    std::size_t offset = 0;
    if (amqp_decode_table(bytes(wire), &pool.pool, &table, &offset) == AMQP_STATUS_OK) look_at(table, input);
  } else {
    Builder builder(input);
    const amqp_table_t table = builder.table(48);
    look_at(table, input);
  }
  return 0;
}
