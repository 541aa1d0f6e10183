// idem parked and idem ids as programs: what they show, what they never show, and what they say to those who mistype.
#include <gtest/gtest.h>
#include <pty.h>
#include <pwd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <idem/parking_lot.h>

#include "core/siphash.h"
#include "doctor/program.h"
#include "sqlite/connection.h"
#include "sqlite/sqlite_fixture.h"

namespace idem::test {
namespace {

const std::string secret = "SECRET-PAYLOAD", secret_in_base64 = "U0VDUkVULVBBWUxPQUQ";
const std::string nasty = std::string("\x1b]0;owned\a\0\n\r\\", 15) + "\xff\x9b";

struct Parks : SqliteTest {
  struct Sent {
    std::string id, topic = "payments", key = "key", why = "because", payload = secret;
    std::vector<Header> headers = {};
    ParkReason reason = ParkReason::dead_letter;
  };

  void park(const Sent& sent) {
    Item& i = items_.emplace_back(sent.topic, static_cast<std::int64_t>(items_.size()), sent.id);
    if (!sent.id.empty()) i.record.id = core::siphash128(ledger_->hash_key(), sent.id);
    i.key = sent.key;
    i.payload = sent.payload;
    i.headers = sent.headers;
    i.message.key = i.key;
    i.message.payload = i.payload;
    i.message.headers = i.headers;
    look_up(i);
    const Conclusion conclusion{
        .kind = Conclusion::Kind::parked, .reason = sent.reason, .why = sent.why, .attempts = 3};
    ASSERT_EQ(session_->finish(i.record, conclusion), Joined::joined);
  }
  void at_rest() {
    session_->yield();
    close();
  }
  /// Four messages; number 4 was parked five days ago.
  void park_four() {
    park({.id = "a"});
    park({.id = "", .topic = "refunds", .reason = ParkReason::no_id});
    park({.id = "c", .reason = ParkReason::undecidable});
    park({.id = "d", .topic = "refunds"});
    at_rest();
    sql("UPDATE idem_parked SET parked_at = parked_at - 5 * 86400000 WHERE number = 4");
  }
  std::string sql(const std::string& statement) {
    const Finished finished = test::run({"sqlite3", path(), statement});
    EXPECT_TRUE(finished.status.ok()) << finished.output;
    return finished.output;
  }
  std::string lies_there() { return sql("SELECT coalesce(group_concat(number), '') FROM idem_parked"); }

  Ended parked(std::vector<std::string> arguments, const std::string& command = "list") {
    arguments.insert(arguments.begin(), {"parked", command, path()});
    return idem(arguments);
  }
  /// Which numbers `list` shows.
  std::vector<int> numbers(std::vector<std::string> arguments) {
    arguments.push_back("--json");
    const Ended ended = parked(arguments);
    EXPECT_EQ(ended.code, 0) << ended.output;
    std::vector<int> all;
    const auto page = ended.json();
    for (const auto& m : page["messages"]) all.push_back(m["number"]);
    return all;
  }
};
using Numbers = std::vector<int>;

long lines_of(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

bool terminal_obeys(const std::string& text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\n') || byte == 0x7f;
  }) || text.find("\x9b") != std::string::npos || text.find('\xff') != std::string::npos;
}

// --- What is shown --------------------------------------------------------------------------------------------------

TEST_F(Parks, list_shows_what_lies_there_and_why) {
  park_four();
  const Ended ended = parked({});
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(lines_of(ended.output), 5) << ended.output;
  for (const char* word : {"NUMBER", "REASON", "consumer", "dead_letter", "no_id", "payments[0]@0", "refunds[0]@3", "because"})
    EXPECT_TRUE(says(ended, word)) << word << "\n" << ended.output;
  const auto json = parked({"--json"}).json();
  ASSERT_EQ(json["messages"].size(), 4u);
  const auto& first = json["messages"][0];
  EXPECT_EQ(first["number"], 1);
  EXPECT_EQ(first["consumer"], "consumer");
  EXPECT_EQ(first["reason"], "dead_letter");
  EXPECT_EQ(first["why"], "because");
  EXPECT_EQ(first["attempts"], 3);
  EXPECT_EQ(first["topic"], "payments");
  EXPECT_EQ(first["id"], "a");
  EXPECT_EQ(first["key"], "key");
  EXPECT_EQ(first["timestamp"], "2019-12-20T00:00:00.000Z");
  EXPECT_EQ(first["payload_bytes"], secret.size());
}

TEST_F(Parks, every_filter_chooses) {
  park_four();
  EXPECT_EQ(numbers({}), (Numbers{1, 2, 3, 4}));
  EXPECT_EQ(numbers({"--consumer", "consumer"}), (Numbers{1, 2, 3, 4}));
  EXPECT_EQ(numbers({"--reason", "dead_letter"}), (Numbers{1, 4}));
  EXPECT_EQ(numbers({"--topic", "refunds"}), (Numbers{2, 4}));
  EXPECT_EQ(numbers({"--queue", "refunds"}), (Numbers{2, 4}));
  EXPECT_EQ(numbers({"--id", "c"}), (Numbers{3}));
  EXPECT_EQ(numbers({"--id", "Yw==", "--base64"}), (Numbers{3}));
  EXPECT_EQ(numbers({"--older-than", "3d"}), (Numbers{4}));
  EXPECT_EQ(numbers({"--newer-than", "3d"}), (Numbers{1, 2, 3}));
  EXPECT_EQ(numbers({"--older-than", "4d", "--newer-than", "150h"}), (Numbers{4}));
  EXPECT_EQ(numbers({"--newer-than", "2026-01-01"}), (Numbers{1, 2, 3, 4}));
  EXPECT_EQ(numbers({"--after", "2"}), (Numbers{3, 4}));
  EXPECT_EQ(numbers({"--limit", "2"}), (Numbers{1, 2}));
  EXPECT_EQ(numbers({"--reason", "dead_letter", "--topic", "refunds"}), (Numbers{4}));
}

TEST_F(Parks, list_says_when_there_are_more_and_counts_on_demand) {
  park_four();
  EXPECT_TRUE(says(parked({"--limit", "3"}), "there are more: --after 3"));
  EXPECT_FALSE(says(parked({"--limit", "4"}), "there are more"));
  EXPECT_EQ(parked({"--limit", "3", "--json"}).json()["next_after"], 3);
  EXPECT_TRUE(parked({"--limit", "4", "--json"}).json()["next_after"].is_null());
  const Ended counts = parked({"--count"});
  EXPECT_TRUE(says(counts, "dead_letter  2")) << counts.output;
  EXPECT_EQ(parked({"--count", "--json"}).json()["counts"][0]["messages"], 2);
}

TEST_F(Parks, show_says_all_of_one) {
  const Header header{"trace", "t-1"};
  park({.id = "a", .headers = {header, {"none", std::nullopt}}});
  at_rest();
  const Ended ended = parked({"1"}, "show");
  EXPECT_EQ(ended.code, 0);
  for (const char* word : {"trace: t-1", "none: (none)", "dead_letter", "because", "14 bytes (--payload shows them)"})
    EXPECT_TRUE(says(ended, word)) << word << "\n" << ended.output;
  EXPECT_TRUE(says(parked({"1", "--payload"}, "show"), secret));
  const auto json = parked({"1", "--payload", "--json"}, "show").json();
  EXPECT_EQ(json["payload"], secret);
  EXPECT_EQ(json["headers"][0]["value"], "t-1");
  EXPECT_TRUE(json["headers"][1]["value"].is_null());
}

TEST_F(Parks, a_payload_appears_only_where_it_is_asked_for) {
  park_four();
  const std::vector<std::vector<std::string>> commands{
      {"parked", "list", path()},          {"parked", "list", path(), "--json"},
      {"parked", "list", path(), "--count"}, {"parked", "show", path(), "1"},
      {"parked", "show", path(), "1", "--json"},
      {"ids", "show", path(), "--consumer", "consumer", "a"},
      {"parked", "drop", path(), "1", "--dry-run"},
      {"parked", "drop", path(), "1", "--yes"},
      {"parked", "drop", path(), "--reason", "no_id", "--yes", "--json"}};
  for (const auto& command : commands) {
    const Ended ended = idem(command);
    EXPECT_EQ(ended.code, 0) << ended.output;
    EXPECT_FALSE(says(ended, secret) || says(ended, secret_in_base64)) << ended.output;
  }
  EXPECT_EQ(sql("SELECT count(*) FROM idem_audit"), "2\n");
  EXPECT_FALSE(sql(".dump idem_audit").find(secret) != std::string::npos);
  EXPECT_TRUE(says(parked({"--payload"}), secret));
  EXPECT_TRUE(says(parked({"--payload", "--json"}), secret));
  EXPECT_TRUE(says(parked({}, "export"), secret));
}

// Else whoever can send a message could write lines of a log, or into the terminal of whoever looks.
TEST_F(Parks, nothing_in_a_message_is_obeyed_by_a_terminal) {
  const Header header{nasty, nasty};
  park({.id = nasty, .topic = nasty, .key = nasty, .why = nasty, .payload = nasty, .headers = {header}});
  at_rest();
  sql("UPDATE idem_consumer SET name = char(27) || '[2J' || char(10)");
  const std::string consumer = "\x1b[2J\n";
  for (const auto& [command, lines] : std::vector<std::pair<std::vector<std::string>, long>>{
           {{"parked", "list", path(), "--payload"}, 2},
           {{"parked", "list", path(), "--json", "--payload"}, 1},
           {{"parked", "list", path(), "--count"}, 2},
           {{"parked", "show", path(), "1", "--payload"}, 12},
           {{"parked", "show", path(), "1", "--json", "--payload"}, 1},
           {{"parked", "export", path()}, 1},
           {{"parked", "list", path(), "--consumer", "\x1b[31m"}, 1},
           {{"parked", "list", path(), "--reason", "\x1b[31m\n"}, 1},
           {{"ids", "show", path(), "--consumer", consumer, "\x1b[31m\n"}, 3}}) {
    const Ended ended = idem(command);
    EXPECT_FALSE(terminal_obeys(ended.output)) << ended.output;
    EXPECT_EQ(lines_of(ended.output), lines) << ended.output;
  }
  EXPECT_TRUE(says(parked({}), "\\x1b]0;owned\\x07\\x00\\n")) << parked({}).output;
}

TEST_F(Parks, bytes_that_are_no_text_are_base64_and_say_so) {
  park({.id = nasty, .key = nasty, .payload = std::string("\0\xff", 2)});
  park({.id = std::string("nul\0", 4), .key = "k"});
  at_rest();
  const auto json = parked({"--json", "--payload"}).json()["messages"];
  ASSERT_EQ(json.size(), 2u);
  EXPECT_FALSE(json[0].contains("id") || json[0].contains("key") || json[0].contains("payload"));
  EXPECT_EQ(json[0]["payload_base64"], "AP8=");
  EXPECT_EQ(json[1]["id"], std::string("nul\0", 4));
  const std::string id = json[0]["id_base64"];
  EXPECT_EQ(json[0]["key_base64"], id);
  EXPECT_EQ(numbers({"--id", id, "--base64"}), Numbers{1});
  const auto found = idem({"ids", "show", path(), "--consumer", "consumer", "--base64", id, "--json"}).json();
  EXPECT_EQ(found["state"], "parked");
  EXPECT_EQ(found["parked"][0], 1);
  EXPECT_EQ(found["id_base64"], id);
}

TEST_F(Parks, a_long_id_is_cut_for_people_and_whole_for_programs) {
  const std::string id(1 << 20, 'x');
  park({.id = id, .payload = std::string(1 << 20, 'y')});
  at_rest();
  EXPECT_LT(parked({"--payload"}).output.size(), 600u);
  const Ended shown = parked({"1"}, "show");
  EXPECT_LT(shown.output.size(), 3'000u);
  EXPECT_TRUE(says(shown, "(1048576 bytes; --json shows them)")) << shown.output;
  EXPECT_EQ(parked({"--json"}).json()["messages"][0]["id"], id);
  EXPECT_EQ(parked({}, "export").json()["payload"].get<std::string>().size(), id.size());
}

TEST_F(Parks, export_writes_all_of_them_as_lines) {
  for (int i = 0; i < 200; ++i) park({.id = "id" + std::to_string(i), .topic = i % 2 ? "odd" : "even"});
  at_rest();
  const auto exported = [&](const std::vector<std::string>& arguments) {
    const Ended ended = parked(arguments, "export");
    EXPECT_EQ(ended.code, 0);
    Numbers all;
    std::istringstream lines(ended.output);
    for (std::string line; std::getline(lines, line);) {
      const auto json = nlohmann::json::parse(line);
      EXPECT_EQ(json["payload"], secret);
      all.push_back(json["number"]);
    }
    return all;
  };
  Numbers all, odd;
  for (int i = 1; i <= 200; ++i) all.push_back(i);
  for (int i = 2; i <= 200; i += 2) odd.push_back(i);
  EXPECT_EQ(exported({}), all);
  EXPECT_EQ(exported({"--topic", "odd"}), odd);
}

TEST_F(Parks, an_export_that_cannot_be_written_is_1) {
  park_four();
  Process program({IDEM_PROGRAM, "parked", "export", path()},
                  {.output = "/dev/full", .errors = scratch_ / "errors"});
  EXPECT_EQ(program.wait().code, 1);
  EXPECT_NE(contents(scratch_ / "errors").find("No space left"), std::string::npos);
}

// --- Dropping -------------------------------------------------------------------------------------------------------

TEST_F(Parks, drop_throws_away_what_was_chosen_and_says_who) {
  park_four();
  Ended ended = parked({"1", "--yes", "--who", "alice", "--reason-why", "paid by hand"}, "drop");
  EXPECT_EQ(ended.code, 0) << ended.output;
  EXPECT_TRUE(says(ended, "dropped 1 message; their ids stay remembered")) << ended.output;
  EXPECT_EQ(lies_there(), "2,3,4\n");
  EXPECT_EQ(sql("SELECT who, why, what, parked FROM idem_audit"), "alice|paid by hand|drop|1\n");
  ended = parked({"--topic", "refunds", "--yes", "--json"}, "drop");
  EXPECT_EQ(ended.json()["dropped"], 2) << ended.output;
  EXPECT_EQ(lies_there(), "3\n");
  const char* sudo = std::getenv("SUDO_USER");
  const std::string me = ::getuid() == 0 && sudo != nullptr ? sudo : ::getpwuid(::getuid())->pw_name;
  EXPECT_EQ(sql("SELECT DISTINCT who FROM idem_audit WHERE parked > 1"), me + "\n");
  const auto id = idem({"ids", "show", path(), "--consumer", "consumer", "a", "--json"}).json();
  EXPECT_EQ(id["state"], "parked");
  EXPECT_EQ(id["dropped"][0], 1);
}

TEST_F(Parks, a_dry_run_changes_nothing) {
  park_four();
  const std::string before = contents(path());
  const Ended ended = parked({"--reason", "dead_letter", "--dry-run"}, "drop");
  EXPECT_EQ(ended.code, 0);
  EXPECT_TRUE(says(ended, "would drop 2 messages (2 dead_letter); nothing was changed")) << ended.output;
  EXPECT_EQ(parked({"--reason", "dead_letter", "--dry-run", "--json"}, "drop").json()["would_drop"], 2);
  EXPECT_EQ(contents(path()), before);
}

TEST_F(Parks, drop_without_a_terminal_needs_yes) {
  park_four();
  const Ended ended = parked({"1"}, "drop");
  EXPECT_EQ(ended.code, 3);
  EXPECT_TRUE(says(ended, "add --yes")) << ended.output;
  EXPECT_EQ(lies_there(), "1,2,3,4\n");
}

/// The program on a terminal of its own where somebody types; how it ended and what could be read there.
Ended at_terminal(std::vector<std::string> arguments, const std::string& typed) {
  arguments.insert(arguments.begin(), IDEM_PROGRAM);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  int terminal = -1;
  const pid_t child = ::forkpty(&terminal, nullptr, nullptr, nullptr);
  if (child == 0) {
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  EXPECT_EQ(::write(terminal, typed.data(), typed.size()), static_cast<ssize_t>(typed.size()));
  Ended ended;
  char buffer[512];
  for (ssize_t size; (size = ::read(terminal, buffer, sizeof buffer)) > 0;)
    ended.output.append(buffer, static_cast<std::size_t>(size));
  int status = 0;
  ::waitpid(child, &status, 0);
  ::close(terminal);
  if (WIFEXITED(status)) ended.code = WEXITSTATUS(status);
  return ended;
}

TEST_F(Parks, drop_asks_at_a_terminal) {
  park_four();
  const std::vector<std::string> command{"parked", "drop", path(), "--reason", "dead_letter"};
  for (const char* no : {"n\n", "\n", "yess\n", "\x04"}) {
    const Ended ended = at_terminal(command, no);
    EXPECT_EQ(ended.code, 1) << ended.output;
    EXPECT_TRUE(says(ended, "Drop 2 messages (2 dead_letter) from ")) << ended.output;
    EXPECT_TRUE(says(ended, "nothing was dropped")) << ended.output;
  }
  EXPECT_EQ(lies_there(), "1,2,3,4\n");
  EXPECT_EQ(at_terminal(command, "y\n").code, 0);
  EXPECT_EQ(lies_there(), "2,3\n");
}

TEST_F(Parks, drop_killed_under_way_leaves_all_and_no_audit) {
  park_four();
  const Finished finished = test::run({IDEM_PROGRAM, "parked", "drop", path(), "--topic", "payments", "--yes"},
                                      {.environment = {{"IDEM_FAILPOINT", "parked.drop:kill"}}});
  EXPECT_EQ(finished.status.signal, 9);
  EXPECT_EQ(lies_there(), "1,2,3,4\n");
  EXPECT_EQ(sql("SELECT count(*) FROM idem_audit"), "0\n");
}

TEST_F(Parks, redrive_puts_back_to_work_what_was_chosen_and_says_who) {
  park_four();
  EXPECT_TRUE(says(parked({"--topic", "payments", "--dry-run"}, "redrive"),
                   "would redrive 2 messages (1 dead_letter, 1 undecidable); nothing was changed"));
  EXPECT_EQ(lies_there(), "1,2,3,4\n");
  const Ended ended = parked({"--topic", "payments", "--yes", "--who", "alice", "--reason-why", "the bank is back"}, "redrive");
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.output, "redriven 2 messages; the service handles them again when it starts\n");
  EXPECT_EQ(lies_there(), "2,4\n");
  EXPECT_EQ(sql("SELECT who, why, what, parked FROM idem_audit"),
            "alice|the bank is back|redrive|1\nalice|the bank is back|redrive|3\n");
  EXPECT_EQ(sql("SELECT id, attempts FROM idem_returning"), "a|0\nc|0\n");
  const Ended shown = idem({"ids", "show", path(), "--consumer", "consumer", "a"});
  EXPECT_TRUE(says(shown, "state       returning")) << shown.output;
  EXPECT_TRUE(says(shown, "redriven as 1")) << shown.output;
  EXPECT_EQ(parked({"--topic", "payments", "--yes"}, "redrive").code, 2) << "nothing is left";
  EXPECT_EQ(parked({"--topic", "refunds", "--yes", "--json"}, "redrive").output, "{\"redriven\":2}\n");
}

TEST_F(Parks, a_bulk_redrive_shows_how_far_it_is_and_goes_on_where_it_was_killed) {
  at_rest();
  sql("INSERT INTO idem_parked (consumer, topic, partition, position, headers, id, fingerprint, reason, why, attempts, "
      "parked_at) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) "
      "SELECT 1, 'payments', 0, i, x'', CAST('id' || i AS BLOB), 0, 'dead_letter', '', 1, 1 FROM n");
  const std::vector<std::string> command{IDEM_PROGRAM, "parked", "redrive", path(), "--topic", "payments", "--yes",
                                         "--per-second", "100"};
  const Finished killed = test::run(command, {.environment = {{"IDEM_FAILPOINT", "parked.redrive:kill@1700"}}});
  EXPECT_EQ(killed.status.signal, 9);
  EXPECT_NE(killed.output.find("redriven 1000 of 2500"), std::string::npos) << killed.output;
  EXPECT_EQ(sql("SELECT count(*) FROM idem_parked"), "1500\n");
  EXPECT_EQ(sql("SELECT count(*) FROM idem_returning"), "1000\n");
  const Finished again = test::run(command);
  EXPECT_TRUE(again.status.ok()) << again.output;
  EXPECT_NE(again.output.find("redriven 1000 of 1500\n"), std::string::npos) << again.output;
  EXPECT_NE(again.output.find("redriven 1500 messages; "), std::string::npos) << again.output;
  EXPECT_EQ(sql("SELECT count(*), count(DISTINCT id) FROM idem_returning"), "2500|2500\n");
  EXPECT_EQ(sql("SELECT count(*), count(DISTINCT parked) FROM idem_audit"), "2500|2500\n");
  EXPECT_EQ(sql("SELECT max(due) - min(due) FROM idem_returning WHERE number > 1000"), "14990\n") << "100 in a second";
}

TEST_F(Parks, beside_a_running_service_is_looked_at_and_not_dropped) {
  park({.id = "a"});
  session_->yield();
  EXPECT_EQ(numbers({}), Numbers{1});
  EXPECT_EQ(idem({"ids", "show", path(), "--consumer", "consumer", "a"}).code, 0);
  const Ended ended = parked({"1", "--yes"}, "drop");
  EXPECT_EQ(ended.code, 1);
  EXPECT_TRUE(says(ended, "is owned by process " + std::to_string(::getpid()))) << ended.output;
  EXPECT_EQ(ledger_->parked().size(), 1u);
}

// --- Ids ------------------------------------------------------------------------------------------------------------

TEST_F(Parks, ids_show_says_in_which_state) {
  Item& done = items_.emplace_back("payments", 100, "done");
  done.record.id = core::siphash128(ledger_->hash_key(), "done");
  ASSERT_EQ(run(done), Joined::joined);
  park_four();
  const auto ask = [&](const std::string& id) {
    return idem({"ids", "show", path(), "--consumer", "consumer", id});
  };
  EXPECT_EQ(ask("done").code, 0);
  EXPECT_TRUE(says(ask("done"), "state       done")) << ask("done").output;
  EXPECT_TRUE(says(ask("done"), "generation  1: messages from "));
  EXPECT_TRUE(says(ask("a"), "parked as   1")) << ask("a").output;
  EXPECT_EQ(ask("other").code, 2);
  EXPECT_TRUE(says(ask("other"), "not remembered"));
}

struct Forgets : Parks {
  void SetUp() override {
    Parks::SetUp();
    park_four();
  }
  Ended forget(const std::string& id, std::vector<std::string> more = {"--yes"}) {
    std::vector<std::string> arguments{"ids", "forget", path(), "--consumer", "consumer", id};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return idem(arguments);
  }
  std::string state(const std::string& id) {
    return idem({"ids", "show", path(), "--consumer", "consumer", "--json", id}).json()["state"];
  }
  std::string audited() { return sql("SELECT count(*) FROM idem_audit"); }
};

TEST_F(Forgets, lets_an_id_through_and_says_what_it_was) {
  const Ended ended = forget("a", {"--yes", "--who", "alice", "--reason-why", "to be booked again"});
  EXPECT_EQ(ended.code, 0) << ended.output;
  EXPECT_EQ(ended.output, "forgotten; it was parked. The next message of it is handled\n");
  EXPECT_EQ(state("a"), "forgotten");
  EXPECT_TRUE(says(idem({"ids", "show", path(), "--consumer", "consumer", "a"}), "state       forgotten"));
  EXPECT_EQ(sql("SELECT who, what, why, CAST(id AS TEXT) FROM idem_audit"), "alice|forget|to be booked again|a\n");
  EXPECT_EQ(lies_there(), "1,2,3,4\n") << "its message stays";
  EXPECT_EQ(forget("c", {"--yes", "--json"}).json()["was"], "parked");
  EXPECT_NE(sql("SELECT who FROM idem_audit WHERE number = 2"), "\n") << "the login user";
}

TEST_F(Forgets, what_is_not_remembered_or_forgotten_already_is_2_and_one_clear_line) {
  EXPECT_EQ(forget("never seen").code, 2);
  EXPECT_TRUE(says(forget("never seen"), "is not remembered")) << forget("never seen").output;
  EXPECT_EQ(audited(), "0\n");
  ASSERT_EQ(forget("a").code, 0);
  EXPECT_EQ(forget("a").code, 2);
  EXPECT_TRUE(says(forget("a"), "is forgotten already")) << forget("a").output;
  EXPECT_EQ(audited(), "1\n");
  EXPECT_FALSE(terminal_obeys(forget(nasty.c_str()).output));
}

TEST_F(Forgets, asks_at_a_terminal_and_needs_yes_elsewhere) {
  const Ended nobody = forget("a", {});
  EXPECT_EQ(nobody.code, 3);
  EXPECT_TRUE(says(nobody, "add --yes")) << nobody.output;
  const std::vector<std::string> command{"ids", "forget", path(), "--consumer", "consumer", "a"};
  for (const char* no : {"n\n", "\n", "yess\n", "\x04"}) {
    const Ended ended = at_terminal(command, no);
    EXPECT_EQ(ended.code, 1) << ended.output;
    EXPECT_TRUE(says(ended, "Forget it?")) << ended.output;
    EXPECT_TRUE(says(ended, "nothing was forgotten")) << ended.output;
  }
  EXPECT_EQ(state("a"), "parked");
  EXPECT_EQ(at_terminal(command, "y\n").code, 0);
  EXPECT_EQ(state("a"), "forgotten");
}

TEST_F(Forgets, takes_ids_in_base64) {
  ASSERT_EQ(forget("YQ==", {"--base64", "--yes"}).code, 0);
  EXPECT_EQ(state("a"), "forgotten");
  EXPECT_EQ(forget("!", {"--base64", "--yes"}).code, 3);
}

TEST_F(Forgets, is_refused_beside_the_service_and_for_another_consumer) {
  EXPECT_TRUE(says(idem({"ids", "forget", path(), "--consumer", "consumr", "a", "--yes"}), "there is: consumer"));
  EXPECT_EQ(idem({"ids", "forget", path(), "a", "--yes"}).code, 3);
  open();
  const Ended ended = forget("a");
  EXPECT_EQ(ended.code, 1);
  EXPECT_TRUE(says(ended, "is owned by process " + std::to_string(::getpid()))) << ended.output;
  EXPECT_EQ(state("a"), "parked");
  EXPECT_TRUE(says(idem({"ids", "forget", "--help"}), "2 there was nothing to forget; 3 usage"));
}

// --- Those who mistype ----------------------------------------------------------------------------------------------

TEST_F(Parks, exit_codes_and_one_clear_line) {
  park_four();
  const std::string text = scratch_ / "text.db", missing = scratch_ / "missing.db";
  std::ofstream(text) << std::string(5'000, 'x');
  struct Case {
    int code;
    std::vector<std::string> arguments;
    std::string words;
  };
  const std::vector<Case> cases{
      {1, {"parked", "list", missing}, "there is no file " + missing},
      {1, {"parked", "list", text}, "not a database"},
      {1, {"parked", "list", scratch_.path()}, "is not a file"},
      {1, {"parked", "drop", missing, "1", "--yes"}, "there is no file " + missing},
      {1, {"parked", "list", path(), "--consumer", "consumr"}, "there is: consumer"},
      {1, {"ids", "show", path(), "--consumer", "consumr", "a"}, "there is: consumer"},
      {2, {"parked", "show", path(), "99"}, "there is no parked message 99"},
      {2, {"parked", "drop", path(), "99", "--yes"}, "there is no parked message 99"},
      {2, {"parked", "list", path(), "--topic", "orders"}, "no parked message"},
      {2, {"parked", "list", path(), "--count", "--topic", "orders"}, "no parked message"},
      {2, {"parked", "export", path(), "--topic", "orders"}, "no parked message"},
      {3, {"parked", "list", path(), "--reason", "dead-letter"}, "write dead_letter, attempts_exhausted"},
      {3, {"parked", "list", path(), "--older-than", "3 days"}, "write 3d, 12h, 90m or 45s"},
      {3, {"parked", "list", path(), "--id", "!", "--base64"}, "is no base64"},
      {3, {"parked", "drop", path(), "--yes"}, "a NUMBER, or a filter"},
      {3, {"parked", "redrive", path(), "--yes"}, "a NUMBER, or a filter"},
      {3, {"parked", "redrive", path(), "1"}, "add --yes, or --dry-run"},
      {2, {"parked", "redrive", path(), "99", "--yes"}, "there is no parked message 99"},
      {1, {"parked", "redrive", missing, "1", "--yes"}, "there is no file " + missing},
  };
  const auto before = contents(path());
  for (const Case& c : cases) {
    const Ended ended = idem(c.arguments);
    EXPECT_EQ(ended.code, c.code) << ended.output;
    EXPECT_TRUE(says(ended, c.words)) << ended.output;
    EXPECT_TRUE(ended.output.starts_with("idem: ")) << ended.output;
    EXPECT_EQ(lines_of(ended.output), 1) << ended.output;
  }
  // These are CLI11's words.
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"parked"},
                                             {"parked", "list"},
                                             {"parked", "lst", path()},
                                             {"parked", "show", path()},
                                             {"parked", "show", path(), "one"},
                                             {"parked", "show", path(), "0"},
                                             {"parked", "list", path(), "--limit", "0"},
                                             {"parked", "list", path(), "--topic", ""},
                                             {"parked", "drop", path(), "--reason", "no_id", "--topic", "", "--yes"},
                                             {"parked", "redrive", path(), "1", "--per-second", "0", "--yes"},
                                             {"ids", "show", path(), "a"},
                                             {"ids", "show", path(), "--consumer", "consumer"}})
    EXPECT_EQ(idem(arguments).code, 3);
  EXPECT_EQ(contents(path()), before);
  EXPECT_EQ(lies_there(), "1,2,3,4\n");
}

TEST_F(Parks, files_of_other_schemas) {
  park_four();
  sql("DROP TABLE idem_results_1; ALTER TABLE idem_claim DROP COLUMN forgotten; "
      "DROP TABLE idem_returning; DROP TABLE idem_audit; DROP INDEX idem_parked_in_order; DROP INDEX idem_parked_id; "
      "UPDATE idem_store SET schema_version = 5");
  const auto before = contents(path());
  EXPECT_EQ(numbers({"--reason", "dead_letter"}), (Numbers{1, 4}));
  EXPECT_TRUE(says(idem({"ids", "show", path(), "--consumer", "consumer", "a"}), "parked as   1"));
  const Ended ended = parked({"1", "--yes"}, "drop");
  EXPECT_EQ(ended.code, 1);
  EXPECT_TRUE(says(ended, "start its service with this version once")) << ended.output;
  EXPECT_EQ(contents(path()), before);
  sql("UPDATE idem_store SET schema_version = 99");
  EXPECT_EQ(parked({}).code, 1);
  EXPECT_TRUE(says(parked({}), "newer version of idem (schema 99")) << parked({}).output;
}

TEST_F(Parks, help_says_what_must_be_known) {
  EXPECT_TRUE(says(idem({"parked", "drop", "--help"}), "Dropping forgets no id"));
  EXPECT_TRUE(says(idem({"parked", "redrive", "--help"}), "not taken for duplicates"));
  for (const char* command : {"list", "show", "redrive", "drop", "export"}) {
    const Ended help = idem({"parked", command, "--help"});
    EXPECT_EQ(help.code, 0);
    EXPECT_TRUE(says(help, "2 nothing matched; 3 usage")) << help.output;
  }
  EXPECT_TRUE(says(idem({"ids", "show", "--help"}), "2 it is not remembered"));
  EXPECT_TRUE(says(idem({"--help"}), "parked"));
}

}  // namespace
}  // namespace idem::test
