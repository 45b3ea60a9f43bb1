// The encodings of stored contents: which one a receiver gets, which has to be made first, which are dropped. Pure: the
// shell makes and seals them (MakeEncoding), and says what came of it.
//
// What is made is kept for the next receiver, within bytes_max on the disk: beyond it those that nobody has used for
// longest are dropped. The stored file of a content and the encoding that was made when it came do not count: they are
// never dropped.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "content/choose.hpp"
#include "transfer/core/output.hpp"

namespace fieldwork::transfer {

/// What the receiver says of its link.
[[nodiscard]] content::Measured link_of(const Accepts& accepts);

class Encodings {
 public:
  Encodings(std::int64_t bytes_max, Duration epoch_kept, std::vector<SealedEncoding> saved);

  struct Choice {
    std::string id;      // of what is there and sealed; empty: `make` has to be made first
    MakingOf make;       // what was chosen
    std::string reason;  // one line
    double make_s_max = 0;
  };
  // `bases`: contents that the receiver and this service have, the most useful first.
  [[nodiscard]] Choice choose(const Content& content, const Accepts& accepts, const std::vector<std::string>& bases,
                              Time now) const;

  // Those of the same file with other bytes go: nothing but what was sealed may be sent under their keys.
  void add(SealedEncoding made);
  void used(const std::string& id, Time now);
  // Its file cannot be read: for the next receiver it is made again.
  void lost(const std::string& id);
  // It cannot be made: for a while another one is chosen.
  void failed(const MakingOf& making, Time now);
  [[nodiscard]] const SealedEncoding* find(const std::string& id) const;
  [[nodiscard]] const std::map<std::string, SealedEncoding>& all() const { return all_; }  // by id
  // In its present epoch; null: it has to be made.
  [[nodiscard]] const SealedEncoding* sealed(const MakingOf& making, Time now) const;
  // The work that makes it. `size_bytes`: of the plain content.
  [[nodiscard]] MakeEncoding order(const MakingOf& making, std::int64_t size_bytes, double make_s_max) const;

  // Forgets what is too much on the disk, save what is in `in_use`, and what is too old; returns it.
  std::vector<SealedEncoding> prune(const std::set<std::string>& in_use, Time now);
  // Forgets the encodings of a content, and those made against it.
  std::vector<SealedEncoding> forget(const std::string& digest);
  // Another one is of the same file.
  [[nodiscard]] bool shares_file(const SealedEncoding& one) const;

  // Since the last call: each once, as it is now, or its id where it is gone.
  struct Changes {
    std::vector<SealedEncoding> saves;
    std::vector<std::string> removes;
  };
  [[nodiscard]] Changes take_changes();

 private:
  void remove(const std::string& id);

  std::int64_t bytes_max_;
  Duration epoch_kept_;
  std::map<std::string, SealedEncoding> all_;        // by id
  std::map<std::string, std::set<std::string>> of_;  // digest of the content -> ids
  std::map<MakingOf, Time> failed_until_;
  std::set<std::string> unsaved_;
};

}  // namespace fieldwork::transfer
