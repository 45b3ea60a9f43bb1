#include <sys/resource.h>

#include "transfer/shell/service.hpp"

namespace {

// Each live transfer holds a file open.
void raise_file_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace fieldwork;
  raise_file_limit();
  return runtime::service_main(argc, argv,
                               {.name = "transfer",
                                .description = "Keeps packages and outputs, and moves them to and from devices.",
                                .migrations = "transfer",
                                .make = [](runtime::Config& config, const std::string& root,
                                           runtime::Post post) -> Result<std::unique_ptr<runtime::Service>> {
                                  auto settings = transfer::read_settings(config);
                                  if (!settings) return settings.error();
                                  return std::unique_ptr<runtime::Service>(
                                      new transfer::TransferService(root, std::move(*settings), std::move(post)));
                                }});
}
