// What the doctor says of real store files, and that it leaves no trace on them.
#include <gtest/gtest.h>
#include <sys/statfs.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include <idem/doctor.h>

#include "findings.h"
#include "sqlite/by_hand.h"
#include "sqlite/sqlite_fixture.h"

namespace idem::test {
namespace {

using std::chrono::hours;

std::set<std::string> files_in(const std::filesystem::path& directory) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) names.insert(entry.path().filename());
  return names;
}

void overwrite(const std::string& path, std::streamoff at, std::size_t size) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(at).write(std::string(size, '\xa5').data(), static_cast<std::streamsize>(size));
  ASSERT_TRUE(file.good());
}

/// What it is set up not to lose, leaving aside where the tests' scratch directory happens to lie.
int verdict_elsewhere(Report report) {
  std::erase_if(report, [](const Check& check) { return check.name == "store.file_system"; });
  return exit_code(report);
}

struct DoctorStore : SqliteTest {
  Report examine(const StoreDoctorOptions& asked = {}) { return examine(path(), asked); }
  static Report examine(const std::string& file, const StoreDoctorOptions& asked = {}) {
    Report report = examine_store(file, asked);
    expect_words(report);
    return report;
  }
  void process(const std::string& id, Timestamp time) {
    ledger_->advance(time);
    Item& made = items_.emplace_back("topic", 0, id);
    made.record.time = time;
    ASSERT_EQ(run(made), Joined::joined);
    session_->yield();
    ASSERT_TRUE(durable(made));
  }
  static constexpr Timestamp start{hours(24 * 365 * 50)};
};

TEST_F(DoctorStore, a_store_at_rest_is_sound_and_nothing_is_left_beside_it) {
  process("a", start);
  close();
  const auto before = files_in(scratch_.path());
  ASSERT_FALSE(before.contains("store.db-wal"));
  const Report report = examine();
  EXPECT_EQ(verdict_elsewhere(report), 0) << to_text(report);
  EXPECT_EQ(finding(report, "store.journal_mode").reason, "WAL");
  EXPECT_TRUE(says(finding(report, "store.retention").reason, "consumer \"consumer\" has forgotten nothing yet"));
  EXPECT_EQ(files_in(scratch_.path()), before);
}

TEST_F(DoctorStore, a_running_service_is_not_disturbed) {
  process("a", start);
  Item& open_group = item("b");
  ASSERT_EQ(run(open_group), Joined::joined);  // a transaction is open
  const Report report = examine();
  EXPECT_EQ(verdict_elsewhere(report), 0) << to_text(report);
  session_->yield();
  EXPECT_TRUE(durable(open_group));
  process("c", start);
  EXPECT_EQ(effects(), (Names{"a", "b", "c"}));
  EXPECT_THROW(SqliteStore({.path = path()}), StoreError);  // the owner's lock is as it was
}

TEST_F(DoctorStore, what_a_killed_service_left_in_its_log_is_seen) {
  process("a", start);
  const Scratch copy("doctor");
  for (const char* name : {"store.db", "store.db-wal"}) std::filesystem::copy(scratch_ / name, copy / name);
  const Report report = examine(copy / "store.db");
  EXPECT_EQ(verdict_elsewhere(report), 0) << to_text(report);
  EXPECT_TRUE(says(finding(report, "store.retention").reason, "consumer \"consumer\""));
}

TEST_F(DoctorStore, a_file_that_is_not_in_wal_mode_fails) {
  close();
  by_hand(path(), "PRAGMA journal_mode=DELETE");
  const auto before = files_in(scratch_.path());
  const Report report = examine();
  EXPECT_EQ(verdict(report, "store.journal_mode"), Verdict::fail);
  EXPECT_EQ(verdict(report, "store.integrity"), Verdict::pass);
  EXPECT_EQ(verdict(report, "store.schema"), Verdict::pass);
  EXPECT_EQ(files_in(scratch_.path()), before);
}

TEST_F(DoctorStore, a_missing_file_fails_and_is_not_made) {
  const std::string missing = scratch_ / "missing.db";
  EXPECT_EQ(verdict(examine(missing), "store.file"), Verdict::fail);
  EXPECT_TRUE(remembered_topics(missing).empty());
  EXPECT_FALSE(std::filesystem::exists(missing));
  EXPECT_EQ(verdict(examine("/no/such/directory/store.db"), "store.file"), Verdict::fail);
  EXPECT_EQ(verdict(examine(scratch_.path()), "store.file"), Verdict::fail);
  EXPECT_THROW(examine_store(""), std::invalid_argument);
}

TEST_F(DoctorStore, a_damaged_file_fails) {
  for (int i = 0; i < 500; ++i) process("id-" + std::to_string(i), start);
  close();
  const auto size = static_cast<std::streamoff>(std::filesystem::file_size(path()));
  overwrite(path(), size / 2, 8'192);
  EXPECT_EQ(verdict(examine(), "store.integrity"), Verdict::fail);
  EXPECT_EQ(exit_code(examine()), 1);
  overwrite(path(), 0, 100);
  EXPECT_EQ(verdict(examine(), "store.integrity"), Verdict::fail);
  EXPECT_THROW(remembered_topics(path()), StoreError);
}

TEST_F(DoctorStore, other_files_are_no_stores) {
  const std::string empty = scratch_ / "empty.db", text = scratch_ / "text.db", other = scratch_ / "other.db";
  std::ofstream{empty};
  std::ofstream(text) << std::string(5'000, 'x');
  by_hand(other, "CREATE TABLE mine (x)");
  EXPECT_EQ(verdict(examine(empty), "store.schema"), Verdict::fail);
  EXPECT_EQ(verdict(examine(text), "store.integrity"), Verdict::fail);
  EXPECT_EQ(verdict(examine(other), "store.schema"), Verdict::fail);
  EXPECT_TRUE(remembered_topics(other).empty());
}

TEST_F(DoctorStore, a_newer_store_fails_and_is_not_read_further) {
  close();
  by_hand(path(), "UPDATE idem_store SET schema_version = 99");
  const Report report = examine();
  EXPECT_EQ(verdict(report, "store.schema"), Verdict::fail);
  EXPECT_TRUE(std::none_of(report.begin(), report.end(), [](const Check& c) { return c.name == "store.retention"; }));
}

TEST_F(DoctorStore, a_memory_shorter_than_asked_for_fails) {
  for (int h = 0; h < 24; ++h) process(std::to_string(h), start + hours(h));  // with a retention of 8 h
  Report report = examine({.retention = hours(8)});
  EXPECT_EQ(verdict(report, "store.retention"), Verdict::pass) << to_text(report);
  report = examine({.retention = hours(12)});
  EXPECT_EQ(verdict(report, "store.retention"), Verdict::fail) << to_text(report);
  EXPECT_TRUE(says(finding(report, "store.retention").reason, "12 h are asked for"));
}

TEST_F(DoctorStore, too_little_room_fails) {
  EXPECT_EQ(verdict(examine({.free_bytes = ~std::uint64_t{0}}), "store.free_space"), Verdict::fail);
}

TEST_F(DoctorStore, the_reading_of_the_whole_file_can_be_left_out) {
  const Report report = examine({.integrity = false});
  EXPECT_TRUE(std::none_of(report.begin(), report.end(), [](const Check& c) { return c.name == "store.integrity"; }));
  EXPECT_EQ(verdict_elsewhere(report), 0);
}

TEST_F(DoctorStore, any_file_name_is_found) {
  close();
  const std::string odd = scratch_ / "50%25?mode=rwc#1.db";
  std::filesystem::rename(path(), odd);
  EXPECT_EQ(verdict_elsewhere(examine(odd)), 0) << to_text(examine(odd));
}

TEST_F(DoctorStore, a_file_system_in_memory_fails) {
  struct statfs info {};
  if (statfs("/dev/shm", &info) != 0 || info.f_type != 0x01021994) GTEST_SKIP() << "/dev/shm is no tmpfs here";
  close();
  const std::string there = "/dev/shm/idem-doctor-" + std::to_string(getpid()) + ".db";
  std::filesystem::copy(path(), there);
  EXPECT_EQ(verdict(examine(there), "store.file_system"), Verdict::fail);
  std::filesystem::remove(there);
}

}  // namespace
}  // namespace idem::test
