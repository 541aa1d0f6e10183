// idem parked: the parking lot of idem/parking_lot.h from a command line.
#include <idem/parking_lot.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "cli/base64.h"
#include "cli/command.h"
#include "cli/parked_view.h"
#include "cli/person.h"
#include "cli/store_file.h"
#include "cli/times.h"

namespace idem::cli {
namespace {

// Messages of an export that are in memory at once.
constexpr std::size_t page = 64;
// In one transaction.
constexpr std::size_t messages_redriven_at_once = 1'000;

struct Asked {
  std::string store;
  std::int64_t number = 0;
  std::string consumer, reason, topic, id, older_than, newer_than;
  bool base64 = false;
  std::int64_t after = 0;
  std::size_t limit = 100;
  std::size_t per_second = 0;
  bool json = false, payload = false, count = false;
  bool dry_run = false, yes = false;
  std::string who, why;

  Payloads payloads() const { return payload ? Payloads::included : Payloads::left_out; }
};

ParkReason reason_named(const std::string& name) {
  if (const auto reason = park_reason(name)) return *reason;
  throw std::invalid_argument("there is no reason \"" + name +
                              "\": write dead_letter, attempts_exhausted, no_id, id_conflict, undecidable or unresolved");
}

// No option can be given as an empty text, so one that is empty was not given.
ParkedFilter filter_of(const Asked& asked) {
  const Timestamp now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  ParkedFilter filter;
  if (asked.number != 0) filter.number = asked.number;
  if (!asked.consumer.empty()) filter.consumer = asked.consumer;
  if (!asked.reason.empty()) filter.reason = reason_named(asked.reason);
  if (!asked.topic.empty()) filter.topic = asked.topic;
  if (!asked.id.empty()) filter.id = asked.base64 ? from_base64(asked.id) : asked.id;
  if (!asked.newer_than.empty()) filter.parked_from = parse_time(asked.newer_than, now);
  if (!asked.older_than.empty()) filter.parked_before = parse_time(asked.older_than, now);
  return filter;
}

std::string no_such(const Asked& asked) {
  return asked.number != 0 ? "there is no parked message " + std::to_string(asked.number) + " in " + asked.store
                           : "no parked message of " + asked.store + " is one of these";
}

// --- The commands -------------------------------------------------------------------------------------------------

int count(const Asked& asked) {
  const auto counts = open_parking_lot(asked.store)->counts(filter_of(asked));
  if (asked.json) {
    Json all = Json::array();
    for (const ParkedCount& count : counts) all.push_back(json_of(count));
    write_out(line_of({{"counts", all}}));
  } else if (!counts.empty()) {
    write_out(table_of(counts));
  }
  return counts.empty() ? nothing(no_such(asked)) : 0;
}

void show_page(std::vector<Parked> messages, const Asked& asked) {
  const bool more = messages.size() > asked.limit;
  if (more) messages.resize(asked.limit);
  if (asked.json) {
    Json all = Json::array();
    for (const Parked& parked : messages) all.push_back(json_of(parked, asked.payloads()));
    write_out(line_of({{"messages", all}, {"next_after", more ? Json(messages.back().message.number) : Json(nullptr)}}));
  } else if (!messages.empty()) {
    write_out(table_of(messages, asked.payloads()));
    if (more)
      std::fprintf(stderr, "there are more: --after %lld\n", static_cast<long long>(messages.back().message.number));
  }
}

int list(const Asked& asked) {
  if (asked.count) return count(asked);
  ParkedFilter filter = filter_of(asked);
  filter.after = asked.after;
  // One more than is shown: are there more?
  auto messages = open_parking_lot(asked.store)->list(filter, asked.limit + 1, asked.payloads());
  const bool none = messages.empty();
  show_page(std::move(messages), asked);
  return none ? nothing(no_such(asked)) : 0;
}

int show(const Asked& asked) {
  const auto parked = open_parking_lot(asked.store)->find(asked.number, asked.payloads());
  if (!parked) return nothing(no_such(asked));
  write_out(asked.json ? line_of(json_of(*parked, asked.payloads())) : details_of(*parked, asked.payloads()));
  return 0;
}

int export_all(const Asked& asked) {
  const auto lot = open_parking_lot(asked.store);
  ParkedFilter filter = filter_of(asked);
  filter.after = asked.after;
  bool any = false;
  for (;;) {
    const auto messages = lot->list(filter, page, Payloads::included);
    for (const Parked& parked : messages) write_out(line_of(json_of(parked, Payloads::included)));
    any = any || !messages.empty();
    if (messages.size() < page) break;
    filter.after = messages.back().message.number;
  }
  return any ? 0 : nothing(no_such(asked));
}

std::string messages_in_words(std::size_t number) {
  return std::to_string(number) + (number == 1 ? " message" : " messages");
}

/// What a command is to change.
struct Meant {
  ParkedFilter filter;
  std::vector<ParkedCount> counts;
  std::size_t messages = 0;
};

/// It must be said what, and somebody must be there to agree.
ParkedFilter filter_of_change(const std::string& command, const Asked& asked) {
  ParkedFilter filter = filter_of(asked);
  if (filter == ParkedFilter{})
    throw std::invalid_argument(command + ": say what: a NUMBER, or a filter (--consumer, --reason, --topic, --id, "
                                "--older-than, --newer-than)");
  if (!asked.dry_run && !asked.yes && !is_at_terminal())
    throw std::invalid_argument(command + ": nobody can be asked, for this is no terminal: add --yes, or --dry-run to see");
  return filter;
}

Meant look_for(ParkedFilter filter, ParkingLot& lot) {
  Meant meant{std::move(filter), {}, 0};
  meant.counts = lot.counts(meant.filter);
  meant.filter.up_to = 0;  // what is parked from now on was not meant
  for (const ParkedCount& count : meant.counts) {
    meant.messages += count.messages;
    meant.filter.up_to = std::max(meant.filter.up_to, count.last_number);
  }
  return meant;
}

int only_say(const std::string& verb, const std::string& done, const Meant& meant, const Asked& asked) {
  if (asked.json) write_out(line_of({{done, 0}, {"would_" + verb, meant.messages}}));
  else write_out("would " + verb + " " + messages_in_words(meant.messages) + " (" + summary_of(meant.counts) +
                 "); nothing was changed\n");
  return 0;
}

int drop(const Asked& asked) {
  ParkedFilter filter = filter_of_change("drop", asked);
  const auto lot = open_parking_lot(asked.store);
  const Meant meant = look_for(std::move(filter), *lot);
  if (meant.messages == 0) return nothing(no_such(asked));
  if (asked.dry_run) return only_say("drop", "dropped", meant, asked);
  if (!asked.yes && !agrees("Drop " + messages_in_words(meant.messages) + " (" + summary_of(meant.counts) + ") from " +
                            asked.store + "? Their ids stay remembered.")) {
    std::fputs("idem: nothing was dropped\n", stderr);
    return failed;
  }
  const std::size_t dropped = lot->drop(meant.filter, by_hand(asked.who, asked.why));
  if (asked.json) write_out(line_of({{"dropped", dropped}}));
  else write_out("dropped " + messages_in_words(dropped) + "; their ids stay remembered\n");
  return 0;
}

// A part at a time, each a transaction: whoever is stopped in the middle says the same again.
std::size_t redrive_all(const Meant& meant, ParkingLot& lot, const Asked& asked) {
  const ByHand by = by_hand(asked.who, asked.why);
  const Timestamp start = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  ParkedFilter filter = meant.filter;
  std::size_t redriven = 0;
  for (;;) {
    RedriveOptions options{.limit = messages_redriven_at_once, .due = start, .per_second = asked.per_second};
    if (asked.per_second > 0) *options.due += std::chrono::milliseconds(redriven * 1'000 / asked.per_second);
    Redriven part;
    try {
      part = lot.redrive(filter, by, options);
    } catch (const StoreError& e) {
      if (redriven == 0) throw;
      throw StoreError(std::string(e.what()) + "; " + messages_in_words(redriven) + " of " +
                           std::to_string(meant.messages) + " redriven before that: the same command goes on with the rest",
                       e.transient());
    }
    redriven += part.messages;
    if (part.messages < options.limit) return redriven;
    filter.after = part.last_number;
    std::fprintf(stderr, "redriven %zu of %zu\n", redriven, meant.messages);
  }
}

int redrive(const Asked& asked) {
  ParkedFilter filter = filter_of_change("redrive", asked);
  const auto lot = open_parking_lot(asked.store);
  const Meant meant = look_for(std::move(filter), *lot);
  if (meant.messages == 0) return nothing(no_such(asked));
  if (asked.dry_run) return only_say("redrive", "redriven", meant, asked);
  if (!asked.yes && !agrees("Redrive " + messages_in_words(meant.messages) + " (" + summary_of(meant.counts) + ") of " +
                            asked.store + "? The service handles them again when it starts.")) {
    std::fputs("idem: nothing was redriven\n", stderr);
    return failed;
  }
  const std::size_t redriven = redrive_all(meant, *lot, asked);
  if (asked.json) write_out(line_of({{"redriven", redriven}}));
  else write_out("redriven " + messages_in_words(redriven) + "; the service handles them again when it starts\n");
  return 0;
}

// --- Their options ------------------------------------------------------------------------------------------------

const CLI::Validator not_empty([](std::string& text) { return text.empty() ? "must not be empty" : std::string(); }, "");

class Command {
 public:
  Command(CLI::App& parked, const std::string& name, const std::string& what, int& code, int (*run)(const Asked&))
      : asked_(std::make_shared<Asked>()), app_(*parked.add_subcommand(name, what)) {
    app_.add_option("STORE", asked_->store, "the SQLite file of a service")->required()->check(not_empty);
    app_.callback([asked = asked_, &code, run] { code = run(*asked); });
  }

  CLI::Option* number() {
    return app_.add_option("NUMBER", asked_->number, "of one message, as list shows it")->check(CLI::PositiveNumber);
  }
  void filters() {
    text("--consumer", asked_->consumer, "of this consumer (RuntimeOptions::consumer)", "NAME");
    text("--reason", asked_->reason,
         "parked for this: dead_letter, attempts_exhausted, no_id, id_conflict, undecidable, unresolved", "REASON");
    text("--topic,--queue", asked_->topic, "from this Kafka topic or RabbitMQ queue", "NAME");
    text("--id", asked_->id, "with exactly this id", "ID");
    flag("--base64", asked_->base64, "the ID is base64, as --json shows ids that are not UTF-8");
    text("--older-than", asked_->older_than, "parked longer ago than this, or before this", "TIME");
    text("--newer-than", asked_->newer_than, "parked no longer ago than this, or not before this", "TIME");
  }
  void after() { app_.add_option("--after", asked_->after, "only numbers above this one")->type_name("NUMBER"); }
  void limit() {
    app_.add_option("--limit", asked_->limit, "this many at most (100)")
        ->type_name("COUNT")
        ->check(CLI::Range(std::size_t{1}, std::size_t{1'000'000}));
  }
  void changes() {
    number();
    filters();
    flag("--dry-run", asked_->dry_run, "only say how many it would be");
    flag("--yes", asked_->yes, "do not ask; needed where there is no terminal");
    text("--reason-why", asked_->why, "why, for the audit", "TEXT");
    text("--who", asked_->who, "who, for the audit (the login user)", "NAME");
    flag("--json", asked_->json, "for programs");
  }
  void per_second() {
    app_.add_option("--per-second", asked_->per_second,
                    "as many in a second at most, counted from now; what is overdue when the service starts comes at once")
        ->type_name("COUNT")
        ->check(CLI::Range(std::size_t{1}, std::size_t{1'000'000}));
  }
  CLI::Option* flag(const char* name, bool& member, const char* what) { return app_.add_flag(name, member, what); }
  void text(const char* name, std::string& member, const char* what, const char* type) {
    app_.add_option(name, member, what)->type_name(type)->check(not_empty);
  }
  void footer(const std::string& text) {
    app_.footer(text +
                "Exit code: 0 done; 1 it could not be done (no such file, not a store, owned by a service, …); 2 nothing "
                "matched; 3 usage.");
  }
  Asked& asked() { return *asked_; }

 private:
  const std::shared_ptr<Asked> asked_;
  CLI::App& app_;
};

constexpr const char* times =
    "A TIME is an age (3d, 12h, 90m, 45s) or a time in UTC (2026-11-28T10:15:00Z, 2026-11-28).\n";
constexpr const char* reading =
    "Changes nothing in the file. The service may be running: then what it has committed is shown. Files of an older "
    "idem are read as they are.\n";
constexpr const char* bytes =
    "In JSON, what is not UTF-8 is base64 under another name: key_base64 instead of key.\n";

}  // namespace

void add_parked(CLI::App& app, int& code) {
  CLI::App& parked = *app.add_subcommand(
      "parked", "The parking lot: what ended without an effect, throwing it away, and putting it back to work.");
  parked.require_subcommand(1);

  Command list_command(parked, "list", "Which messages are parked, and why.", code, list);
  list_command.filters();
  list_command.after();
  list_command.limit();
  list_command.flag("--count", list_command.asked().count, "only how many, for each consumer and reason");
  list_command.flag("--payload", list_command.asked().payload, "payloads too");
  list_command.flag("--json", list_command.asked().json, "for programs");
  list_command.footer(std::string(times) + reading + bytes);

  Command show_command(parked, "show", "All there is to say of one message.", code, show);
  show_command.number()->required();
  show_command.flag("--payload", show_command.asked().payload, "its payload too");
  show_command.flag("--json", show_command.asked().json, "for programs");
  show_command.footer(std::string(reading) + bytes);

  Command redrive_command(parked, "redrive", "Puts messages back to work, after asking: they are handled again.", code,
                          redrive);
  redrive_command.changes();
  redrive_command.per_second();
  redrive_command.footer(
      std::string(times) +
      "Needs a NUMBER or a filter, and a file that no service owns at the moment: its handlers get the messages when it "
      "starts. They come as a new generation of their ids: not taken for duplicates, attempts counted anew, in no order "
      "with others of their key. What fails again is parked again, under another number.\n"
      "Each message leaves a row in the store's table idem_audit, in the transaction that takes it out of the parking "
      "lot. A command that was stopped in the middle is given again: it goes on with what is left.\n");

  Command drop_command(parked, "drop", "Throws messages away, after asking. Their ids stay remembered.", code, drop);
  drop_command.changes();
  drop_command.footer(
      std::string(times) +
      "Needs a NUMBER or a filter, and a file that no service owns at the moment. Each message leaves a row in the "
      "store's table idem_audit, in the same transaction: who, when, why and which, without its payload.\n"
      "Dropping forgets no id: a copy of a dropped message that comes again is a duplicate and is not handled; a "
      "conflict that comes again is not parked again.\n");

  Command export_command(parked, "export", "Whole messages, payloads included, as JSON lines.", code, export_all);
  export_command.filters();
  export_command.after();
  export_command.footer(std::string(times) + reading + bytes);
}

}  // namespace idem::cli
