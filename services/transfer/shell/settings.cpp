#include <charconv>
#include <fstream>
#include <sstream>

#include "transfer/limits.hpp"
#include "transfer/shell/service.hpp"

namespace fieldwork::transfer {
namespace {

// An error in a file that a setting names, with the setting as its path.
Error in_setting(runtime::Config& config, const std::string& key, const Error& error) {
  return Error{Code::invalid, describe(error), config.origin(key)};
}

Result<crypto::Certificate> load_certificate(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  auto certificate = crypto::Certificate::from_pem(text.str());
  if (!certificate) return Error{Code::invalid, certificate.error().reason, path};
  return certificate;
}

struct Paths {
  std::string directory, device_ca, operator_ca, releases, certificate, key;
};

Result<Settings> load(runtime::Config& config, const Paths& paths) {
  auto store = ContentStore::open(paths.directory);
  if (!store) return in_setting(config, "transfer.directory", store.error());
  auto device_ca = crypto::CertificateAuthority::load(paths.device_ca);
  if (!device_ca) return in_setting(config, "transfer.device_ca", device_ca.error());
  auto operator_ca = crypto::CertificateAuthority::load(paths.operator_ca);
  if (!operator_ca) return in_setting(config, "transfer.operator_ca", operator_ca.error());
  auto releases = crypto::TrustStore::load(paths.releases);
  if (!releases) return in_setting(config, "transfer.releases", releases.error());
  auto certificate = load_certificate(paths.certificate);
  if (!certificate) return in_setting(config, "broker.certificate", certificate.error());
  auto key = crypto::PrivateKey::load(paths.key);
  if (!key) return in_setting(config, "broker.key", key.error());
  if (!(key->public_key() == certificate->public_key())) {
    return Error{Code::invalid, "is not the key of broker.certificate", config.origin("broker.key")};
  }
  return Settings{.store = std::move(*store),
                  .device_ca = std::move(*device_ca),
                  .operator_ca = std::move(*operator_ca),
                  .releases = std::move(*releases),
                  .certificate = std::move(*certificate),
                  .key = std::move(*key)};
}

// transfer.site_bit_per_s.SITE = …
Result<std::map<std::string, std::int64_t>> read_sites(runtime::Config& config) {
  std::map<std::string, std::int64_t> out;
  for (const auto& [site, text] : config.table("transfer.site_bit_per_s")) {
    const auto* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, out[site]);
    if (error != std::errc() || rest != end || out[site] < 0)
      return Error{Code::invalid, "must be a number of bit/s, 0 or more",
                   config.origin("transfer.site_bit_per_s." + site)};
  }
  return out;
}

}  // namespace

Result<Settings> read_settings(runtime::Config& config) {
  const Paths paths{config.text("transfer.directory"),   config.text("transfer.device_ca"),
                    config.text("transfer.operator_ca"), config.text("transfer.releases"),
                    config.text("broker.certificate"),   config.text("broker.key")};
  Limits limits;
  limits.content_bytes_max =
      config.integer("transfer.package_bytes_max", limits.content_bytes_max, 1, std::int64_t{1} << 50);
  limits.slots_max = static_cast<std::size_t>(config.integer("transfer.transfers_max", 1000, 1, 100'000));
  limits.device_outputs_max =
      static_cast<std::size_t>(config.integer("transfer.device_outputs_max", 10'000, 0, 1'000'000));
  limits.device_output_bytes_max =
      config.integer("transfer.device_output_bytes_max", limits.device_output_bytes_max, 0, std::int64_t{1} << 60);
  limits.nameless_kept = std::chrono::hours(24 * config.integer("transfer.outputs_kept_days", 30, 1, 36'500));
  limits.package_versions_kept =
      static_cast<std::size_t>(config.integer("transfer.package_versions_kept", 0, 0, 1'000'000));
  limits.package_unused = std::chrono::hours(24 * config.integer("transfer.packages_unused_days", 30, 1, 36'500));
  limits.encodings_bytes_max =
      config.integer("transfer.encodings_bytes_max", limits.encodings_bytes_max, 0, std::int64_t{1} << 50);
  limits.ahead_bytes_max = config.integer("transfer.ahead_bytes_max", 256 << 20, 0, std::int64_t{1} << 40);
  limits.bit_per_s_max = config.integer("transfer.bit_per_s_max", 0, 0, bit_per_s_max);
  limits.site_bit_per_s_max = config.integer("transfer.site_bit_per_s_max", 0, 0, bit_per_s_max);
  auto sites = read_sites(config);
  if (!sites) return sites.error();
  limits.sites = std::move(*sites);
  const auto window_bytes = config.integer("transfer.window_bytes", 4 << 20, 16'384, 1 << 28);
  const auto frame_bytes = config.integer("transfer.frame_bytes_max", 256 * 1024, 4096, 512 * 1024);
  const auto threads = config.integer("transfer.encoding_threads", 1, 1, 64);
  auto public_packages = PublicPackages::parse(config.text("transfer.public_packages", ""));
  if (auto good = config.finish(); !good) return good.error();
  if (!public_packages) return in_setting(config, "transfer.public_packages", public_packages.error());
  auto settings = load(config, paths);
  if (!settings) return settings.error();
  settings->limits = std::move(limits);
  settings->public_packages = std::move(*public_packages);
  settings->frame_bytes_max = static_cast<std::uint32_t>(frame_bytes);
  settings->encoding_threads = static_cast<int>(threads);
  settings->window_bytes = static_cast<std::uint64_t>(window_bytes);
  return settings;
}

}  // namespace fieldwork::transfer
