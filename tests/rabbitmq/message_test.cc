// What a handler sees of an AMQP message, whatever is in it.
#include <gtest/gtest.h>

#include <map>

#include "running_source.h"
#include "rabbitmq/amqp_headers.h"
#include "support/unique_name.h"

namespace idem::test {
namespace {

amqp_bytes_t bytes(std::string_view text) { return {text.size(), const_cast<char*>(text.data())}; }

struct RabbitMessages : testing::Test {
  void SetUp() override {
    IDEM_NEEDS("rabbitmq", RabbitBroker::unavailable());
    client = std::make_unique<RabbitClient>(RabbitBroker::shared().uri());
    client->declare_queue(queue, {{"x-dead-letter-exchange", ""}, {"x-dead-letter-routing-key", queue + "-dead"}});
    client->declare_queue(queue + "-dead");
  }
  void TearDown() override {
    running.reset();
    if (!client) return;
    client->delete_queue(queue);
    client->delete_queue(queue + "-dead");
  }
  /// Sends them and gives back what came, in order.
  std::vector<conformance::Copy> through(const std::vector<RabbitMessage>& messages) {
    client->publish(queue, messages);
    return receive(queue, messages.size());
  }
  std::vector<conformance::Copy> receive(const std::string& from, std::size_t count) {
    RabbitOptions options = options_for(RabbitBroker::shared().uri(), from);
    options.key_header = key_header;
    running = std::make_unique<RunningRabbit>(options);
    running->recorder.message_hook = [this](auto&, const Message& message) {
      times.push_back(message.timestamp);
      return true;
    };
    running->start();
    EXPECT_TRUE(running->until([&] { return running->received() >= count; }));
    return running->partition().messages;
  }
  static std::map<std::string, std::optional<std::string>> headers(const conformance::Copy& copy) {
    std::map<std::string, std::optional<std::string>> all;
    for (const auto& [name, value] : copy.headers) all[name] = value;  // the last one counts, as for a handler
    return all;
  }

  std::string queue = unique_name("queue"), key_header;
  std::unique_ptr<RabbitClient> client;
  std::unique_ptr<RunningRabbit> running;
  std::vector<std::optional<Timestamp>> times;
};

TEST_F(RabbitMessages, properties_are_headers_under_their_names) {
  RabbitMessage message{.payload = "p", .id = "id-1", .headers = {{"own", "value"}}, .timestamp = 1'700'000'000,
                        .expiration = "600000"};
  message.more = [](amqp_basic_properties_t& p) {
    p._flags |= AMQP_BASIC_CORRELATION_ID_FLAG | AMQP_BASIC_REPLY_TO_FLAG | AMQP_BASIC_TYPE_FLAG | AMQP_BASIC_APP_ID_FLAG |
                AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_CONTENT_ENCODING_FLAG | AMQP_BASIC_PRIORITY_FLAG |
                AMQP_BASIC_USER_ID_FLAG;
    p.correlation_id = bytes("c"), p.reply_to = bytes("r"), p.type = bytes("t"), p.app_id = bytes("a");
    p.content_type = bytes("text/plain"), p.content_encoding = bytes("none"), p.user_id = bytes("guest");
    p.priority = 3;
  };
  auto came = through({message, {.payload = ""}});
  auto seen = headers(came[0]);
  EXPECT_EQ(seen, (std::map<std::string, std::optional<std::string>>{
                      {"own", "value"}, {"message_id", "id-1"}, {"correlation_id", "c"}, {"reply_to", "r"}, {"type", "t"},
                      {"app_id", "a"}, {"user_id", "guest"}, {"content_type", "text/plain"}, {"content_encoding", "none"},
                      {"expiration", "600000"}, {"priority", "3"}, {"delivery_mode", "2"}, {"exchange", ""},
                      {"routing_key", queue}}));
  EXPECT_EQ(came[0].key, queue) << "the routing key";
  EXPECT_EQ(times[0], Timestamp(1'700'000'000s));
  EXPECT_FALSE(headers(came[1]).contains("message_id"));
  EXPECT_EQ(came[1].payload, "") << "empty, not null";
  EXPECT_FALSE(times[1]);
}

TEST_F(RabbitMessages, a_table_cannot_hide_a_property_and_the_key_may_be_a_header) {
  key_header = "customer";
  auto came = through({{.payload = "a", .id = "real", .headers = {{"message_id", "forged"}, {"customer", "c7"}}},
                       {.payload = "b"}});
  const std::pair<std::string, std::optional<std::string>> forged("message_id", "forged");
  EXPECT_EQ(std::count(came[0].headers.begin(), came[0].headers.end(), forged), 1) << "it is there, and hides nothing";
  EXPECT_EQ(headers(came[0])["message_id"], "real");
  EXPECT_EQ(came[0].key, "c7");
  EXPECT_EQ(came[1].key, std::nullopt);
}

TEST_F(RabbitMessages, every_field_type_and_invalid_text) {
  amqp_field_value_t nested[2] = {};
  nested[0].kind = AMQP_FIELD_KIND_UTF8;
  nested[0].value.bytes = bytes("\xc3\x28");
  nested[1].kind = AMQP_FIELD_KIND_VOID;
  std::vector<amqp_table_entry_t> table;
  const auto add = [&table](const char* name, std::uint8_t kind) -> decltype(amqp_field_value_t::value)& {
    table.push_back({});
    table.back().key = bytes(name);
    table.back().value.kind = kind;
    return table.back().value.value;
  };
  table.reserve(32);
  add("t", 't').boolean = 1;
  add("b", 'b').i8 = -1;
  add("s", 's').i16 = -2;
  add("I", 'I').i32 = -3;
  add("l", 'l').i64 = -4;
  add("i", 'i').u32 = 5;
  add("f", 'f').f32 = 1.5f;
  add("d", 'd').f64 = 2.5;
  add("D", 'D').decimal = {1, 25};
  add("S", 'S').bytes = bytes("\xff\xfe");
  add("x", 'x').bytes = bytes(std::string_view("\0\1", 2));
  add("A", 'A').array = {2, nested};
  add("T", 'T').u64 = 6;
  add("F", 'F').table = {0, nullptr};
  add("V", 'V');
  RabbitMessage message{.payload = "p"};
  message.more = [&](amqp_basic_properties_t& p) {
    p._flags |= AMQP_BASIC_HEADERS_FLAG;
    p.headers = {static_cast<int>(table.size()), table.data()};
  };
  auto seen = headers(through({message})[0]);
  using namespace std::string_literals;
  const std::map<std::string, std::optional<std::string>> expected = {
      {"t", "true"}, {"b", "-1"}, {"s", "-2"}, {"I", "-3"}, {"l", "-4"}, {"i", "5"}, {"f", "1.5"}, {"d", "2.5"},
      {"D", "2.5"}, {"S", "\xff\xfe"}, {"x", "\0\1"s}, {"A", "[\"\xc3\x28\",null]"}, {"T", "6"}, {"F", "{}"},
      {"V", std::nullopt}};
  for (const auto& [name, value] : expected) {
    EXPECT_TRUE(seen.contains(name)) << name;
    EXPECT_EQ(seen[name], value) << name;
  }
}

TEST_F(RabbitMessages, a_payload_of_many_frames_comes_whole) {
  std::string large(8 << 20, 'x');
  for (std::size_t i = 0; i < large.size(); i += 4'096) large[i] = static_cast<char>(i >> 12);
  auto came = through({{.payload = large}, {.payload = std::string(131'072 - 8, 'e')}, {.payload = "small"}});
  EXPECT_TRUE(came[0].payload == large);
  EXPECT_EQ(came[1].payload->size(), 131'064u);
  EXPECT_EQ(came[2].payload, "small");
}

TEST_F(RabbitMessages, ids_of_255_bytes_come_whole) {
  std::string id(255, '\0');
  for (std::size_t i = 0; i < id.size(); ++i) id[i] = static_cast<char>(i);
  EXPECT_EQ(headers(through({{.payload = "p", .id = id}})[0])["message_id"], id);
}

TEST_F(RabbitMessages, a_dead_lettered_one_tells_where_it_died) {
  client->publish(queue, {{.payload = "p", .id = "id", .expiration = "1"}});
  auto seen = headers(receive(queue + "-dead", 1)[0]);
  EXPECT_EQ(seen["message_id"], "id");
  ASSERT_TRUE(seen["x-death"]);
  EXPECT_NE(seen["x-death"]->find("\"reason\":\"expired\""), std::string::npos) << *seen["x-death"];
  EXPECT_NE(seen["x-death"]->find("\"queue\":\"" + queue + "\""), std::string::npos) << *seen["x-death"];
}

TEST_F(RabbitMessages, a_redelivered_one_says_so_and_a_quorum_queue_counts) {
  const std::string quorum = unique_name("queue");
  client->declare_queue(quorum, {{"x-queue-type", "quorum"}});
  client->publish(quorum, {{.payload = "p"}});
  EXPECT_FALSE(headers(receive(quorum, 1)[0]).contains("redelivered"));
  auto seen = headers(receive(quorum, 1)[0]);
  EXPECT_EQ(seen["redelivered"], "true");
  EXPECT_EQ(seen["x-delivery-count"], "1");
  running.reset();
  client->delete_queue(quorum);
}

// A header frame as deep as it can be: rabbitmq-c follows it down the stack, on the I/O thread.
// Newer ones refuse to decode what is nested too deeply, and with it the connection.
bool library_decodes_any_depth() { return amqp_version_number() < AMQP_VERSION_CODE(0, 12, 0, 0); }

// As deep as a frame holds. Nobody can take it from the queue by way of this library, so it must not go on for ever.
TEST_F(RabbitMessages, a_table_that_is_nested_without_end_comes_or_ends_the_run_with_a_reason) {
  const int depth = 20'000;
  std::vector<amqp_field_value_t> levels(depth);
  for (int i = depth - 1; i >= 0; --i) {
    levels[i].kind = AMQP_FIELD_KIND_ARRAY;
    levels[i].value.array = {i + 1 < depth ? 1 : 0, i + 1 < depth ? &levels[i + 1] : nullptr};
  }
  amqp_table_entry_t entry;
  entry.key = bytes("deep");
  entry.value = levels[0];
  RabbitMessage message{.payload = "p"};
  message.more = [&](amqp_basic_properties_t& p) {
    p._flags |= AMQP_BASIC_HEADERS_FLAG;
    p.headers = {1, &entry};
  };
  if (library_decodes_any_depth()) {
    EXPECT_EQ(headers(through({message})[0])["deep"]->substr(0, 3), "[[[");
    return;
  }
  client->publish(queue, {{.payload = "before"}, message});
  running = std::make_unique<RunningRabbit>(options_for(RabbitBroker::shared().uri(), queue));
  running->start();
  EXPECT_TRUE(running->until([&] { return running->said_fatal("cannot be decoded"); }));
}

}  // namespace
}  // namespace idem::test
