#include "cli/parked_view.h"

#include <cstdint>
#include <map>

#include "cli/base64.h"
#include "cli/printable.h"
#include "cli/table.h"
#include "cli/times.h"
#include "cli/utf8.h"

namespace idem::cli {
namespace {

// Of a table's columns; a message that is shown alone may take more.
constexpr std::size_t longest_cell = 40, longest_line = 1'000;

void put_bytes(Json& object, const std::string& name, const std::optional<std::string>& bytes) {
  if (bytes) cli::put_bytes(object, name, *bytes);
  else object[name] = nullptr;
}

std::string place_of(const ParkedMessage& m, std::size_t longest) {
  return printable(m.partition.topic, longest) + "[" + std::to_string(m.partition.partition) + "]@" + std::to_string(m.offset);
}

std::string size_of(const Parked& parked) {
  return parked.payload_bytes ? std::to_string(*parked.payload_bytes) : "null";
}

std::string or_none(const std::optional<std::string>& bytes, std::size_t longest) {
  return bytes ? printable(*bytes, longest) : "(none)";
}

/// What is cut says how much it is.
std::string whole_or_cut(const std::optional<std::string>& bytes) {
  std::string text = or_none(bytes, longest_line);
  if (text.ends_with("…") && !bytes->ends_with("…"))
    text += " (" + std::to_string(bytes->size()) + " bytes; --json shows them)";
  return text;
}

}  // namespace

void put_bytes(Json& object, const std::string& name, std::string_view bytes) {
  if (is_utf8(bytes)) object[name] = bytes;
  else object[name + "_base64"] = to_base64(bytes);
}

std::string line_of(const Json& json) { return json.dump(-1, ' ', /*ensure_ascii=*/true) + "\n"; }

Json json_of(const Parked& parked, Payloads payloads) {
  const ParkedMessage& m = parked.message;
  Json json;
  json["number"] = m.number;
  put_bytes(json, "consumer", std::string_view(parked.consumer));
  json["reason"] = to_string(m.reason);
  put_bytes(json, "why", std::string_view(m.why));
  json["attempts"] = m.attempts;
  json["parked_at"] = in_utc(m.parked_at);
  put_bytes(json, "topic", std::string_view(m.partition.topic));
  json["partition"] = m.partition.partition;
  json["offset"] = m.offset;
  json["timestamp"] = m.timestamp ? Json(in_utc(*m.timestamp)) : Json(nullptr);
  put_bytes(json, "id", std::string_view(m.id));
  put_bytes(json, "key", m.key);
  json["headers"] = Json::array();
  for (const auto& [name, value] : m.headers) {
    Json header;
    put_bytes(header, "name", std::string_view(name));
    put_bytes(header, "value", value);
    json["headers"].push_back(std::move(header));
  }
  json["payload_bytes"] = parked.payload_bytes ? Json(*parked.payload_bytes) : Json(nullptr);
  if (payloads == Payloads::included) put_bytes(json, "payload", m.payload);
  return json;
}

Json json_of(const ParkedCount& count) {
  Json json;
  put_bytes(json, "consumer", std::string_view(count.consumer));
  json["reason"] = to_string(count.reason);
  json["messages"] = count.messages;
  return json;
}

std::string table_of(const std::vector<Parked>& messages, Payloads payloads) {
  std::vector<std::string> head{"NUMBER", "PARKED AT (UTC)", "CONSUMER", "REASON", "FROM",
                                "ID",     "ATTEMPTS",        "BYTES",    "WHY"};
  if (payloads == Payloads::included) head.emplace_back("PAYLOAD");
  Table table(head);
  for (const Parked& parked : messages) {
    const ParkedMessage& m = parked.message;
    std::vector<std::string> cells{std::to_string(m.number),
                                   in_utc(m.parked_at),
                                   printable(parked.consumer, longest_cell),
                                   std::string(to_string(m.reason)),
                                   place_of(m, longest_cell),
                                   printable(m.id, longest_cell),
                                   std::to_string(m.attempts),
                                   size_of(parked),
                                   printable(m.why, longest_cell)};
    if (payloads == Payloads::included) cells.push_back(or_none(m.payload, longest_cell));
    table.add(std::move(cells));
  }
  return table.text();
}

std::string table_of(const std::vector<ParkedCount>& counts) {
  Table table({"CONSUMER", "REASON", "MESSAGES"});
  for (const ParkedCount& count : counts)
    table.add({printable(count.consumer, longest_cell), std::string(to_string(count.reason)),
               std::to_string(count.messages)});
  return table.text();
}

std::string details_of(const Parked& parked, Payloads payloads) {
  const ParkedMessage& m = parked.message;
  std::string text;
  const auto line = [&](const std::string& name, const std::string& value) { text += named_line(name, value, 11); };
  line("number", std::to_string(m.number));
  line("consumer", whole_or_cut(parked.consumer));
  line("reason", std::string(to_string(m.reason)));
  line("why", whole_or_cut(m.why));
  line("attempts", std::to_string(m.attempts));
  line("parked at", in_utc(m.parked_at));
  line("from", place_of(m, longest_line));
  line("timestamp", m.timestamp ? in_utc(*m.timestamp) : "(none)");
  line("id", m.id.empty() ? "(none)" : whole_or_cut(m.id));
  line("key", whole_or_cut(m.key));
  for (const auto& [name, value] : m.headers)
    line("header", printable(name, longest_line) + ": " + whole_or_cut(value));
  if (payloads == Payloads::included) line("payload", whole_or_cut(m.payload));
  else line("payload", parked.payload_bytes ? size_of(parked) + " bytes (--payload shows them)" : "(none)");
  return text;
}

std::string summary_of(const std::vector<ParkedCount>& counts) {
  std::map<ParkReason, std::size_t> by_reason;
  for (const ParkedCount& count : counts) by_reason[count.reason] += count.messages;
  std::string text;
  for (const auto& [reason, messages] : by_reason)
    text += (text.empty() ? "" : ", ") + std::to_string(messages) + " " + std::string(to_string(reason));
  return text;
}

}  // namespace idem::cli
