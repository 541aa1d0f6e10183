// idem: looks after what idem's services run on.
//
// Exit codes: 0, 1 and 2 are the subcommand's own (see its --help), 3 is a usage error.
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <exception>
#include <stdexcept>
#include <system_error>

#include <idem/store.h>

#include "cli/command.h"
#include "cli/printable.h"

namespace {

/// One line: what it complains of may have been chosen by somebody else.
int complain(const std::exception& error, int code) {
  std::fprintf(stderr, "idem: %s\n", idem::cli::printable(error.what()).c_str());
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  // What the libraries log is not the program's output.
  spdlog::set_default_logger(spdlog::stderr_logger_st("idem"));
  CLI::App app("Looks after what idem's message consumers run on.", "idem");
  app.set_version_flag("--version", "idem " IDEM_VERSION);
  app.require_subcommand(1);
  int code = 0;
  idem::cli::add_doctor(app, code);
  idem::cli::add_ids(app, code);
  idem::cli::add_parked(app, code);
  try {
    app.parse(argc, argv);
    return code;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : idem::cli::usage_error;  // --help and --version end this way too
  } catch (const idem::StoreError& error) {
    return complain(error, idem::cli::failed);
  } catch (const std::system_error& error) {
    return complain(error, idem::cli::failed);
  } catch (const std::exception& error) {
    return complain(error, idem::cli::usage_error);
  }
}
