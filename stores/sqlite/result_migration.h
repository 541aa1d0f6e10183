// To results of handlers and ids that are forgotten by hand (schema 8).
#pragma once

#include "sqlite/connection.h"

namespace idem::sqlite {

/// Every generation gets a table of results, and a claim may be of an id that was forgotten by hand.
void keep_results(Connection& connection);

}  // namespace idem::sqlite
