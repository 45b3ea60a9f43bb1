#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <nlohmann/json.hpp>

#include "codec/transfer.hpp"
#include "commands/commands.hpp"
#include "content/archive.hpp"
#include "crypto/jws.hpp"
#include "output.hpp"
#include "set_words.hpp"
#include "upload.hpp"

namespace fieldwork::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t version_digits = 12;

// A directory of this command's own. It is removed at the end of the command; after a kill, by the next push.
class Workspace {
 public:
  Workspace() {
    const auto place = fs::temp_directory_path(error_);
    remove_left(place);
    auto pattern = (place / "fieldwork-push-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) return;
    path_ = pattern;
    lock_ = open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock_ >= 0) flock(lock_, LOCK_EX | LOCK_NB);
  }
  ~Workspace() {
    if (!path_.empty()) fs::remove_all(path_, error_);
    if (lock_ >= 0) close(lock_);
  }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  // A running command holds the lock of its directory; a directory that was just made may not be locked yet.
  static void remove_left(const fs::path& place) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(place, error)) {
      if (!entry.path().filename().string().starts_with("fieldwork-push-")) continue;
      const int file = open(entry.path().c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      if (file < 0) continue;
      struct stat status {};
      const bool ours = fstat(file, &status) == 0 && status.st_uid == geteuid() && time(nullptr) - status.st_mtime > 60;
      if (ours && flock(file, LOCK_EX | LOCK_NB) == 0) fs::remove_all(entry.path(), error);
      close(file);
    }
  }

  fs::path path_;
  int lock_ = -1;
  std::error_code error_;
};

Outcome<crypto::PrivateKey> load_key(const Settings& settings) {
  if (settings.release_key.empty()) {
    return Failure{Exit::usage,
                   "release.key is not set: the key that signs releases. Put its path in the settings file, in "
                   "FIELDWORK_RELEASE_KEY or in --set release.key=…"};
  }
  auto key = crypto::PrivateKey::load(settings.release_key);
  if (!key) return Failure{Exit::usage, settings.release_key_origin + ": " + describe(key.error())};
  return std::move(*key);
}

Outcome<Packed> pack(const PushArguments& arguments, const crypto::PrivateKey& key, const fs::path& place) {
  auto needs = needs_of(arguments.needs);
  if (!needs) return needs.failure();
  Packed out{.path = place / "package.tar", .name = arguments.name, .version = arguments.version};
  const PackageAbout given{arguments.architecture, arguments.entry, *needs};
  auto packed = content::pack_package(arguments.path, out.path, given);
  if (!packed) return Failure{Exit::usage, "cannot pack " + arguments.path + ": " + describe(packed.error())};
  out.digest = packed->digest;
  out.architecture = packed->about.architecture;
  if (out.version.empty()) out.version = out.digest.substr(7, version_digits);
  std::error_code error;
  out.size_bytes = static_cast<std::int64_t>(fs::file_size(out.path, error));
  out.release = crypto::sign_jws(
      key, "fieldwork-release+jws",
      codec::encode(codec::Release{out.digest, out.size_bytes, out.name, out.version, now_ms(), packed->about}));
  return out;
}

}  // namespace

Outcome<Pushed> push(const Options& options, const PushArguments& arguments) {
  const bool versioned = arguments.version_of_content || !arguments.version.empty();
  if (arguments.name.empty() || !versioned || arguments.name.find('@') != std::string::npos)
    return Failure{Exit::usage, "--name and --version must not be empty, and a name holds no '@'"};
  auto settings = load_settings(options);
  if (!settings) return settings.failure();
  auto key = load_key(*settings);
  if (!key) return key.failure();
  auto session = Session::open(*settings, {}, options);  // before packing, which may take long
  if (!session) return session.failure();
  const Workspace workspace;
  if (workspace.path().empty())
    return Failure{Exit::failed, "cannot make a directory in " + fs::temp_directory_path().string() + " (TMPDIR)"};
  auto packed = pack(arguments, *key, workspace.path());
  if (!packed) return packed.failure();

  const auto silence =
      options.timeout_s ? std::chrono::ceil<std::chrono::seconds>(options.timeout()) : std::chrono::seconds(60);
  Progress progress;
  auto sent = upload(**session, *packed, silence, progress);
  progress.clear();
  if (!sent) return sent.failure();
  return Pushed{packed->digest, packed->version, packed->size_bytes, *sent, packed->architecture};
}

int package_push(const Options& options, const PushArguments& arguments) {
  auto pushed = push(options, arguments);
  if (!pushed) return end(pushed.failure());
  if (pushed->bytes_sent == 0) say("the service has this content already");
  if (options.json) {
    codec::Json out{{"digest", pushed->digest}, {"size_bytes", pushed->size_bytes}, {"state", "stored"},
                    {"name", arguments.name},   {"version", arguments.version},     {"bytes_sent", pushed->bytes_sent}};
    if (!pushed->architecture.empty()) out["architecture"] = pushed->architecture;
    print_json(out);
  } else {
    print(pushed->digest + "\n");
  }
  return 0;
}

}  // namespace fieldwork::cli
