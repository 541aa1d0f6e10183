// rabbitmq-c's headers, wherever this version keeps them: they moved with 0.12, and the old names complain since.
// And its strings as ours. For .cc files only.
#pragma once

#include <string>
#include <string_view>

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#include <rabbitmq-c/ssl_socket.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#endif

namespace idem::rabbit {

/// Borrowed: rabbitmq-c only reads it.
inline amqp_bytes_t bytes(std::string_view text) { return {text.size(), const_cast<char*>(text.data())}; }
inline std::string_view view(const amqp_bytes_t& bytes) { return {static_cast<const char*>(bytes.bytes), bytes.len}; }
inline std::string text(const amqp_bytes_t& bytes) { return std::string(view(bytes)); }

}  // namespace idem::rabbit
