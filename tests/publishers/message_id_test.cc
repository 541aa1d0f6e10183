// Ids that are made, and what becomes of them in two processes at once.
#include "publishers/message_id.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <regex>
#include <set>

namespace idem::publish {
namespace {

TEST(MessageId, it_is_a_version_7_uuid_and_never_the_same) {
  const std::regex uuid("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}");
  std::set<std::string> seen;
  for (int i = 0; i < 10'000; ++i) {
    const std::string id = new_message_id();
    ASSERT_TRUE(std::regex_match(id, uuid)) << id;
    ASSERT_TRUE(seen.insert(id).second) << id;
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
