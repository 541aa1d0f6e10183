// The budget, and who is paused when it is used up.
#include "core_fixture.h"

namespace idem::core {
namespace {

using Flow = CoreTest;

TEST_F(Flow, RoomIsWhatTheBudgetLeaves) {
  options.budget.messages = 3;
  Partition& p = assign(0);
  EXPECT_EQ(core().room(), 3u);
  receive(p, 0);
  receive(p, 1);
  EXPECT_EQ(core().room(), 1u);
  receive(p, 2);
  EXPECT_EQ(core().room(), 0u);
  dispatch();
  complete_offset(0);
  EXPECT_EQ(core().room(), 1u);
}

TEST_F(Flow, BytesCountPayloadKeyAndHeaders) {
  options.ordering = Ordering::unordered;
  options.budget.bytes = 1'000;
  Partition& p = assign(0);
  receive(p, 0, "", std::string(100, 'k'), std::string(400, 'p'));
  EXPECT_EQ(core().counters().bytes_in_flight, 500u);
  EXPECT_TRUE(core().room_in_bytes());
  receive(p, 1, "", std::string(100, 'k'), std::string(400, 'p'));
  EXPECT_FALSE(core().room_in_bytes());
  EXPECT_TRUE(core().wants_pause(p));
  dispatch();
  complete_all();
  EXPECT_EQ(core().counters().bytes_in_flight, 0u);
}

TEST_F(Flow, PausesAtTheBudgetAndResumesAtHalf) {
  options.ordering = Ordering::unordered;
  options.budget.messages = 8;
  Partition& p = assign(0);
  for (int offset = 0; offset < 8; ++offset) {
    EXPECT_FALSE(core().wants_pause(p)) << offset;
    receive(p, offset);
  }
  EXPECT_TRUE(core().wants_pause(p));
  p.paused = true;
  dispatch();
  for (int offset = 0; offset < 3; ++offset) complete_offset(offset);
  EXPECT_TRUE(core().wants_pause(p)) << "5 in flight: not yet, a pause costs the prefetched messages";
  complete_offset(3);
  EXPECT_FALSE(core().wants_pause(p));
}

TEST_F(Flow, OneStuckPartitionLeavesRoomForTheOthers) {
  options.budget.messages = 8;
  Partition& stuck = assign(0);
  Partition& other = assign(1);
  int received_before_pause = 0;
  while (!core().wants_pause(stuck)) receive(stuck, received_before_pause++);
  EXPECT_EQ(received_before_pause, 4);
  EXPECT_FALSE(core().wants_pause(other));
}

TEST_F(Flow, APartitionOnItsOwnMayUseEverything) {
  options.budget.messages = 8;
  Partition& p = assign(0);
  for (int offset = 0; offset < 7; ++offset) receive(p, offset);
  EXPECT_FALSE(core().wants_pause(p));
}

TEST_F(Flow, EveryPartitionIsPausedWhenNothingIsLeft) {
  options.budget.messages = 1;
  Partition& a = assign(0);
  Partition& b = assign(1);
  receive(a, 0);
  EXPECT_TRUE(core().wants_pause(a));
  EXPECT_TRUE(core().wants_pause(b));
}

TEST_F(Flow, AMessageLargerThanTheBudgetIsReceived) {
  options.budget.bytes = 10;
  Partition& p = assign(0);
  EXPECT_FALSE(core().wants_pause(p));
  receive(p, 0, "", std::nullopt, std::string(1'000, 'x'));
  EXPECT_TRUE(core().wants_pause(p));
  EXPECT_EQ(dispatched_offsets(), (Offsets{0}));
  complete_offset(0);
  EXPECT_FALSE(core().wants_pause(p));
}

TEST_F(Flow, TheMessageIsCopiedWithEverythingItViews) {
  Partition& p = assign(0);
  Delivery* d = nullptr;
  {
    std::string key = "key", payload(100'000, 'p'), name = "name", value = "value";
    const Header headers[] = {{name, value}, {name, std::nullopt}};
    Message message;
    message.topic = "borrowed";
    message.offset = 4;
    message.key = key;
    message.payload = payload;
    message.headers = headers;
    d = core().receive(p.handle(), message);
    for (std::string* bytes : {&key, &payload, &name, &value}) bytes->assign(bytes->size(), '!');
  }
  EXPECT_EQ(d->message.key, "key");
  EXPECT_EQ(d->message.payload, std::string(100'000, 'p'));
  EXPECT_EQ(d->message.headers.size(), 2u);
  EXPECT_EQ(d->message.headers[0].name, "name");
  EXPECT_EQ(d->message.headers[0].value, "value");
  EXPECT_EQ(d->message.headers[1].value, std::nullopt);
  EXPECT_EQ(d->message.topic, "topic");
  core().enqueue(d);
}

TEST_F(Flow, NullIsNotEmpty) {
  Partition& p = assign(0);
  Message message;
  Delivery* null = core().receive(p.handle(), message);
  EXPECT_EQ(null->message.payload, std::nullopt);
  EXPECT_EQ(null->message.key, std::nullopt);
  core().enqueue(null);
  message.offset = 1;
  message.payload = message.key = "";
  Delivery* empty = core().receive(p.handle(), message);
  EXPECT_EQ(empty->message.payload, "");
  EXPECT_EQ(empty->message.key, "");
  core().enqueue(empty);
}

}  // namespace
}  // namespace idem::core
