// idem ids: is this id remembered, and letting it through again. ParkingLot::look_up() and forget() from a command line.
#include <idem/parking_lot.h>

#include <cstdio>
#include <memory>
#include <stdexcept>

#include "cli/base64.h"
#include "cli/command.h"
#include "cli/parked_view.h"
#include "cli/person.h"
#include "cli/printable.h"
#include "cli/store_file.h"
#include "cli/table.h"
#include "cli/times.h"

namespace idem::cli {
namespace {

struct Asked {
  std::string store, consumer, id_as_given;
  bool base64 = false, json = false, yes = false;
  std::string who, why;

  std::string id() const { return base64 ? from_base64(id_as_given) : id_as_given; }
};

constexpr std::size_t longest_line = 1'000;

Json json_of(const Asked& asked, const std::string& id, const RememberedId& found) {
  const auto time = [](const std::optional<Timestamp>& t) { return t ? Json(in_utc(*t)) : Json(nullptr); };
  Json json;
  put_bytes(json, "consumer", asked.consumer);
  put_bytes(json, "id", id);
  json["state"] = to_string(found.state);
  json["generation"] = found.generation ? Json(*found.generation) : Json(nullptr);
  json["from"] = time(found.from);
  json["to"] = time(found.to);
  json["parked"] = found.parked;
  json["dropped"] = found.dropped;
  json["redriven"] = found.redriven;
  json["returns_at"] = time(found.returns_at);
  json["forgotten_until"] = time(found.forgotten_until);
  return json;
}

std::string joined(const std::vector<std::int64_t>& numbers) {
  std::string text;
  for (const std::int64_t number : numbers) text += (text.empty() ? "" : ", ") + std::to_string(number);
  return text;
}

std::string text_of(const Asked& asked, const std::string& id, const RememberedId& found) {
  std::string text;
  const auto line = [&](const std::string& name, const std::string& value) { text += named_line(name, value, 12); };
  const auto time = [](const std::optional<Timestamp>& t) { return t ? in_utc(*t) : std::string("?"); };
  line("id", printable(id, longest_line));
  line("consumer", printable(asked.consumer, longest_line));
  line("state", std::string(to_string(found.state)));
  if (found.generation)
    line("generation", std::to_string(*found.generation) + ": messages from " + time(found.from) + " to " + time(found.to));
  if (!found.parked.empty()) line("parked as", joined(found.parked));
  if (!found.dropped.empty()) line("dropped as", joined(found.dropped));
  if (!found.redriven.empty()) line("redriven as", joined(found.redriven));
  if (found.returns_at) line("returns at", in_utc(*found.returns_at));
  if (found.state == RememberedId::State::not_remembered && found.forgotten_until)
    line("forgotten", "ids of messages up to " + in_utc(*found.forgotten_until));
  return text;
}

int show(const Asked& asked) {
  const std::string id = asked.id();
  const RememberedId found = open_parking_lot(asked.store)->look_up(asked.consumer, id);
  write_out(asked.json ? line_of(json_of(asked, id, found)) : text_of(asked, id, found));
  return found.state == RememberedId::State::not_remembered ? nothing_matched : 0;
}

bool can_be_forgotten(const RememberedId& found) {
  return found.state == RememberedId::State::done || found.state == RememberedId::State::parked;
}

std::string why_not(const Asked& asked, const RememberedId& found) {
  const std::string id = "the id " + printable(asked.id(), longest_line);
  switch (found.state) {
    case RememberedId::State::claimed:
      return id + " is claimed: the next message of it is handled as it is, and told that a call may have been made";
    case RememberedId::State::returning:
      return id + " cannot be forgotten: a message of it comes back by itself and is handled then (idem ids show says when)";
    case RememberedId::State::forgotten: return id + " is forgotten already: the next message of it is handled";
    default: return id + " is not remembered: a message of it is handled as it is";
  }
}

// Asked for first, and then done: between the two nothing can change it, or the service has the file and it is refused.
int forget(const Asked& asked) {
  if (!asked.yes && !is_at_terminal())
    throw std::invalid_argument("forget: nobody can be asked, for this is no terminal: add --yes");
  const auto lot = open_parking_lot(asked.store);
  RememberedId found = lot->look_up(asked.consumer, asked.id());
  if (!can_be_forgotten(found)) return nothing(why_not(asked, found));
  if (!asked.yes && !agrees(text_of(asked, asked.id(), found) + "Forget it? The next message of it has its effect again.")) {
    std::fputs("idem: nothing was forgotten\n", stderr);
    return failed;
  }
  found = lot->forget(asked.consumer, asked.id(), by_hand(asked.who, asked.why));
  if (!can_be_forgotten(found)) return nothing(why_not(asked, found));
  if (asked.json) write_out(line_of({{"forgotten", 1}, {"was", to_string(found.state)}}));
  else write_out("forgotten; it was " + std::string(to_string(found.state)) + ". The next message of it is handled\n");
  return 0;
}

// --- Their options ------------------------------------------------------------------------------------------------

std::shared_ptr<Asked> command(CLI::App& ids, const char* name, const char* what, const std::string& footer, int& code,
                               int (*run)(const Asked&), CLI::App*& app) {
  const auto asked = std::make_shared<Asked>();
  app = ids.add_subcommand(name, what);
  app->add_option("STORE", asked->store, "the SQLite file of a service")->required();
  app->add_option("ID", asked->id_as_given, "the whole id, byte for byte; behind -- if it begins with a dash")->required();
  app->add_option("--consumer", asked->consumer, "whose memory (RuntimeOptions::consumer)")->type_name("NAME")->required();
  app->add_flag("--base64", asked->base64, "the ID is base64, as --json shows ids that are not UTF-8");
  app->add_flag("--json", asked->json, "for programs");
  app->footer(footer);
  app->callback([asked, &code, run] { code = run(*asked); });
  return asked;
}

}  // namespace

void add_ids(CLI::App& app, int& code) {
  CLI::App& ids = *app.add_subcommand("ids", "What a store remembers messages by.");
  ids.require_subcommand(1);
  CLI::App* made = nullptr;
  command(ids, "show", "Is this id remembered, since when, and how did it end?",
          "States: done (a copy is a duplicate), parked (the same; its message was parked, also if it has been dropped "
          "since), returning (the same; its message was put off, or redriven, and is handled when it is due), claimed (an "
          "ExternalHandler's call may have been made), forgotten (by idem ids forget, and no message of it has come since), "
          "not remembered (never seen, or forgotten with its generation).\n"
          "The generation is the stretch of stream time whose ids are forgotten together.\n"
          "Changes nothing in the file. The service may be running: then what it has committed is shown.\n"
          "Exit code: 0 it is remembered, claimed or forgotten; 1 it could not be asked; 2 it is not remembered; 3 usage.",
          code, show, made);
  const auto asked = command(
      ids, "forget", "Lets an id through again, after asking: the next message of it is handled.",
      "For an id that is done or parked, and a file that no service owns at the moment. What was done is not undone, and "
      "parked messages stay where they are. The next message of the id is handled, whatever its content and however late it "
      "comes; the one after that is a duplicate again. An ExternalHandler is told that a call may have been made, under the "
      "same key: whoever tells copies by it must forget it too. Kafka's offsets are not touched: the id has to come in a new "
      "message.\n"
      "It leaves a row in the store's table idem_audit, in the same transaction: who, when, why and which.\n"
      "Exit code: 0 forgotten; 1 it could not be done (owned by a service, of an older schema, …); 2 there was nothing to "
      "forget; 3 usage.",
      code, forget, made);
  made->add_flag("--yes", asked->yes, "do not ask; needed where there is no terminal");
  made->add_option("--reason-why", asked->why, "why, for the audit")->type_name("TEXT");
  made->add_option("--who", asked->who, "who, for the audit (the login user)")->type_name("NAME");
}

}  // namespace idem::cli
