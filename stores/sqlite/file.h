// The database file before SQLite sees it: where it may lie, who may read it, and whether it is still the same file.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace idem::sqlite {

/// The path without symbolic links, so that two names of one file find one owner lock.
/// Throws StoreError if the directory does not exist.
std::string canonical(const std::string& path);

/// The name of a network file system by statfs(2)'s magic number, or nullopt.
std::optional<std::string> network_file_system(unsigned long magic);

/// What kind of file system a file lies on.
struct FileSystem {
  std::optional<std::string> network;  ///< its name; locks and syncs over a network are not to be trusted
  bool in_memory = false;              ///< gone when the machine restarts
  bool told = true;                    ///< false: FUSE, or unreadable; it may be anything
  std::uint64_t free_bytes = 0;        ///< for a process without privileges
};
FileSystem file_system_of(const std::string& path);

/// Makes an empty file with mode 0600 unless it exists. The log and shared-memory files inherit the mode.
void create_private(const std::string& path);

/// Notices that the file or its log was deleted or replaced under a running store: SQLite itself goes on writing to
/// what no longer has a name, and every such commit would be lost.
class FileIdentity {
 public:
  /// Remembers the file and its log as they are now.
  explicit FileIdentity(const std::string& path);
  /// What is wrong, or nullptr.
  const char* changed() const;

 private:
  struct Inode {
    dev_t device = 0;
    ino_t number = 0;
    friend bool operator==(const Inode&, const Inode&) = default;
  };
  static Inode look(const std::string& path);

  std::string path_, log_path_;
  Inode file_, log_;
};

}  // namespace idem::sqlite
