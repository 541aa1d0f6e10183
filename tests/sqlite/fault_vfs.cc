#include "fault_vfs.h"

#include <signal.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cstring>
#include <mutex>

namespace idem::test::fault_vfs {
namespace {

struct Plan {
  bool armed = false;
  Step step = Step::write;
  Fault fault = Fault::io_error;
  long left = 0;
  bool lasting = false;
};

std::mutex mutex;
Plan plan;
Counts count;

// What the step is to answer: SQLITE_OK to go on.
int check(Step step, int io_error) {
  std::lock_guard lock(mutex);
  if (step == Step::write) ++count.writes;
  if (step == Step::before_sync) ++count.syncs;
  if (!plan.armed || plan.step != step || --plan.left > 0) return SQLITE_OK;
  if (plan.fault == Fault::kill) ::kill(::getpid(), SIGKILL);
  plan.armed = plan.lasting;
  return plan.fault == Fault::disk_full ? SQLITE_FULL : io_error;
}

// SQLite allocates szOsFile bytes and hands them to xOpen: our part first, the real file behind it.
struct File {
  sqlite3_file base;
  bool is_log;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

File* ours(sqlite3_file* file) { return reinterpret_cast<File*>(file); }

int write(sqlite3_file* f, const void* data, int size, sqlite3_int64 at) {
  if (ours(f)->is_log)
    if (const int code = check(Step::write, SQLITE_IOERR_WRITE); code != SQLITE_OK) return code;
  return ours(f)->real()->pMethods->xWrite(ours(f)->real(), data, size, at);
}

int sync(sqlite3_file* f, int flags) {
  if (!ours(f)->is_log) return ours(f)->real()->pMethods->xSync(ours(f)->real(), flags);
  if (const int code = check(Step::before_sync, SQLITE_IOERR_FSYNC); code != SQLITE_OK) return code;
  const int done = ours(f)->real()->pMethods->xSync(ours(f)->real(), flags);
  const int after = check(Step::after_sync, SQLITE_IOERR_FSYNC);
  return done != SQLITE_OK ? done : after;
}

template <auto method>
struct Forward;
template <class... Args, int (*sqlite3_io_methods::*method)(sqlite3_file*, Args...)>
struct Forward<method> {
  static int call(sqlite3_file* f, Args... args) {
    return (ours(f)->real()->pMethods->*method)(ours(f)->real(), args...);
  }
};

void shm_barrier(sqlite3_file* f) { ours(f)->real()->pMethods->xShmBarrier(ours(f)->real()); }

const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = Forward<&sqlite3_io_methods::xClose>::call,
    .xRead = Forward<&sqlite3_io_methods::xRead>::call,
    .xWrite = write,
    .xTruncate = Forward<&sqlite3_io_methods::xTruncate>::call,
    .xSync = sync,
    .xFileSize = Forward<&sqlite3_io_methods::xFileSize>::call,
    .xLock = Forward<&sqlite3_io_methods::xLock>::call,
    .xUnlock = Forward<&sqlite3_io_methods::xUnlock>::call,
    .xCheckReservedLock = Forward<&sqlite3_io_methods::xCheckReservedLock>::call,
    .xFileControl = Forward<&sqlite3_io_methods::xFileControl>::call,
    .xSectorSize = Forward<&sqlite3_io_methods::xSectorSize>::call,
    .xDeviceCharacteristics = Forward<&sqlite3_io_methods::xDeviceCharacteristics>::call,
    .xShmMap = Forward<&sqlite3_io_methods::xShmMap>::call,
    .xShmLock = Forward<&sqlite3_io_methods::xShmLock>::call,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = Forward<&sqlite3_io_methods::xShmUnmap>::call,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto* real = static_cast<sqlite3_vfs*>(vfs->pAppData);
  File* own = ours(file);
  own->is_log = (flags & SQLITE_OPEN_WAL) != 0;
  const int code = real->xOpen(real, name, own->real(), flags, out_flags);
  own->base.pMethods = own->real()->pMethods != nullptr ? &methods : nullptr;
  return code;
}

}  // namespace

std::string install() {
  static sqlite3_vfs vfs;
  static std::once_flag once;
  std::call_once(once, [] {
    sqlite3_vfs* real = sqlite3_vfs_find(nullptr);
    vfs = *real;
    vfs.zName = "idem-fault";
    vfs.szOsFile = static_cast<int>(sizeof(File)) + real->szOsFile;
    vfs.pAppData = real;
    vfs.xOpen = open;
    sqlite3_vfs_register(&vfs, 0);
  });
  return vfs.zName;
}

void arm(Step step, Fault fault, long n, bool lasting) {
  std::lock_guard lock(mutex);
  plan = {true, step, fault, n, lasting};
}

void disarm() {
  std::lock_guard lock(mutex);
  plan = {};
}

Counts counts() {
  std::lock_guard lock(mutex);
  return count;
}

}  // namespace idem::test::fault_vfs
