// SqliteParkingLot: a store's file in the hands of people, while no service has it or beside one.
#include <idem/parking_lot.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "sqlite/connection.h"
#include "sqlite/file.h"
#include "sqlite/lot_file.h"
#include "sqlite/owner_lock.h"
#include "sqlite/reading.h"
#include "sqlite/results.h"
#include "sqlite/schema.h"

namespace idem {
namespace sqlite {
namespace {

/// Throws StoreError if there is no file. SQLite would only say that it cannot open it.
void require_file(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_regular_file(path, error)) return;
  throw StoreError(exists(path) ? path + " is not a file: correct the path" : "there is no file " + path, false);
}

/// Says of which file it is, whatever goes wrong with it.
template <class Work>
void naming(const std::string& what, const std::string& path, Work work) {
  try {
    work();
  } catch (const SqlError& e) {
    throw StoreError(what + " " + path + ": " + e.what(), e.transient());
  } catch (const StoreError& e) {
    throw StoreError(what + " " + path + ": " + e.what(), e.transient());
  } catch (const std::runtime_error& e) {
    throw StoreError(what + " " + path + ": it is damaged: " + e.what(), false);
  }
}

void read(const std::string& path, const std::function<void(LotFile&)>& work) {
  require_file(path);
  naming("cannot read", path, [&] {
    read_file(path, [&](Connection& connection) {
      connection.exec("BEGIN");  // beside a service that writes: all of it as it was at one moment
      LotFile file(connection);
      work(file);
    });
  });
}

OwnerLock own(const std::string& path) {
  try {
    return OwnerLock(path, std::chrono::milliseconds(0));
  } catch (const OwnedByAnother& e) {
    throw StoreError(path + " is owned by process " + e.pid() +
                         ": stop it to change what is in it. Looking at it works meanwhile",
                     false);
  }
}

void require_present_schema(std::int64_t schema) {
  if (const auto known = static_cast<std::int64_t>(migrations().size()); schema < known)
    throw StoreError("it was made by an older idem (schema " + std::to_string(schema) + ", this one has " +
                         std::to_string(known) + "): start its service with this version once, which brings it up to "
                         "date; or use the idem of that version",
                     false);
}

void change(const std::string& path, const std::function<void(LotFile&)>& work) {
  require_file(path);
  const OwnerLock lock = own(path);
  // Looked at first: to open a file as its owner changes it, even one that is no store.
  read(path, [](LotFile& file) { require_present_schema(file.schema()); });
  naming("cannot change", path, [&] {
    Connection connection({.path = path, .cache_bytes = 2 << 20});
    connection.exec("BEGIN IMMEDIATE");
    LotFile file(connection);
    work(file);
    connection.exec("COMMIT");
  });
}

}  // namespace

}  // namespace sqlite

std::string_view to_string(RememberedId::State state) {
  switch (state) {
    case RememberedId::State::not_remembered: return "not remembered";
    case RememberedId::State::done: return "done";
    case RememberedId::State::parked: return "parked";
    case RememberedId::State::claimed: return "claimed";
    case RememberedId::State::returning: return "returning";
    case RememberedId::State::forgotten: return "forgotten";
  }
  return "unknown";
}

std::optional<Parked> ParkingLot::find(std::int64_t number, Payloads payloads) {
  std::vector<Parked> found = list({.number = number}, 1, payloads);
  return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
}

SqliteParkingLot::SqliteParkingLot(const std::string& path) : path_(sqlite::canonical(path)) {
  sqlite::read(path_, [](sqlite::LotFile&) {});
}

std::vector<Parked> SqliteParkingLot::list(const ParkedFilter& filter, std::size_t limit, Payloads payloads) {
  std::vector<Parked> found;
  sqlite::read(path_, [&](sqlite::LotFile& file) { found = file.list(filter, limit, payloads); });
  return found;
}

std::vector<ParkedCount> SqliteParkingLot::counts(const ParkedFilter& filter) {
  std::vector<ParkedCount> counts;
  sqlite::read(path_, [&](sqlite::LotFile& file) { counts = file.counts(filter); });
  return counts;
}

std::size_t SqliteParkingLot::drop(const ParkedFilter& filter, const ByHand& by) {
  sqlite::require_meant("ParkingLot::drop", filter, by);
  std::size_t dropped = 0;
  sqlite::change(path_, [&](sqlite::LotFile& file) { dropped = file.drop(filter, by); });
  return dropped;
}

Redriven SqliteParkingLot::redrive(const ParkedFilter& filter, const ByHand& by, const RedriveOptions& options) {
  sqlite::require_meant("ParkingLot::redrive", filter, by);
  sqlite::require_valid(options);
  Redriven redriven;
  sqlite::change(path_, [&](sqlite::LotFile& file) { redriven = file.redrive(filter, by, options); });
  return redriven;
}

RememberedId SqliteParkingLot::look_up(const std::string& consumer, std::string_view id) {
  RememberedId answer;
  sqlite::read(path_, [&](sqlite::LotFile& file) { answer = file.look_up(consumer, id); });
  return answer;
}

RememberedId SqliteParkingLot::forget(const std::string& consumer, std::string_view id, const ByHand& by) {
  if (by.who.empty()) throw std::invalid_argument("ParkingLot::forget: ByHand::who is required");
  RememberedId known;
  sqlite::change(path_, [&](sqlite::LotFile& file) { known = file.forget(consumer, id, by); });
  return known;
}

}  // namespace idem
