#include <gtest/gtest.h>

#include <idem/identity.h>

#include <stdexcept>

namespace idem {
namespace {

using namespace std::string_view_literals;

std::optional<std::string> find(const Identity& identity, const Message& message) {
  std::string scratch;
  const auto id = identity.find(message, scratch);
  if (!id) return std::nullopt;
  return std::string(*id);
}

std::optional<std::string> find_in_header(std::optional<std::string_view> value) {
  const Header header{"id", value};
  Message message;
  message.headers = {&header, 1};
  return find(id_from_header("id"), message);
}

TEST(Identity, IsBytesOfAnyKind) {
  for (std::string_view id : {"a\0b"sv, "\0"sv, "\xff\xfe"sv, "'; DROP TABLE idem_ids; --"sv, " "sv, "\n"sv})
    EXPECT_EQ(find_in_header(id), std::string(id));
  const std::string megabyte(1 << 20, 'x');
  EXPECT_EQ(find_in_header(megabyte), megabyte);
}

TEST(Identity, AnEmptyIdIsNone) {
  EXPECT_EQ(find_in_header(""), std::nullopt);
  EXPECT_EQ(find_in_header(std::nullopt), std::nullopt) << "a header without a value";
  Message message;
  EXPECT_EQ(find(id_from_header("id"), message), std::nullopt) << "no header";
  message.key = "";
  EXPECT_EQ(find(id_from_key(), message), std::nullopt);
}

TEST(Identity, HeaderNamesAreExactAndTheLastOneWins) {
  const Header headers[] = {{"id", "first"}, {"ID", "other"}, {"id", "last"}, {"id2", "longer"}};
  Message message;
  message.headers = headers;
  EXPECT_EQ(find(id_from_header("id"), message), "last");
  EXPECT_EQ(find(id_from_header("Id"), message), std::nullopt);
}

TEST(Identity, FromTheKey) {
  Message message;
  EXPECT_EQ(find(id_from_key(), message), std::nullopt);
  message.key = "k\0k"sv;
  EXPECT_EQ(find(id_from_key(), message), std::string("k\0k"sv));
}

TEST(Identity, FromAFunction) {
  Message message;
  message.payload = "payload";
  EXPECT_EQ(find(id_from([](const Message& m) { return std::string(m.text().substr(0, 3)); }), message),
            "pay");
  EXPECT_EQ(find(id_from([](const Message&) { return std::string(); }), message), std::nullopt);
  EXPECT_EQ(find(id_from([](const Message&) { return std::optional<std::string>(); }), message),
            std::nullopt);
}

TEST(Identity, AFunctionThatThrowsFoundNoId) {
  const auto throws =
      id_from([](const Message&) -> std::optional<std::string> { throw std::runtime_error("no"); });
  const auto odd = id_from([](const Message&) -> std::optional<std::string> { throw 7; });
  EXPECT_EQ(find(throws, {}), std::nullopt);
  EXPECT_EQ(find(odd, {}), std::nullopt);
}

}  // namespace
}  // namespace idem
