// From a row for each message of the outbox (schema 4 and older) to packs.
#pragma once

#include "sqlite/connection.h"

namespace idem::sqlite {

/// Every message that waits becomes a pack of its own, under the number it had.
void pack_outbox(Connection& connection);

}  // namespace idem::sqlite
