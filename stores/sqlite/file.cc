#include "sqlite/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include <idem/store.h>

namespace idem::sqlite {
namespace {

constexpr unsigned long fuse_magic = 0x65735546, tmpfs_magic = 0x01021994, ramfs_magic = 0x858458f6;

constexpr std::array<std::pair<unsigned long, const char*>, 6> network_magics{{
    {0x6969, "NFS"},
    {0x517b, "SMB"},
    {0xfe534d42, "SMB2"},
    {0xff534d42, "CIFS"},
    {0x5346414f, "AFS"},
    {0x00c36400, "Ceph"},
}};

// FUSE carries local and remote file systems alike; only the mount table tells which one it is.
std::optional<std::string> remote_fuse(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  const std::string device = std::to_string(major(info.st_dev)) + ":" + std::to_string(minor(info.st_dev));
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream fields(line);
    std::string id, parent, dev;
    fields >> id >> parent >> dev;
    const auto separator = line.find(" - ");
    if (dev != device || separator == std::string::npos) continue;
    const std::string type = line.substr(separator + 3, line.find(' ', separator + 3) - separator - 3);
    for (const char* remote : {"fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.ceph", "fuse.rclone", "fuse.davfs"})
      if (type == remote) return type;
  }
  return std::nullopt;
}

void sync_directory(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

std::string directory_of(const std::string& path) { return std::filesystem::path(path).parent_path().string(); }

}  // namespace

std::string canonical(const std::string& path) {
  std::error_code error;
  const auto resolved = std::filesystem::weakly_canonical(std::filesystem::absolute(path), error);
  const std::string result = error ? path : resolved.string();
  const bool there = !error && std::filesystem::is_directory(directory_of(result), error);
  if (error && error != std::errc::no_such_file_or_directory)
    throw StoreError("cannot open " + path + ": " + error.message(), false);
  if (!there) throw StoreError("cannot open " + path + ": there is no directory " + directory_of(result), false);
  return result;
}

std::optional<std::string> network_file_system(unsigned long magic) {
  for (const auto& [known, name] : network_magics)
    if (known == magic) return name;
  return std::nullopt;
}

FileSystem file_system_of(const std::string& path) {
  struct statfs info {};
  if (::statfs(directory_of(path).c_str(), &info) != 0) return {.told = false};
  const auto magic = static_cast<unsigned long>(static_cast<unsigned int>(info.f_type));
  return {.network = magic == fuse_magic ? remote_fuse(directory_of(path)) : network_file_system(magic),
          .in_memory = magic == tmpfs_magic || magic == ramfs_magic,
          .told = magic != fuse_magic,
          .free_bytes = std::uint64_t{info.f_bavail} * static_cast<std::uint64_t>(info.f_bsize)};
}

void create_private(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    if (errno == EEXIST) return;
    throw StoreError("cannot make " + path + ": " + std::strerror(errno), false);
  }
  ::close(descriptor);  // before SQLite opens it: closing any descriptor of a file drops all POSIX locks on it
  sync_directory(directory_of(path));
}

FileIdentity::FileIdentity(const std::string& path)
    : path_(path), log_path_(path + "-wal"), file_(look(path_)), log_(look(log_path_)) {}

const char* FileIdentity::changed() const {
  if (look(path_) != file_) return "the database file was deleted or replaced";
  if (look(log_path_) != log_) return "the database's log file (-wal) was deleted or replaced";
  return nullptr;
}

FileIdentity::Inode FileIdentity::look(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return {};
  return {info.st_dev, info.st_ino};
}

}  // namespace idem::sqlite
