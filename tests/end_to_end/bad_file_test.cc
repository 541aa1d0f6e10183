// Places where a store cannot be, and files that cannot be a store: refused with the reason, and left as they
// are.
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "in_memory.h"
#include "support/require.h"

namespace idem::test {
namespace {

namespace fs = std::filesystem;

class BadFile : public InMemory {
 protected:
  // Why the file is refused.
  std::string refusal() {
    try {
      SqliteStore store({.path = file.string()});
      ADD_FAILURE() << "it was opened";
      return "";
    } catch (const StoreError& error) {
      return error.what();
    }
  }
  void write(const std::string& bytes) { std::ofstream(file, std::ios::binary) << bytes; }
  std::string bytes() {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
};

#define EXPECT_SAYS(text, words) EXPECT_NE((text).find(words), std::string::npos) << (text)

TEST_F(BadFile, WithoutADirectory) {
  file = scratch / "missing" / "ledger.db";
  EXPECT_SAYS(refusal(), (scratch / "missing").string());
}

TEST_F(BadFile, InAFileInsteadOfADirectory) {
  std::ofstream(scratch / "plain") << "x";
  file = scratch / "plain" / "ledger.db";
  EXPECT_SAYS(refusal(), (scratch / "plain").string());
}

TEST_F(BadFile, ThatIsADirectory) {
  fs::create_directory(file);
  EXPECT_SAYS(refusal(), file.string());
}

TEST_F(BadFile, WithoutAPath) {
  file.clear();
  EXPECT_THROW(SqliteStore({.path = ""}), std::exception);
}

// As the user "nobody" for as long as it lives.
class AsNobody {
 public:
  AsNobody() : was_root_(geteuid() == 0) {
    if (was_root_ && seteuid(65534) != 0) throw std::runtime_error("seteuid");
  }
  ~AsNobody() {
    if (was_root_ && seteuid(0) != 0) std::abort();
  }

 private:
  bool was_root_;
};

TEST_F(BadFile, InADirectoryThatIsNotWritable) {
  fs::permissions(scratch.path(), fs::perms(0555));
  {
    AsNobody nobody;
    const std::string why = refusal();
    EXPECT_SAYS(why, file.string());
    EXPECT_SAYS(why, std::strerror(EACCES));
  }
  fs::permissions(scratch.path(), fs::perms(0755));
}

TEST_F(BadFile, ThatIsNotWritable) {
  open_store(file);
  fs::permissions(scratch.path(), fs::perms(0777));
  for (const auto& entry : fs::directory_iterator(scratch.path())) fs::permissions(entry, fs::perms(0444));
  {
    AsNobody nobody;
    EXPECT_SAYS(refusal(), file.string());
  }
  for (const auto& entry : fs::directory_iterator(scratch.path())) fs::permissions(entry, fs::perms(0644));
  EXPECT_NO_THROW(open_store(file));
}

TEST_F(BadFile, ThatIsNoDatabaseIsLeftAsItIs) {
  const std::string text(10'000, 'n');
  write(text);
  EXPECT_SAYS(refusal(), file.string());
  EXPECT_TRUE(bytes() == text);
}

TEST_F(BadFile, ThatIsCutOff) {
  send_many("m", 200);
  catch_up();
  const auto size = fs::file_size(file);
  fs::resize_file(file, size / 2);
  EXPECT_SAYS(refusal(), file.string());
  EXPECT_EQ(fs::file_size(file), size / 2);
}

TEST_F(BadFile, ThatIsDamagedInTheMiddleEndsTheRunOrTheOpening) {
  for (int i = 0; i < 300; ++i) send("m" + std::to_string(i), std::string(500, 'p'));
  ASSERT_TRUE(catch_up().exit.ok());
  std::string damaged = bytes();
  for (std::size_t at = 4096; at < damaged.size(); ++at)
    damaged[at] = static_cast<char>(at * 31);  // all but the first page
  write(damaged);
  send("late");
  try {
    const Life life = catch_up();
    EXPECT_EQ(life.exit.reason, ExitReason::store_failed)
        << "corrupt, and it ended with " << to_string(life.exit.reason);
    EXPECT_SAYS(life.exit.detail, file.string());
    EXPECT_FALSE(committed_to_the_end()) << "the broker was told that it is done";
  } catch (const StoreError& error) {
    EXPECT_FALSE(error.transient());
    EXPECT_SAYS(std::string(error.what()), file.string());
  }
}

TEST_F(BadFile, AnEmptyFileIsANewStore) {
  write("");
  send("m");
  EXPECT_TRUE(catch_up().exit.ok());
  EXPECT_EQ(balance(), balanced);
}

TEST_F(BadFile, AForeignDatabaseBecomesAStoreBesideItsTables) {
  send("m");
  open_store(file)->transact([](Transaction& tx) {
    tx.exec("CREATE TABLE theirs (x)");
    tx.exec("INSERT INTO theirs VALUES ('kept')");
  });
  EXPECT_TRUE(catch_up().exit.ok());
  EXPECT_EQ(value_in(file, "SELECT x FROM theirs"), "kept");
  EXPECT_EQ(balance(), balanced);
}

TEST_F(BadFile, OfANewerVersion) {
  open_store(file);
  value_in(file, "UPDATE idem_store SET schema_version = 1000");
  const std::string before = bytes(), why = refusal();
  EXPECT_SAYS(why, "newer");
  EXPECT_SAYS(why, "1000");
  EXPECT_TRUE(bytes() == before);
}

TEST_F(BadFile, ThatAnotherStoreOwns) {
  auto owner = open_store(file);
  const std::string why = refusal();
  EXPECT_SAYS(why, std::to_string(getpid()));
  EXPECT_SAYS(why, "PostgreSQL");
  owner.reset();
  EXPECT_NO_THROW(open_store(file));
}

TEST_F(BadFile, ThatIsDeletedWhileInUseEndsTheRun) {
  auto store = open_store(file);
  MemorySource source(log);
  Recorder handler;
  Runtime runtime(quick());
  runtime.add(source, *store, handler);
  Background running(runtime);
  send_many("m", 20);
  ASSERT_TRUE(eventually([&] { return committed_to_the_end(); }));
  fs::remove(file);
  send("into the void");
  const Exit exit = running.exit();
  EXPECT_EQ(exit.reason, ExitReason::store_failed);
  EXPECT_SAYS(exit.detail, file.string());
  EXPECT_FALSE(committed_to_the_end()) << "the broker was told that it is done";
}

// --- Full disk
// ------------------------------------------------------------------------------------------------------

class FullDisk : public BadFile {
 protected:
  void SetUp() override {
    disk = scratch / "disk";
    fs::create_directory(disk);
    std::optional<std::string> why_not;
    if (mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=3m") != 0)
      why_not = std::string("cannot mount a small file system: ") + std::strerror(errno);
    mounted = !why_not;
    IDEM_NEEDS("tmpfs", why_not);
    file = disk / "ledger.db";
  }
  void TearDown() override {
    if (mounted) umount2(disk.c_str(), MNT_DETACH);
  }
  // Takes all room but `left`.
  void fill(std::size_t left) {
    std::ofstream out(disk / "filler", std::ios::binary);
    const auto room = fs::space(disk).available;
    out << std::string(room > left ? room - left : 0, 'f');
    out.close();
  }
  void make_room() { fs::remove(disk / "filler"); }

  fs::path disk;
  bool mounted = false;
};

TEST_F(FullDisk, AtTheStart) {
  fill(0);
  EXPECT_NE(refusal(), "");
  make_room();
  send("m");
  EXPECT_TRUE(catch_up().exit.ok());
  EXPECT_EQ(balance(), balanced);
}

TEST_F(FullDisk, WhileRunningIsWaitedFor) {
  auto store = open_store(file);
  MemorySource source(log);
  Recorder handler;
  Runtime runtime(quick());
  runtime.add(source, *store, handler);
  Background running(runtime);
  send("first");
  ASSERT_TRUE(eventually([&] { return balance() == balanced; }));
  fill(64 << 10);
  for (int i = 0; i < 100; ++i) send("m" + std::to_string(i), std::string(8'000, 'x'));
  const int called = handler.calls();
  ASSERT_TRUE(eventually([&] { return handler.calls() > called + 20; }));
  std::this_thread::sleep_for(1s);  // time to give up, if it were to
  EXPECT_FALSE(running.ended()) << "a full disk is no reason to end";
  EXPECT_NE(balance(), balanced) << "the disk was not full";
  EXPECT_FALSE(committed_to_the_end()) << "the broker was told that it is done";
  make_room();
  EXPECT_TRUE(eventually([&] { return balance() == balanced; })) << balance();
  EXPECT_TRUE(eventually([&] { return committed_to_the_end(); }));
  const Exit exit = running.stop();
  EXPECT_TRUE(exit.ok()) << exit.detail;
  EXPECT_EQ(runtime.counters().parked, 0u) << "it is not the messages' fault";
  EXPECT_EQ(balance(), balanced);
}

TEST_F(FullDisk, StoppedMeanwhileItLosesNothing) {
  {
    auto store = open_store(file);
    MemorySource source(log);
    Recorder handler;
    Runtime runtime(quick());
    runtime.add(source, *store, handler);
    Background running(runtime);
    fill(64 << 10);
    for (int i = 0; i < 100; ++i) send("m" + std::to_string(i), std::string(8'000, 'x'));
    ASSERT_TRUE(eventually([&] { return handler.calls() > 20; }));
    (void)running.stop();
  }
  make_room();
  const Life life = catch_up();
  EXPECT_TRUE(life.exit.ok()) << life.exit.detail;
  EXPECT_EQ(balance(), balanced);
  EXPECT_EQ(parked().size(), 0u);
}

}  // namespace
}  // namespace idem::test
