// Ids that are made, and what becomes of them in two processes at once.
#include "publishers/message_id.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>
#include <string>
#include <string_view>

namespace idem::publish {
namespace {

// x: a hexadecimal digit, y: 8, 9, a or b.
bool has_the_form(const std::string& id, std::string_view form) {
  if (id.size() != form.size()) return false;
  for (std::size_t i = 0; i < id.size(); ++i) {
    const std::string_view allowed = form[i] == 'x' ? "0123456789abcdef" : form[i] == 'y' ? "89ab" : form.substr(i, 1);
    if (allowed.find(id[i]) == std::string_view::npos) return false;
  }
  return true;
}

TEST(MessageId, it_is_a_version_7_uuid_and_never_the_same) {
  std::set<std::string> seen;
  for (int i = 0; i < 10'000; ++i) {
    const std::string id = new_message_id();
    ASSERT_TRUE(has_the_form(id, "xxxxxxxx-xxxx-7xxx-yxxx-xxxxxxxxxxxx")) << id;
    ASSERT_TRUE(seen.insert(id).second) << id;
  }
}

TEST(MessageId, those_of_one_object_are_made_alike_and_differ_from_any_others) {
  std::set<std::string> seen;
  for (int object = 0; object < 10; ++object) {
    MessageIds ids;
    for (int i = 0; i < 1'000; ++i) {
      const std::string id = text_of_uuid(bytes_of(ids.next()));
      ASSERT_TRUE(has_the_form(id, "xxxxxxxx-xxxx-7xxx-yxxx-xxxxxxxxxxxx")) << id;
      ASSERT_TRUE(seen.insert(id.substr(14)).second) << id << ": the time alone tells it from another one";
    }
  }
}

TEST(MessageId, they_rise_with_time) {
  const std::string early = new_message_id().substr(0, 13);
  usleep(5'000);
  EXPECT_LT(early, new_message_id().substr(0, 13));
}

TEST(MessageId, a_forked_process_makes_others) {
  new_message_id();
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    const std::string id = new_message_id();
    _exit(write(ends[1], id.data(), id.size()) == 36 ? 0 : 1);
  }
  const std::string here = new_message_id();
  std::string there(36, ' ');
  ASSERT_EQ(read(ends[0], there.data(), 36), 36);
  waitpid(child, nullptr, 0);
  close(ends[0]);
  close(ends[1]);
  EXPECT_NE(here.substr(14), there.substr(14));
}

}  // namespace
}  // namespace idem::publish
