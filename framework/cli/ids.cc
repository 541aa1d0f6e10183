// idem ids: is this id remembered? ParkingLot::look_up() from a command line.
#include <idem/parking_lot.h>

#include <memory>

#include "cli/base64.h"
#include "cli/command.h"
#include "cli/parked_view.h"
#include "cli/printable.h"
#include "cli/store_file.h"
#include "cli/table.h"
#include "cli/times.h"

namespace idem::cli {
namespace {

struct Asked {
  std::string store, consumer, id;
  bool base64 = false, json = false;
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
  const std::string id = asked.base64 ? from_base64(asked.id) : asked.id;
  const RememberedId found = open_parking_lot(asked.store)->look_up(asked.consumer, id);
  write_out(asked.json ? line_of(json_of(asked, id, found)) : text_of(asked, id, found));
  return found.state == RememberedId::State::not_remembered ? nothing_matched : 0;
}

}  // namespace

void add_ids(CLI::App& app, int& code) {
  const auto asked = std::make_shared<Asked>();
  CLI::App& ids = *app.add_subcommand("ids", "What a store remembers messages by.");
  ids.require_subcommand(1);
  CLI::App& show_command = *ids.add_subcommand("show", "Is this id remembered, since when, and how did it end?");
  show_command.add_option("STORE", asked->store, "the SQLite file of a service")->required();
  show_command.add_option("ID", asked->id, "the whole id, byte for byte; behind -- if it begins with a dash")->required();
  show_command.add_option("--consumer", asked->consumer, "whose memory (RuntimeOptions::consumer)")
      ->type_name("NAME")
      ->required();
  show_command.add_flag("--base64", asked->base64, "the ID is base64, as --json shows ids that are not UTF-8");
  show_command.add_flag("--json", asked->json, "for programs");
  show_command.footer(
      "States: done (a copy is a duplicate), parked (the same; its message was parked, also if it has been dropped "
      "since), returning (the same; its message was put off, or redriven, and is handled when it is due), claimed (an "
      "ExternalHandler's call may have been made), not remembered (never seen, or forgotten).\n"
      "The generation is the stretch of stream time whose ids are forgotten together.\n"
      "Changes nothing in the file. The service may be running: then what it has committed is shown.\n"
      "Exit code: 0 it is remembered or claimed; 1 it could not be asked; 2 it is not remembered; 3 usage.");
  show_command.callback([asked, &code] { code = show(*asked); });
}

}  // namespace idem::cli
