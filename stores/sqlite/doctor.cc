// examine_store(): what a file says of itself as a store. Read only; a service may be using it meanwhile.
#include <sqlite3.h>

#include <filesystem>
#include <optional>
#include <system_error>

#include <idem/doctor.h>
#include <idem/store.h>

#include "doctor/words.h"
#include "sqlite/connection.h"
#include "sqlite/file.h"
#include "sqlite/reading.h"
#include "sqlite/schema.h"

namespace idem::sqlite {
namespace {

using std::chrono::milliseconds;

class StoreReader {
 public:
  StoreReader(const std::string& path, Connection& connection, const StoreDoctorOptions& options)
      : path_(path), options_(options), connection_(connection) {}

  Report read();
  std::vector<RememberedTopic> topics();

 private:
  Check check(const std::string& name, Verdict verdict, std::string reason, std::string remedy = {}) const {
    return {"store." + name, path_, verdict, std::move(reason), std::move(remedy)};
  }
  Check journal_mode() const;
  Check synchronous();
  Check integrity();
  Check schema();
  void retention(Report& report);

  const std::string& path_;
  const StoreDoctorOptions& options_;
  Connection& connection_;
};

Report StoreReader::read() {
  Report report;
  report.push_back(journal_mode());
  report.push_back(synchronous());
  if (options_.integrity) report.push_back(integrity());
  report.push_back(schema());
  // The tables of a version that this one does not know may be others.
  if (report.back().verdict == Verdict::pass) retention(report);
  return report;
}

Check StoreReader::journal_mode() const {
  if (journal_of(connection_) == Journal::wal) return check("journal_mode", Verdict::pass, "WAL");
  return check("journal_mode", Verdict::fail,
               "not WAL: idem has not opened the file yet, or somebody has changed it since",
               "idem sets it when it opens the file; keep other programs from changing it");
}

/// It belongs to a connection and is not in the file. idem sets it whenever it opens one, reads it back and refuses to
/// run otherwise; what can be seen from here is that this SQLite takes it.
Check StoreReader::synchronous() {
  connection_.exec("PRAGMA synchronous=FULL");
  Statement read(connection_, "PRAGMA synchronous");
  auto rows = read.rows();
  if (rows.next() && rows.integer(0) == 2)
    return check("synchronous", Verdict::pass,
                 "FULL for whatever idem commits: it sets and checks that at every start");
  return check("synchronous", Verdict::fail, "this SQLite does not take synchronous=FULL",
               "use an SQLite that was not built to ignore it");
}

Check StoreReader::integrity() {
  Statement ask(connection_, "PRAGMA quick_check(3)");
  std::string found;
  for (auto rows = ask.rows(); rows.next();) found += (found.empty() ? "" : "; ") + std::string(rows.text(0));
  if (found == "ok") return check("integrity", Verdict::pass, "quick_check found nothing");
  return check(
      "integrity", Verdict::fail, found,
      "stop the service, copy file and -wal away, and restore a backup; what has been committed since it was made "
      "comes again from Kafka, as far as the topic still has it");
}

Check StoreReader::schema() {
  const std::int64_t found = stored_version(connection_);
  const auto known = static_cast<std::int64_t>(migrations().size());
  if (found == 0) return check("schema", Verdict::fail, "there is no store of idem's in this file", "correct the path");
  const std::string version = "version " + std::to_string(found);
  if (found == known) return check("schema", Verdict::pass, version);
  if (found < known)
    return check("schema", Verdict::pass,
                 version + "; a service of this version makes it " + std::to_string(known) + " when it starts");
  return check("schema", Verdict::fail,
               version + ", made by a newer idem; this one knows up to " + std::to_string(known),
               "run the newer version");
}

void StoreReader::retention(Report& report) {
  Statement ask(connection_,
                "SELECT name, stream_time, (SELECT max(bound) FROM idem_horizon h WHERE h.consumer = c.consumer), "
                "(SELECT min(coalesce(start, newest)) FROM idem_generation g WHERE g.consumer = c.consumer) "
                "FROM idem_consumer c ORDER BY name");
  bool any = false;
  for (auto rows = ask.rows(); rows.next(); any = true) {
    const std::string whose = "consumer \"" + std::string(rows.text(0)) + "\" ";
    const std::int64_t now = rows.integer(1);
    if (rows.is_null(2)) {
      const std::string since = rows.is_null(3) || now == 0
                                    ? ""
                                    : ": " + doctor::in_words(milliseconds(now - rows.integer(3))) + " of stream time";
      report.push_back(check("retention", Verdict::pass, whose + "has forgotten nothing yet" + since));
      continue;
    }
    const milliseconds kept(now - rows.integer(2));
    const std::string remembers = whose + "remembers the last " + doctor::in_words(kept) + " of stream time";
    if (kept >= options_.retention)
      report.push_back(check("retention", Verdict::pass, remembers));
    else
      report.push_back(
          check("retention", Verdict::fail,
                remembers + ", and " + doctor::in_words(options_.retention) + " are asked for: it has run with less",
                "set RuntimeOptions::retention to that; what was forgotten is parked as undecidable if it comes "
                "again, and the memory grows with stream time"));
  }
  if (!any) report.push_back(check("retention", Verdict::pass, "no consumer has used it yet"));
}

std::vector<RememberedTopic> StoreReader::topics() {
  std::vector<RememberedTopic> found;
  if (stored_version(connection_) == 0) return found;
  Statement ask(connection_,
                "SELECT DISTINCT name, topic, origin FROM idem_partition JOIN idem_consumer USING (consumer) "
                "WHERE origin <> '' ORDER BY name, topic");
  for (auto rows = ask.rows(); rows.next();)
    found.push_back({std::string(rows.text(0)), std::string(rows.text(1)), std::string(rows.text(2))});
  return found;
}

Check file_system_check(const std::string& path, const FileSystem& on) {
  Check check{"store.file_system", path, Verdict::pass, "a local one", {}};
  if (on.network || on.in_memory) {
    check.verdict = Verdict::fail;
    check.reason = on.network ? *on.network + ": locks and syncs over a network are not to be trusted"
                              : std::string("in memory: the store is gone when the machine restarts");
    check.remedy = "move the file to a local disk";
  } else if (!on.told) {
    check.verdict = Verdict::unknown;
    check.reason = "FUSE, or not to be read: what is behind it does not show";
    check.remedy = "make sure that it is a local disk which honours fsync";
  }
  return check;
}

Check free_space_check(const std::string& path, const FileSystem& on, std::uint64_t wanted) {
  Check check{"store.free_space", path, Verdict::pass, doctor::bytes_in_words(on.free_bytes), {}};
  if (on.free_bytes >= wanted) return check;
  check.verdict = Verdict::fail;
  check.reason +=
      ", less than " + doctor::bytes_in_words(wanted) + ": on a full disk nothing is lost, and nothing is done either";
  check.remedy = "make room, or keep ids for less time (RuntimeOptions::retention)";
  return check;
}

/// That the file could not be read: its fault, or ours.
Check unreadable(const std::string& path, const SqlError& error) {
  const bool damaged = error.primary() == SQLITE_CORRUPT || error.primary() == SQLITE_NOTADB;
  if (damaged) return {"store.integrity", path, Verdict::fail, error.what(), "restore a backup, or correct the path"};
  return {"store.file", path, Verdict::unknown, error.what(), "run the doctor as the service's user"};
}

}  // namespace
}  // namespace idem::sqlite

namespace idem {

Report examine_store(const std::string& path, const StoreDoctorOptions& options) {
  using namespace sqlite;
  if (path.empty()) throw std::invalid_argument("examine_store: the path is empty");
  std::string file;
  try {
    file = canonical(path);
  } catch (const StoreError& error) {
    return {{"store.file", path, Verdict::fail, error.what(), "correct the path"}};
  }
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error))
    return {{"store.file", file, Verdict::fail, exists(file) ? "this is not a file" : "there is no such file",
             "correct the path. A service makes it at its first start; if there was one, its memory is lost "
             "(accept.empty_store)"}};
  Report report{
      {"store.file", file, Verdict::pass, doctor::bytes_in_words(std::filesystem::file_size(file, error)), {}}};
  const FileSystem on = file_system_of(file);
  report.push_back(file_system_check(file, on));
  report.push_back(free_space_check(file, on, options.free_bytes));
  try {
    Report found;
    read_file(file, [&](Connection& connection) { found = StoreReader(file, connection, options).read(); });
    for (Check& check : found) report.push_back(std::move(check));
  } catch (const SqlError& e) {
    report.push_back(unreadable(file, e));
  }
  return report;
}

std::vector<RememberedTopic> remembered_topics(const std::string& path) {
  using namespace sqlite;
  const std::string file = canonical(path);
  if (!exists(file)) return {};
  try {
    std::vector<RememberedTopic> found;
    const StoreDoctorOptions options;
    read_file(file, [&](Connection& connection) { found = StoreReader(file, connection, options).topics(); });
    return found;
  } catch (const SqlError& e) {
    throw StoreError("cannot read " + file + ": " + e.what(), e.transient());
  }
}

}  // namespace idem
