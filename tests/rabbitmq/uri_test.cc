// Addresses, and what must never be seen of them.
#include "rabbitmq/uri.h"

#include <gtest/gtest.h>

#include <random>

namespace idem::rabbit {
namespace {

TEST(RabbitUri, all_of_its_parts) {
  const Uri uri = parse_uri("amqps://us%65r:p%40ss%3a%2F@[::1]:7000/a%2fb");
  EXPECT_TRUE(uri.tls);
  EXPECT_EQ(uri.user, "user");
  EXPECT_EQ(uri.password, "p@ss:/");
  EXPECT_EQ(uri.address.host, "::1");
  EXPECT_EQ(uri.address.to_string(), "[::1]:7000");
  EXPECT_EQ(uri.vhost, "a/b");
}

TEST(RabbitUri, what_is_left_out_has_its_default) {
  for (const char* text : {"amqp://host", "amqp://host/", "amqp://host/%2f"}) {
    const Uri uri = parse_uri(text);
    EXPECT_EQ(uri.user + ":" + uri.password, "guest:guest");
    EXPECT_EQ(uri.address.to_string(), "host:5672");
    EXPECT_EQ(uri.vhost, "/");
  }
  EXPECT_EQ(parse_uri("amqps://host").address.port, 5671);
  EXPECT_EQ(parse_uri("amqp://only@host").password, "");
}

TEST(RabbitUri, what_is_wrong_is_said_without_the_password) {
  for (const char* text : {"", "http://u:secret@h", "amqp://u:secret@", "amqp://u:secret@h:0", "amqp://u:secret@h:65536",
                           "amqp://u:secret@h:12x", "amqp://u:secret%4@h", "amqp://u:secret@h/a/b", "amqp://u:secret%00@h",
                           "amqp://u:secret@h?heartbeat=5", "amqp://u:secret@[::1", "amqp://u:se/secret@h",
                           "amqp://u:secret@h/%zz"}) {
    try {
      parse_uri(text);
      ADD_FAILURE() << "taken: " << text;
    } catch (const std::invalid_argument& e) {
      const std::string what = e.what();
      EXPECT_NE(what.find("is refused"), std::string::npos) << what;
      EXPECT_EQ(what.find("secret"), std::string::npos) << what;
    }
  }
}

TEST(RabbitUri, redaction_leaves_the_rest_readable) {
  EXPECT_EQ(redact_uri("amqp://u:pw@h:1/v"), "amqp://u:***@h:1/v");
  EXPECT_EQ(redact_uri("amqp://u@h"), "amqp://u@h");
  EXPECT_EQ(redact_uri("amqp://h/v"), "amqp://h/v");
  EXPECT_EQ(redact_uri("amqp://u:p@w@h"), "amqp://u:***@h");
  EXPECT_EQ(redact_uri("u:p@h"), "u:***@h");
}

// Found by tests/fuzz.
TEST(RabbitUri, redaction_hides_a_password_wherever_a_mistake_has_put_it) {
  EXPECT_EQ(redact_uri("u:se://cret@h"), "u:***@h") << "no scheme, and :// in the password";
  EXPECT_EQ(redact_uri("amqp://user:secret"), "amqp://user:***") << "no host";
  EXPECT_EQ(redact_uri("amqp://user:1secret/v"), "amqp://user:***");
  EXPECT_EQ(redact_uri("amqp://us@er:secret"), "amqp://us@er:***");
  EXPECT_EQ(redact_uri("user:secret"), "user:***");
  EXPECT_EQ(redact_uri("http://u:secret@h"), "http:***@h");
  EXPECT_EQ(redact_uri("amqps://u:secret@[::1]:5671/v"), "amqps://u:***@[::1]:5671/v");
  EXPECT_EQ(redact_uri("amqps://[::1]"), "amqps://[::1]");
  EXPECT_EQ(redact_uri("amqp://h:5672?heartbeat=5"), "amqp://h:5672?heartbeat=5");
  EXPECT_EQ(redact_uri("amqp://h/a:b"), "amqp://h/a:b");
  EXPECT_EQ(redact_uri("amqp://[::1"), "amqp://[::1");
  EXPECT_EQ(redact_uri(""), "");
}

TEST(RabbitUri, whatever_comes_it_is_taken_or_refused) {
  std::mt19937 random(1);
  static constexpr std::string_view letters = "amqps://:@%2f[]?#.0z\0\xff";
  for (int i = 0; i < 20'000; ++i) {
    std::string text = i % 2 ? "amqp://" : "";
    for (auto n = random() % 24; n > 0; --n) text += letters[random() % letters.size()];
    redact_uri(text);
    try {
      parse_uri(text);
    } catch (const std::invalid_argument&) {
    }
  }
}

}  // namespace
}  // namespace idem::rabbit
