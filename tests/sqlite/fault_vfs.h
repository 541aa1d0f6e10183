// A SQLite VFS that breaks on purpose: the disk is full at the n-th write, a sync fails, the process is killed inside
// a COMMIT. Everything else goes to SQLite's own VFS. Only the log ("-wal") is watched: that is where commits go.
//
// One for the whole process; use from one test at a time, from any thread.
#pragma once

#include <cstdint>
#include <string>

namespace idem::test::fault_vfs {

/// Registers it (once) and gives its name, for SqliteOptions::vfs. Nothing breaks until asked for.
std::string install();

enum class Step { write, before_sync, after_sync };
enum class Fault {
  disk_full,  ///< SQLITE_FULL
  io_error,   ///< SQLITE_IOERR_WRITE or SQLITE_IOERR_FSYNC
  kill,       ///< SIGKILL to this process
};

/// The n-th such step on the log from now on (1: the next one) fails, and with `lasting` all after it.
void arm(Step step, Fault fault, long n = 1, bool lasting = false);
void disarm();

/// Since the start of the process, on logs.
struct Counts {
  long writes = 0;
  long syncs = 0;
};
Counts counts();

}  // namespace idem::test::fault_vfs
