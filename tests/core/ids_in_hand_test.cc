// Ids that come from several sources of one runtime: who may be busy with which.
#include "runtime/ids_in_hand.h"

#include "core_fixture.h"

namespace idem::runtime {
namespace {

class IdsInHandTest : public core::CoreTest {
 protected:
  core::Batch messages(int count) {
    core::Partition& p = assign(0);
    core::Batch batch;
    for (int offset = 0; offset < count; ++offset)
      batch.items.push_back(receive(p, offset, "id " + std::to_string(offset)));
    return batch;
  }
  bool free(const core::Delivery* delivery) { return ids->take(*delivery->record.id) != nullptr; }

  std::shared_ptr<IdsInHand> ids = std::make_shared<IdsInHand>();
};

TEST_F(IdsInHandTest, AnIdIsInOneHandUntilThatLetsGo) {
  auto hand = ids->take(IdKey{1, 2});
  EXPECT_TRUE(hand);
  EXPECT_FALSE(ids->take(IdKey{1, 2}));
  EXPECT_TRUE(ids->take(IdKey{2, 2}));
  hand.reset();
  EXPECT_TRUE(ids->take(IdKey{1, 2}));
}

TEST_F(IdsInHandTest, AHandMayLiveLongerThanTheTable) {
  auto hand = ids->take(IdKey{1, 2});
  ids.reset();
  hand.reset();
}

// If it were taken, two pipelines with the ids in another order could wait for each other for ever.
TEST_F(IdsInHandTest, NothingIsTakenBehindWhatIsInAnotherHand) {
  const core::Batch batch = messages(3);
  auto other = ids->take(*batch.items[1]->record.id);
  take_in_hand(*ids, batch);
  EXPECT_FALSE(free(batch.items[0]));
  EXPECT_FALSE(batch.items[1]->in_hand);
  EXPECT_FALSE(batch.items[2]->in_hand);
  EXPECT_TRUE(free(batch.items[2]));

  other.reset();
  take_in_hand(*ids, batch);
  for (const core::Delivery* delivery : batch.items) EXPECT_TRUE(delivery->in_hand);
}

TEST_F(IdsInHandTest, WhatIsDoneOrGivenUpIsInNoHand) {
  const core::Batch batch = messages(1);
  const IdKey id = *batch.items[0]->record.id;
  take_in_hand(*ids, batch);
  core().release(batch.items[0]->handle);
  EXPECT_TRUE(ids->take(id));
}

}  // namespace
}  // namespace idem::runtime
