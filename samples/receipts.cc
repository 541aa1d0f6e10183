// Mails a receipt for each payment in Kafka, through a mail service that is called over HTTP. A mail cannot be taken back,
// so it cannot commit with anything: whenever this dies, a call may be repeated, with the same key and after asking.
//
//   receipts BOOTSTRAP_SERVERS MAIL_SERVICE STORE_DB        (MAIL_SERVICE: such as http://localhost:8025)
//
// Called are POST /mails with an Idempotency-Key, and GET /mails/KEY, which tells whether there was such a mail.
#include <httplib.h>
#include <idem/idem.h>

#include <cstdio>
#include <exception>
#include <memory>

#include "payment.h"

class MailReceipt : public idem::ExternalHandler {
 public:
  explicit MailReceipt(const std::string& service) : service_(service) {
    service_.set_keep_alive(true);
    service_.set_read_timeout(std::chrono::seconds(10));  // a call that hangs would hold up its account until it returns
  }

  idem::Outcome handle(const idem::Message& message, const idem::Attempt& attempt) override {
    const auto payment = Payment::parse(message.text());
    if (!payment) return idem::dead_letter("not a payment");

    const httplib::Headers headers{{"Idempotency-Key", std::string(attempt.key)}};
    const std::string mail = "to account " + std::to_string(payment->account) + ": we have booked payment " +
                             std::string(message.id) + ", " + std::to_string(payment->cents) + " cents";
    const auto answer = service_.Post("/mails", headers, mail, "text/plain");
    if (!answer) return idem::retry("no answer: " + httplib::to_string(answer.error()));  // it may have been sent
    if (answer->status == 201) return idem::done();
    const std::string status = "the mail service answered " + std::to_string(answer->status);
    return answer->status == 400 ? idem::dead_letter(status) : idem::retry(status);
  }

  // Not "not executed" when there is none yet: the call of a process that died may still be on its way.
  idem::Resolution resolve(const idem::Message&, const idem::Attempt& attempt) override {
    const auto answer = service_.Get("/mails/" + std::string(attempt.key));
    return answer && answer->status == 200 ? idem::Resolution::executed : idem::Resolution::unknown;
  }

 private:
  httplib::Client service_;
};

int main(int argc, char** argv) try {
  using namespace std::chrono_literals;
  if (argc != 4) return std::fprintf(stderr, "usage: receipts BOOTSTRAP_SERVERS MAIL_SERVICE STORE_DB\n"), 2;

  idem::SqliteStore store({.path = argv[3], .wait_for_owner = 10s});
  idem::KafkaSource payments({.topics = {"payments"},
                              .properties = {{"bootstrap.servers", argv[1]}, {"group.id", "receipts"}},
                              .mode = idem::KafkaOptions::Mode::fixed});
  idem::Runtime runtime({.consumer = "receipts",
                         .identity = idem::id_from_header("payment-id"),
                         .ordering = idem::Ordering::by_key,
                         .workers = 8});  // they wait for answers
  const auto make_handler = [&] { return std::make_unique<MailReceipt>(argv[2]); };  // each worker has a connection
  runtime.add(payments, store, idem::ExternalHandlerFactory(make_handler));
  return runtime.run_until_signal();
} catch (const std::exception& error) {
  std::fprintf(stderr, "receipts: %s\n", error.what());
  return 1;
}
