// From a row for each id (schema 3 and older) to sealed runs.
#pragma once

#include "sqlite/connection.h"

namespace idem::sqlite {

/// Every generation's ids become one sealed run. Memory: two bytes an id of the largest generation.
void seal_all_ids(Connection& connection);

}  // namespace idem::sqlite
