// One owner per file: an exclusive lock on "<path>-owner", held as long as the store lives.
//
// SQLite's own locks let several processes write in turn; that is not enough here, because each would remember ids,
// positions and an open group in its own memory. The lock keeps out a second owner, never a reader.
#pragma once

#include <chrono>
#include <string>
#include <utility>

#include <idem/store.h>

namespace idem::sqlite {

/// Another process owns the file.
class OwnedByAnother : public StoreError {
 public:
  OwnedByAnother(const std::string& what, std::string pid) : StoreError(what, false), pid_(std::move(pid)) {}
  const std::string& pid() const { return pid_; }  ///< "unknown" if it does not show

 private:
  std::string pid_;
};

class OwnerLock {
 public:
  /// Waits up to `patience` for the present owner to go. Throws OwnedByAnother, or StoreError if there can be no lock.
  OwnerLock(const std::string& database_path, std::chrono::milliseconds patience);
  ~OwnerLock();
  OwnerLock(const OwnerLock&) = delete;
  OwnerLock& operator=(const OwnerLock&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace idem::sqlite
