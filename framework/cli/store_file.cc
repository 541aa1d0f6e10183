#include "cli/store_file.h"

#include <stdexcept>

namespace idem::cli {

#ifdef IDEM_WITH_SQLITE
std::unique_ptr<ParkingLot> open_parking_lot(const std::string& store) {
  return std::make_unique<SqliteParkingLot>(store);
}
#else
std::unique_ptr<ParkingLot> open_parking_lot(const std::string& store) {
  throw std::invalid_argument(store + ": this idem was built without SQLite (Debian package libsqlite3-dev)");
}
#endif

}  // namespace idem::cli
