// How messages lie in a pack: what is read is what was written, and packs of earlier versions can be read.
#include "sqlite/outbox_pack.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "sqlite/byte_fields.h"
#include "sqlite/header_bytes.h"

namespace idem::sqlite {
namespace {

using publish::MessageIds;
using publish::Uuid;

std::string text(const Uuid& uuid) { return publish::text_of_uuid(publish::bytes_of(uuid)); }

std::vector<OutgoingMessage> all(std::string_view pack, std::size_t count) {
  PackReader reader(pack);
  std::vector<OutgoingMessage> found;
  while (found.size() < count) found.push_back(reader.take());
  EXPECT_THROW(reader.take(), std::runtime_error) << "there is more";
  return found;
}

TEST(OutboxPack, gives_back_what_was_put_in) {
  PackWriter pack;
  pack.append({}, {.key = "k", .payload = std::string("p\0q", 3), .id = "a", .headers = {{"h", "v"}, {"n", std::nullopt}}});
  pack.append({}, {.key = "", .payload = ""});
  pack.append({}, {.payload = std::nullopt, .id = "c"});
  const auto found = all(pack.bytes(), 3);
  EXPECT_EQ(found[0].id, "a");
  EXPECT_EQ(found[0].key, "k");
  EXPECT_EQ(found[0].payload, std::string("p\0q", 3));
  EXPECT_EQ(found[0].headers, (OwnedHeaders{{"h", "v"}, {"n", std::nullopt}}));
  EXPECT_EQ(found[1].id, "");
  EXPECT_EQ(found[1].key, "");
  EXPECT_EQ(found[1].payload, "");
  EXPECT_EQ(found[2].id, "c");
  EXPECT_EQ(found[2].key, std::nullopt);
  EXPECT_EQ(found[2].payload, std::nullopt);
}

TEST(OutboxPack, lengths_of_any_size) {
  for (const std::size_t size : {0u, 1u, 125u, 126u, 127u, 128u, 16'381u, 16'382u, 16'383u, 16'384u, 2'097'150u, 2'097'151u}) {
    PackWriter pack;
    pack.append({}, {.payload = std::string(size, 'x'), .id = "a"});
    pack.append({}, {.payload = "y", .id = "b"});
    const auto found = all(pack.bytes(), 2);
    EXPECT_EQ(found[0].payload->size(), size);
    EXPECT_EQ(found[1].payload, "y");
  }
}

TEST(OutboxPack, made_ids_come_back_wherever_they_stand) {
  MessageIds ids;
  std::vector<Uuid> made{ids.next(), ids.next_of_same_time(), ids.next_of_same_time()};
  ids.next_of_same_time();  // left out
  made.push_back(ids.next_of_same_time());
  PackWriter pack;
  pack.append(made[0], {});
  pack.append(made[1], {});
  pack.append({}, {.id = "given"});
  pack.append(made[2], {});
  pack.append(made[3], {});
  const auto found = all(pack.bytes(), 5);
  EXPECT_EQ(found[0].id, text(made[0]));
  EXPECT_EQ(found[1].id, text(made[1]));
  EXPECT_EQ(found[2].id, "given");
  EXPECT_EQ(found[3].id, text(made[2]));
  EXPECT_EQ(found[4].id, text(made[3]));
}

TEST(OutboxPack, one_id_after_another_takes_no_room) {
  MessageIds ids;
  PackWriter pack;
  pack.append(ids.next(), {.payload = "x"});
  const std::size_t first = pack.bytes().size();
  pack.append(ids.next_of_same_time(), {.payload = "x"});
  EXPECT_EQ(pack.bytes().size() - first, first - 17) << "the id and its length";
}

TEST(OutboxPack, many_ids_one_after_another) {
  MessageIds ids;
  PackWriter pack;
  std::vector<Uuid> made{ids.next()};
  while (made.size() < 70'000) made.push_back(ids.next_of_same_time());
  for (const Uuid& id : made) pack.append(id, {});
  const auto found = all(pack.bytes(), made.size());
  for (std::size_t i = 0; i < made.size(); ++i) ASSERT_EQ(found[i].id, text(made[i])) << i;
}

TEST(OutboxPack, what_is_cut_off_leaves_no_trace) {
  MessageIds ids;
  PackWriter pack;
  const Uuid first = ids.next(), gone = ids.next_of_same_time(), second = ids.next_of_same_time(),
             third = ids.next_of_same_time();
  pack.append(first, {.payload = "1"});
  const std::size_t kept = pack.bytes().size();
  pack.append(gone, {.payload = "gone"});
  pack.cut(kept);
  pack.append(second, {.payload = "2"});
  pack.append(third, {.payload = "3"});
  const auto found = all(pack.bytes(), 3);
  EXPECT_EQ(found[0].id, text(first));
  EXPECT_EQ(found[1].id, text(second));
  EXPECT_EQ(found[1].payload, "2");
  EXPECT_EQ(found[2].id, text(third));
}

TEST(OutboxPack, skipping_counts_ids_as_taking_does) {
  MessageIds ids;
  PackWriter pack;
  Uuid last = ids.next();
  pack.append(last, {});
  for (int i = 0; i < 3; ++i) pack.append(last = ids.next_of_same_time(), {});
  PackReader reader(pack.bytes());
  for (int i = 0; i < 3; ++i) reader.skip();
  EXPECT_EQ(reader.take().id, text(last));
}

// Lengths of four bytes, as they were written up to schema 6.
TEST(OutboxPack, of_an_earlier_version_is_read) {
  MessageIds ids;
  const Uuid made = ids.next();
  std::string pack;
  const auto put = [&](char kind, std::string_view id, std::optional<std::string_view> key) {
    pack += kind;
    put_field(pack, id);
    put_field(pack, key);
    put_field(pack, "payload");
    put_field(pack, "");
  };
  put(0, "given", "key");
  put(1, publish::bytes_of(made), std::nullopt);
  const auto found = all(pack, 2);
  EXPECT_EQ(found[0].id, "given");
  EXPECT_EQ(found[0].key, "key");
  EXPECT_EQ(found[1].id, text(made));
  EXPECT_EQ(found[1].payload, "payload");
}

TEST(OutboxPack, a_damaged_one_is_refused) {
  PackWriter pack;
  pack.append(MessageIds().next(), {.key = "k", .payload = "payload"});
  for (std::size_t size = 0; size < pack.bytes().size(); ++size)
    EXPECT_THROW(PackReader(pack.bytes().substr(0, size)).take(), std::runtime_error) << size;
  std::string unknown = pack.bytes();
  unknown.front() = 7;
  EXPECT_THROW(PackReader(unknown).take(), std::runtime_error);
}

}  // namespace
}  // namespace idem::sqlite
