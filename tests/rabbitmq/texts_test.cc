// Header values as text, and what a refused declaration says.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <optional>

#include "rabbitmq/amqp_headers.h"
#include "sources/rabbitmq/rabbit_table.h"
#include "rabbitmq/topology.h"

namespace idem::rabbit {
namespace {

amqp_bytes_t bytes(std::string_view text) { return {text.size(), const_cast<char*>(text.data())}; }

amqp_field_value_t field(std::uint8_t kind) {
  amqp_field_value_t made{};
  made.kind = kind;
  return made;
}
amqp_field_value_t text_field(std::string_view text, std::uint8_t kind = AMQP_FIELD_KIND_UTF8) {
  amqp_field_value_t made = field(kind);
  made.value.bytes = bytes(text);
  return made;
}
std::optional<std::string> text_of(const amqp_field_value_t& value) {
  std::string text;
  if (!append_text(text, value)) return std::nullopt;
  return text;
}

TEST(RabbitTable, every_type_has_a_text) {
  using namespace std::string_literals;
  auto f = field(AMQP_FIELD_KIND_BOOLEAN);
  f.value.boolean = 1;
  EXPECT_EQ(text_of(f), "true");
  f = field(AMQP_FIELD_KIND_I8);
  f.value.i8 = -128;
  EXPECT_EQ(text_of(f), "-128");
  f = field(AMQP_FIELD_KIND_U8);
  f.value.u8 = 255;
  EXPECT_EQ(text_of(f), "255");
  f = field(AMQP_FIELD_KIND_I16);
  f.value.i16 = -32768;
  EXPECT_EQ(text_of(f), "-32768");
  f = field(AMQP_FIELD_KIND_U16);
  f.value.u16 = 65535;
  EXPECT_EQ(text_of(f), "65535");
  f = field(AMQP_FIELD_KIND_I32);
  f.value.i32 = -7;
  EXPECT_EQ(text_of(f), "-7");
  f = field(AMQP_FIELD_KIND_U32);
  f.value.u32 = 4294967295u;
  EXPECT_EQ(text_of(f), "4294967295");
  f = field(AMQP_FIELD_KIND_I64);
  f.value.i64 = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(text_of(f), "-9223372036854775808");
  f = field(AMQP_FIELD_KIND_U64);
  f.value.u64 = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(text_of(f), "18446744073709551615");
  f = field(AMQP_FIELD_KIND_TIMESTAMP);
  f.value.u64 = 1'700'000'000;
  EXPECT_EQ(text_of(f), "1700000000");
  f = field(AMQP_FIELD_KIND_F32);
  f.value.f32 = 0.5f;
  EXPECT_EQ(text_of(f), "0.5");
  f = field(AMQP_FIELD_KIND_F64);
  f.value.f64 = 0.1;
  EXPECT_EQ(text_of(f), "0.1");
  f = field(AMQP_FIELD_KIND_DECIMAL);
  f.value.decimal = {2, 5};
  EXPECT_EQ(text_of(f), "0.05");
  f.value.decimal = {0, 12};
  EXPECT_EQ(text_of(f), "12");
  f.value.decimal = {2, 1234};
  EXPECT_EQ(text_of(f), "12.34");
  EXPECT_EQ(text_of(text_field("a\0\xff"s)), "a\0\xff"s) << "bytes are bytes";
  EXPECT_EQ(text_of(text_field("\xc3\x28", AMQP_FIELD_KIND_BYTES)), "\xc3\x28");
  EXPECT_EQ(text_of(field(AMQP_FIELD_KIND_VOID)), std::nullopt);
}

TEST(RabbitTable, what_is_nested_is_json) {
  amqp_field_value_t nan = field(AMQP_FIELD_KIND_F64);
  nan.value.f64 = std::nan("");
  amqp_field_value_t number = field(AMQP_FIELD_KIND_I32);
  number.value.i32 = 3;
  amqp_field_value_t items[] = {number, text_field("q\"\\\n"), field(AMQP_FIELD_KIND_VOID), nan};
  amqp_field_value_t array = field(AMQP_FIELD_KIND_ARRAY);
  array.value.array = {4, items};
  amqp_table_entry_t entry;
  entry.key = bytes("k");
  entry.value = array;
  amqp_field_value_t table = field(AMQP_FIELD_KIND_TABLE);
  table.value.table = {1, &entry};
  EXPECT_EQ(text_of(table), R"({"k":[3,"q\"\\\u000a",null,"nan"]})");
}

TEST(RabbitTable, depth_is_cut_off) {
  std::vector<amqp_field_value_t> levels(100'000, field(AMQP_FIELD_KIND_ARRAY));
  levels.back().value.array = {0, nullptr};
  for (std::size_t i = levels.size() - 1; i > 0; --i) levels[i - 1].value.array = {1, &levels[i]};
  EXPECT_EQ(text_of(levels[0]), std::string(32, '[') + "[\"...\"]" + std::string(32, ']'));
}

TEST(RabbitTopologyText, a_difference_names_the_argument_both_values_and_the_remedy) {
  const std::string text = explain_difference(
      "queue \"orders\"",
      "PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'orders' in vhost '/': received '1000' but "
      "current is '2000'",
      "RabbitOptions::topology");
  for (const char* part : {"queue \"orders\"", "x-message-ttl", "at the server is 2000", "it is 1000", "delete it"})
    EXPECT_NE(text.find(part), std::string::npos) << text;
}

TEST(RabbitTopologyText, none_is_not_set) {
  const std::string text = explain_difference(
      "queue \"q\"", "PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'q' in vhost '/': received the value "
                     "'5' of type 'signedint' but current is none",
      "RabbitOptions::topology");
  EXPECT_NE(text.find("at the server is not set"), std::string::npos) << text;
}

}  // namespace
}  // namespace idem::rabbit
