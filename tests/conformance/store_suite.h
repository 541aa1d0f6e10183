// The rules of idem/store.h as tests: one per numbered rule, named after it. For every store, ours and yours.
//
// A store joins with a StorePlace (how to make it, reopen it, write an effect and read the effects back) and
//     INSTANTIATE_TEST_SUITE_P(MyStore, StoreSuite, testing::Values(StoreFactory{"mine", make}), factory_name);
#pragma once

#include "store_delay_rules.h"
#include "store_ledger_rules.h"
#include "store_place.h"
#include "store_session_rules.h"
