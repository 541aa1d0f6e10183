// Arguments and headers in the form that rabbitmq-c wants.
#pragma once

#include <vector>

#include <idem/rabbitmq_topology.h>

struct amqp_table_t_;
struct amqp_table_entry_t_;

namespace idem::rabbit {

/// Borrows the names and strings.
class ArgumentTable {
 public:
  explicit ArgumentTable(const RabbitArguments& arguments);
  ~ArgumentTable();
  ArgumentTable(const ArgumentTable&) = delete;
  ArgumentTable& operator=(const ArgumentTable&) = delete;

  /// Valid as long as this is.
  amqp_table_t_ get();

 private:
  std::vector<amqp_table_entry_t_> entries_;
};

}  // namespace idem::rabbit
