// From a STORE on the command line to what the commands work on.
#pragma once

#include <memory>
#include <string>

#include <idem/parking_lot.h>

namespace idem::cli {

/// Throws StoreError; std::invalid_argument in a build without SQLite.
std::unique_ptr<ParkingLot> open_parking_lot(const std::string& store);

}  // namespace idem::cli
