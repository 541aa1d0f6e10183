// How parked messages are shown: to people as a table or one by one, to programs as JSON.
//
// For people everything is printable(). In JSON, bytes that are no UTF-8 are base64 under another name: "key_base64"
// instead of "key". What is not ASCII is escaped.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <idem/parking_lot.h>

namespace idem::cli {

using Json = nlohmann::ordered_json;

/// object[name] or object[name + "_base64"].
void put_bytes(Json& object, const std::string& name, std::string_view bytes);
/// As one line.
std::string line_of(const Json& json);

/// With its payload if it was asked for.
Json json_of(const Parked& parked, Payloads payloads);
Json json_of(const ParkedCount& count);

std::string table_of(const std::vector<Parked>& messages, Payloads payloads);
std::string table_of(const std::vector<ParkedCount>& counts);
/// One message, a line for each thing there is to say of it.
std::string details_of(const Parked& parked, Payloads payloads);
/// "3 dead_letter, 1 no_id".
std::string summary_of(const std::vector<ParkedCount>& counts);

}  // namespace idem::cli
