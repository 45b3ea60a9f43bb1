// The named invariants. Watches every commit, message and run, and keeps its own copy of what is on the disks.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "client.hpp"
#include "crypto/jws.hpp"
#include "model/job.hpp"
#include "said.hpp"
#include "world.hpp"

namespace fieldwork::sim {

class Checks {
 public:
  using Json = codec::Json;
  using Rows = std::map<std::string, Json>;  // by key

  explicit Checks(const crypto::TrustStore& grants) : grants_(grants) {}

  void published(Party& from, const bus::Message& message);
  void committed(Party& from, const std::vector<store::Change>& changes);
  void run(const Party& party, const Assign& assign);  // a program starts
  void ended(const AttemptKey& key);                   // the program ended well
  void killed_its_device(const JobId& job) { ++killed_[job]; }
  // A party's memory is from now on `copy`, an older copy of its disk; empty: the disk is new.
  using Disk = std::map<std::string, Rows>;  // by table
  [[nodiscard]] Disk disk(const std::string& party) const;
  void went_back(const Party& party, Disk copy);
  // Attempts may be lost: devices stay away longer than a contract, or parties forget.
  void allow_losses() { losses_ = true; }
  // Whether all wishes are answered and their jobs settled; and the check of what must be true then.
  [[nodiscard]] bool all_settled(const std::vector<Wish>& wishes) const;
  void at_the_end(const std::vector<Wish>& wishes) const;
  // What is not over yet, for the message of a run that does not end.
  [[nodiscard]] std::string open(const std::vector<Wish>& wishes) const;
  // Up to this fence the scheduler's memory may have been lost.
  [[nodiscard]] std::int64_t forgotten() const { return forgotten_; }
  [[nodiscard]] std::size_t runs() const { return runs_.size(); }
  // What a party's disk holds.
  [[nodiscard]] const Rows& rows(const std::string& party, const std::string& table) const;

 private:
  void said_by_scheduler(const Topic& topic, const Json& payload) const;
  void said_by_device(const Party& party, const Topic& topic, const Json& payload) const;
  void check_execution(const Json& said) const;
  void check_command(const std::string& device, const Json& item) const;
  void check_job(const Json& item, bool now) const;

  void attempt_saved(const Json* before, const Json& now);
  void job_saved(const Json* before, const Json& now) const;
  void stream_saved(const Json* before, const Json& now) const;
  void report_dropped(const Party& party, const Json& row) const;
  void one_live_attempt(const AttemptKey& begun) const;
  [[nodiscard]] bool is_journalled(const Party& party, const AttemptKey& program) const;

  void at_the_end(const Wish& wish) const;
  [[nodiscard]] bool really_ended(const AttemptKey& key, bool goes_on = false) const;
  [[nodiscard]] const Json* newest_attempt(const std::string& execution) const;
  [[nodiscard]] const Json* row(const std::string& party, const std::string& table, const std::string& key) const;

  const crypto::TrustStore& grants_;
  Topics topics_{root};
  std::map<std::string, std::map<std::string, Rows>> disks_;  // party, table, key
  std::map<std::pair<std::string, int>, std::int64_t> fences_;
  mutable std::map<std::string, Json> orders_;                                // each assignment as it was said first
  std::map<AttemptKey, std::string> runs_;                                    // the device that ran it
  std::map<std::string, std::set<AttemptKey>> began_;                         // by party: what it began and remembers
  std::map<std::string, std::set<std::tuple<std::string, int, int>>> tries_;  // the same, as job, execution, number
  std::set<AttemptKey> ended_;
  std::map<JobId, int> killed_;  // how many devices each job killed
  bool losses_ = false;
  std::int64_t newest_fence_ = 0;
  std::int64_t forgotten_ = 0;  // up to this fence the scheduler's memory may have been lost
};

[[nodiscard]] std::string text(const AttemptKey& key);

}  // namespace fieldwork::sim
