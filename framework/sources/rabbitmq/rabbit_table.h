// Values of AMQP's typed header tables, as text.
#pragma once

#include <string>

struct amqp_field_value_t_;

namespace idem::rabbit {

/// Appends the value: strings and byte arrays as they are, numbers in decimal, timestamps as seconds since 1970, tables
/// and arrays as JSON. False: it has none (void).
bool append_text(std::string& out, const amqp_field_value_t_& value);

}  // namespace idem::rabbit
