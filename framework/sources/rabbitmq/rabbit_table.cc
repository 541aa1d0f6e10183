#include "sources/rabbitmq/rabbit_table.h"

#include <charconv>
#include <cmath>
#include <string_view>

#include "rabbitmq/amqp_headers.h"

namespace idem::rabbit {
namespace {

/// Nothing meant for people nests deeper; what does is cut off rather than followed down the stack.
constexpr int deepest = 32;

template <class Number>
void append_number(std::string& out, Number number) {
  char digits[64];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, end);
}

void append_decimal(std::string& out, const amqp_decimal_t& decimal) {
  std::string digits;
  append_number(digits, decimal.value);
  if (decimal.decimals == 0) {
    out += digits;
    return;
  }
  if (digits.size() <= decimal.decimals) digits.insert(0, decimal.decimals + 1 - digits.size(), '0');
  digits.insert(digits.size() - decimal.decimals, 1, '.');
  out += digits;
}

// Bytes above 0x7f go through as they are: a string that is UTF-8 stays so, and no other one is guessed at.
void append_quoted(std::string& out, std::string_view text) {
  static constexpr char digits[] = "0123456789abcdef";
  out += '"';
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += "\\u00";
      out += digits[c >> 4];
      out += digits[c & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

/// Appends a plain value; false: it is a string, a container or nothing.
bool append_scalar(std::string& out, const amqp_field_value_t& field) {
  const auto& v = field.value;
  switch (field.kind) {
    case AMQP_FIELD_KIND_BOOLEAN: out += v.boolean ? "true" : "false"; return true;
    case AMQP_FIELD_KIND_I8: append_number(out, static_cast<int>(v.i8)); return true;
    case AMQP_FIELD_KIND_U8: append_number(out, static_cast<unsigned>(v.u8)); return true;
    case AMQP_FIELD_KIND_I16: append_number(out, v.i16); return true;
    case AMQP_FIELD_KIND_U16: append_number(out, v.u16); return true;
    case AMQP_FIELD_KIND_I32: append_number(out, v.i32); return true;
    case AMQP_FIELD_KIND_U32: append_number(out, v.u32); return true;
    case AMQP_FIELD_KIND_I64: append_number(out, v.i64); return true;
    case AMQP_FIELD_KIND_U64: append_number(out, v.u64); return true;
    case AMQP_FIELD_KIND_TIMESTAMP: append_number(out, v.u64); return true;
    case AMQP_FIELD_KIND_F32: append_number(out, v.f32); return true;
    case AMQP_FIELD_KIND_F64: append_number(out, v.f64); return true;
    case AMQP_FIELD_KIND_DECIMAL: append_decimal(out, v.decimal); return true;
    default: return false;
  }
}

void append_json(std::string& out, const amqp_field_value_t& field, int depth) {
  if (field.kind == AMQP_FIELD_KIND_ARRAY || field.kind == AMQP_FIELD_KIND_TABLE) {
    const bool table = field.kind == AMQP_FIELD_KIND_TABLE;
    if (depth == deepest) {
      out += table ? "{\"...\":null}" : "[\"...\"]";
      return;
    }
    const int count = table ? field.value.table.num_entries : field.value.array.num_entries;
    out += table ? '{' : '[';
    for (int i = 0; i < count; ++i) {
      if (i > 0) out += ',';
      if (table) {
        append_quoted(out, view(field.value.table.entries[i].key));
        out += ':';
      }
      append_json(out, table ? field.value.table.entries[i].value : field.value.array.entries[i], depth + 1);
    }
    out += table ? '}' : ']';
  } else if (field.kind == AMQP_FIELD_KIND_UTF8 || field.kind == AMQP_FIELD_KIND_BYTES) {
    append_quoted(out, view(field.value.bytes));
  } else {
    const auto before = out.size();
    if (!append_scalar(out, field)) out += "null";
    // JSON has no infinity and no NaN.
    if (field.kind == AMQP_FIELD_KIND_F32 || field.kind == AMQP_FIELD_KIND_F64)
      if (const char last = out.back(); last == 'f' || last == 'n' || last == ')') {
        const std::string word = out.substr(before);
        out.resize(before);
        append_quoted(out, word);
      }
  }
}

}  // namespace

bool append_text(std::string& out, const amqp_field_value_t& field) {
  if (field.kind == AMQP_FIELD_KIND_UTF8 || field.kind == AMQP_FIELD_KIND_BYTES) {
    out += view(field.value.bytes);
    return true;
  }
  if (field.kind == AMQP_FIELD_KIND_ARRAY || field.kind == AMQP_FIELD_KIND_TABLE) {
    append_json(out, field, 0);
    return true;
  }
  return append_scalar(out, field);
}

}  // namespace idem::rabbit
