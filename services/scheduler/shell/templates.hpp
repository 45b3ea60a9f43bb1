// The templates that the scheduler keeps (docs/decisions/0021).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "codec/template.hpp"
#include "store/store.hpp"

namespace fieldwork::scheduler {

class Templates {
 public:
  struct Stored {
    codec::Template is;
    int version = 1;
    std::string by;
    std::int64_t at_ms = 0;
    std::size_t bytes = 0;  // of its document
  };
  struct Changed {
    const Stored* now = nullptr;  // null: removed
    bool fresh = false;           // there was no such version before
    std::vector<int> gone{};      // versions that are not kept any more
    int last = 0;                 // removed: the highest number, which is not given out again
  };

  Result<void> load(store::Store& store);

  // NAME or NAME@VERSION; without a version the newest.
  [[nodiscard]] Result<const Stored*> find(std::string_view reference) const;
  // The same content as the newest version changes nothing. `expects`: the version that must be the newest; 0: none.
  Result<Changed> push(codec::Template one, std::optional<int> expects, const std::string& by, Time now);
  Result<Changed> remove(const std::string& name);

  using Versions = std::map<int, Stored>;
  [[nodiscard]] const std::map<std::string, Versions, std::less<>>& all() const { return all_; }

 private:
  std::map<std::string, Versions, std::less<>> all_;
  std::map<std::string, int> highest_;  // number ever given out, by name
  std::size_t bytes_ = 0;               // of all documents
};

[[nodiscard]] std::string template_key(const std::string& name, int version);
[[nodiscard]] store::Row template_row(const Templates::Stored& one);

}  // namespace fieldwork::scheduler
