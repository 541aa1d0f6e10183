// idem: looks after what idem's services run on.
//
// Exit codes: 0, 1 and 2 are the subcommand's own (idem doctor --help), 3 is a usage error.
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <exception>
#include <stdexcept>

#include "cli/command.h"

int main(int argc, char** argv) {
  // What the libraries log is not the program's output.
  spdlog::set_default_logger(spdlog::stderr_logger_st("idem"));
  CLI::App app("Looks after what idem's message consumers run on.", "idem");
  app.set_version_flag("--version", "idem " IDEM_VERSION);
  app.require_subcommand(1);
  int code = 0;
  idem::cli::add_doctor(app, code);
  try {
    app.parse(argc, argv);
    return code;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : idem::cli::usage_error;  // --help and --version end this way too
  } catch (const std::exception& error) {
    std::fprintf(stderr, "idem: %s\n", error.what());
    return idem::cli::usage_error;
  }
}
