// The file: who may open it, who owns it, what else may be in it, and who reads it meanwhile.
#include "sqlite/file.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "core/flat_map.h"
#include "runtime/failpoint.h"
#include "sqlite/connection.h"
#include "sqlite/key_bytes.h"
#include "sqlite/schema.h"
#include "sqlite_fixture.h"
#include "support/process.h"

namespace idem::test {
namespace {

namespace fs = std::filesystem;

class FileTest : public testing::Test {
 protected:
  std::string refusal(SqliteOptions options) {
    try {
      SqliteStore store(options);
      return "";
    } catch (const StoreError& e) {
      return e.what();
    }
  }
  std::string sql(const std::string& statement) { return run({"sqlite3", path_, statement}).output; }

  Scratch scratch_{"file"};
  std::string path_ = scratch_ / "ledger.db";
};

mode_t mode_of(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
  return info.st_mode & 0777;
}

TEST_F(FileTest, is_private_with_its_log_and_its_lock) {
  const mode_t before = ::umask(0);
  SqliteStore store({.path = path_});
  ::umask(before);
  for (const char* suffix : {"", "-wal", "-shm", "-owner"}) EXPECT_EQ(mode_of(path_ + suffix), 0600u) << suffix;
}

TEST_F(FileTest, survives_as_the_same_store) {
  const std::string id = SqliteStore({.path = path_}).traits().id;
  EXPECT_EQ(id.size(), 32u);
  SqliteStore store({.path = path_});
  EXPECT_EQ(store.traits().id, id);
  EXPECT_TRUE(store.traits().durable);
  EXPECT_FALSE(store.traits().shared);
  EXPECT_NE(SqliteStore({.path = scratch_ / "other.db"}).traits().id, id);
}

TEST_F(FileTest, syncs_fully_in_a_write_ahead_log) {
  { SqliteStore store({.path = path_}); }
  sqlite::Connection connection({.path = path_, .cache_bytes = 1 << 20});
  sqlite::Statement mode(connection, "PRAGMA journal_mode"), sync(connection, "PRAGMA synchronous");
  auto modes = mode.rows();
  ASSERT_TRUE(modes.next());
  EXPECT_EQ(modes.text(0), "wal");
  auto syncs = sync.rows();
  ASSERT_TRUE(syncs.next());
  EXPECT_EQ(syncs.integer(0), 2);
}

// --- One owner ------------------------------------------------------------------------------------------------

TEST_F(FileTest, a_second_store_in_this_process_is_refused) {
  SqliteStore store({.path = path_});
  const std::string pid = std::to_string(::getpid());
  for (const std::string& name : {path_, (scratch_ / "link.db").string()}) {
    if (name != path_) fs::create_symlink(path_, name);
    const std::string why = refusal({.path = name});
    EXPECT_NE(why.find(pid), std::string::npos) << why;
    EXPECT_NE(why.find("wait_for_owner"), std::string::npos) << why;
    EXPECT_NE(why.find("PostgreSQL"), std::string::npos) << why;
  }
}

TEST_F(FileTest, a_second_process_is_refused_and_the_first_goes_on) {
  SqliteStore store({.path = path_});
  const pid_t child = ::fork();
  if (child == 0) ::_exit(refusal({.path = path_}).find(std::to_string(::getppid())) != std::string::npos ? 0 : 1);
  int status = 1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  store.transact([](Transaction& tx) { tx.exec("CREATE TABLE still_here (x)"); });
}

TEST_F(FileTest, a_rolling_restart_waits_for_the_owner) {
  auto old = std::make_unique<SqliteStore>(SqliteOptions{.path = path_});
  EXPECT_NE(refusal({.path = path_, .wait_for_owner = std::chrono::milliseconds(50)}), "");
  std::thread leaves([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    old.reset();
  });
  EXPECT_EQ(refusal({.path = path_, .wait_for_owner = std::chrono::seconds(30)}), "");
  leaves.join();
}

// --- Bad places and bad files ---------------------------------------------------------------------------------

TEST_F(FileTest, a_path_that_cannot_be_written_is_named) {
  EXPECT_NE(refusal({.path = "/nowhere/at/all/ledger.db"}).find("/nowhere/at/all"), std::string::npos);
  EXPECT_NE(refusal({.path = "/proc/ledger.db"}).find("/proc/ledger.db"), std::string::npos);
  fs::create_directory(scratch_ / "directory");
  EXPECT_NE(refusal({.path = scratch_ / "directory"}).find("directory"), std::string::npos);
  EXPECT_THROW(SqliteStore({}), std::invalid_argument);
}

TEST_F(FileTest, network_file_systems_are_known_by_their_numbers) {
  EXPECT_EQ(sqlite::network_file_system(0x6969), "NFS");
  EXPECT_EQ(sqlite::network_file_system(0xff534d42), "CIFS");
  EXPECT_EQ(sqlite::network_file_system(0xef53), std::nullopt) << "ext4";
  EXPECT_EQ(sqlite::file_system_of(path_).network, std::nullopt);
}

TEST_F(FileTest, a_file_that_is_no_database_is_refused_and_left_alone) {
  std::ofstream(path_) << "dear diary, this is not a database, and it is longer than a header of one hundred bytes "
                          "so that there can be no doubt about it";
  EXPECT_NE(refusal({.path = path_}).find("not a database"), std::string::npos);
  EXPECT_EQ(contents(path_).substr(0, 10), "dear diary");
}

TEST_F(FileTest, a_damaged_page_ends_the_store) {
  { SqliteStore store({.path = path_}); }
  {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    for (int i = 0; i < 64 * 1024; ++i) file.put('\x5a');
  }
  const std::string why = refusal({.path = path_});
  EXPECT_NE(why.find(path_), std::string::npos);
}

TEST_F(FileTest, a_file_of_a_newer_version_is_refused) {
  { SqliteStore store({.path = path_}); }
  sql("UPDATE idem_store SET schema_version = 99");
  const std::string why = refusal({.path = path_});
  EXPECT_NE(why.find("schema 99"), std::string::npos) << why;
  EXPECT_NE(why.find("newer version"), std::string::npos) << why;
}

// --- Migrations -----------------------------------------------------------------------------------------------

void next_version(sqlite::Connection& c) { c.exec("ALTER TABLE idem_consumer ADD COLUMN remark TEXT"); }
void broken_version(sqlite::Connection& c) {
  c.exec("ALTER TABLE idem_consumer ADD COLUMN half TEXT");
  c.exec("SELECT nonsense FROM nowhere");
}

TEST_F(FileTest, an_older_file_is_migrated_in_one_transaction) {
  { SqliteStore store({.path = path_}); }
  sqlite::Connection connection({.path = path_, .cache_bytes = 1 << 20});
  const auto present = sqlite::migrations();
  std::vector<sqlite::Migration> good(present.begin(), present.end());
  good.push_back(next_version);
  std::vector<sqlite::Migration> bad = good;
  bad.push_back(broken_version);
  const std::string id = sqlite::read_identity(connection).id;

  EXPECT_THROW(sqlite::bring_up_to_date(connection, bad), sqlite::SqlError);
  EXPECT_EQ(sql("SELECT schema_version FROM idem_store"), std::to_string(present.size()) + "\n");
  EXPECT_EQ(sql("SELECT count(*) FROM pragma_table_info('idem_consumer') WHERE name = 'remark'"), "0\n");

  sqlite::bring_up_to_date(connection, good);
  EXPECT_EQ(sql("SELECT schema_version FROM idem_store"), std::to_string(good.size()) + "\n");
  EXPECT_EQ(sql("SELECT remark FROM idem_consumer"), "");
  EXPECT_EQ(sqlite::read_identity(connection).id, id);
  EXPECT_THROW(sqlite::bring_up_to_date(connection), StoreError) << "and this version is older now";
}

// Up to schema 3 every id was a row of its own.
TEST_F(FileTest, ids_of_an_older_file_are_remembered_after_its_migration) {
  constexpr std::uint64_t ids = 1'000;
  const auto key = [](std::uint64_t i) { return IdKey{core::mix(i), core::mix(~i)}; };
  sqlite::create_private(path_);
  {
    sqlite::Connection connection({.path = path_, .cache_bytes = 1 << 20});
    sqlite::bring_up_to_date(connection, sqlite::migrations().first(3));
    connection.exec("INSERT INTO idem_consumer VALUES (1, 'consumer', 1000)");
    for (const char* n : {"1", "2"}) {
      connection.exec(std::string("INSERT INTO idem_generation VALUES (") + n + ", 1, 500, 1000)");
      connection.exec(std::string("CREATE TABLE idem_ids_") + n +
                      " (key BLOB NOT NULL PRIMARY KEY, fingerprint INTEGER NOT NULL, state INTEGER NOT NULL)"
                      " STRICT, WITHOUT ROWID");
    }
    sqlite::Statement insert(connection, "INSERT INTO idem_ids_1 VALUES (?, ?, 1)");
    for (std::uint64_t i = 1; i <= ids; ++i) insert.run(sqlite::KeyBytes(key(i)).blob(), 2 * i + 1);
  }
  SqliteStore store({.path = path_});
  conformance::Settled settled;
  const auto session = store.ledger({.consumer = "consumer"})->session(settled);
  for (std::uint64_t i = 1; i <= ids + 10; ++i) {
    conformance::Item item("topic", 0, "");
    item.record.id = key(i);
    item.record.fingerprint = i % 2 == 0 ? 2 * i + 1 : 99'999;
    const Record* record = &item.record;
    Seen seen = Seen::fresh;
    session->look_up({&record, 1}, {&seen, 1});
    EXPECT_EQ(seen, i > ids ? Seen::fresh : i % 2 == 0 ? Seen::duplicate : Seen::conflict) << i;
  }
}

// --- Shared with the user -------------------------------------------------------------------------------------

TEST_F(FileTest, the_users_own_tables_are_left_alone) {
  sql("CREATE TABLE account (id INTEGER PRIMARY KEY, cents INTEGER); INSERT INTO account VALUES (1, 500)");
  ::chmod(path_.c_str(), 0640);
  SqliteStore store({.path = path_});
  EXPECT_EQ(mode_of(path_), 0640u);
  store.transact([](Transaction& tx) { tx.exec("UPDATE account SET cents = cents + $1 WHERE id = 1", 1); });
  EXPECT_EQ(sql("SELECT cents FROM account"), "501\n");
}

TEST_F(FileTest, other_processes_may_read_while_it_runs) {
  SqliteStore store({.path = path_});
  store.transact([](Transaction& tx) { tx.exec("CREATE TABLE t (x)"); });
  for (int i = 1; i <= 3; ++i) {
    store.transact([](Transaction& tx) { tx.exec("INSERT INTO t VALUES (1)"); });
    EXPECT_EQ(sql("SELECT count(*) FROM t"), std::to_string(i) + "\n");
  }
}

TEST_F(FileTest, another_process_that_writes_is_waited_for) {
  SqliteStore store({.path = path_});
  store.transact([](Transaction& tx) { tx.exec("CREATE TABLE t (x)"); });
  Process writer(
      {"sh", "-c", "(echo 'BEGIN IMMEDIATE; INSERT INTO t VALUES (1);'; sleep 1; echo 'COMMIT;') | sqlite3 " + path_});
  std::this_thread::sleep_for(std::chrono::milliseconds(400));
  store.transact([](Transaction& tx) { tx.exec("INSERT INTO t VALUES (2)"); });
  EXPECT_TRUE(writer.wait().ok());
  EXPECT_EQ(sql("SELECT count(*) FROM t"), "2\n");
}

}  // namespace
}  // namespace idem::test
