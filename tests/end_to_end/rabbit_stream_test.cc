// Messages from a real RabbitMQ through a handler into SQLite, acknowledged after the commit.
#include "on_rabbit.h"

namespace idem::test {
namespace {

class RabbitStream : public OnRabbit, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    OnRabbit::SetUp();
    if (!IsSkipped()) make_queue(GetParam());
  }
};
INSTANTIATE_TEST_SUITE_P(Queues, RabbitStream, testing::Values("classic", "quorum"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(RabbitStream, each_message_has_one_effect_and_the_queue_is_empty_afterwards) {
  send("m", 500);
  const Life life = catch_up();
  EXPECT_TRUE(life.exit.ok()) << life.exit.detail;
  EXPECT_EQ(balance(), balanced);
  EXPECT_EQ(life.counters.done, 500u);
  EXPECT_EQ(client().ready(queue), 0) << "everything was acknowledged";
}

TEST_P(RabbitStream, a_copy_is_skipped_in_this_life_and_in_the_next) {
  send("m", 20);
  send("m", 20);
  EXPECT_EQ(catch_up().counters.duplicates, 20u);
  send("m", 20);
  const Life life = catch_up();
  EXPECT_EQ(life.counters.duplicates, 20u);
  EXPECT_EQ(life.calls, 0);
  EXPECT_EQ(effects().size(), 20u);
}

}  // namespace
}  // namespace idem::test
