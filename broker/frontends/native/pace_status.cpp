#include "broker/frontends/native/pace_status.hpp"

#include <cmath>

namespace tidegate::native {
namespace {

namespace json = boost::json;

constexpr std::uint64_t days_of_year = 365;

json::value known(const std::optional<std::uint64_t>& figure) {
  return figure ? json::value(*figure) : json::value(nullptr);
}

double rounded(double figure, double steps) { return std::round(figure * steps) / steps; }

void add_commits(json::object& to, const core::api::commit_status& commits) {
  to["commit_profile"] = commits.profile;
  to["commit_linger_ms"] = commits.linger.count();
  to["commit_linger_in_force_ms"] = commits.linger_in_force.count();
  to["commit_linger_max_ms"] = commits.linger_max.count();
  to["commit_per_second_max"] = commits.per_second_max;
  to["commits"] = commits.commits;
  to["commits_per_second"] = rounded(commits.per_second, 10);
  to["commit_wait_mean_ms"] = rounded(commits.wait_mean_ms, 10);
  to["commit_wait_max_ms"] = commits.wait_max.count();
}

void add_flash(json::object& to, const core::api::flash_status& flash) {
  const auto per_day = flash.per_day;
  const std::uint64_t budget = flash.budget_bytes_per_day;
  to["flash_bytes_since_start"] = known(flash.since_start);
  to["flash_bytes_today"] = known(flash.today);
  to["flash_bytes_since_made"] = known(flash.since_made);
  to["flash_bytes_per_day_projected"] = known(per_day);
  to["flash_bytes_per_year_projected"] = known(per_day ? std::optional(*per_day * days_of_year) : std::nullopt);
  to["flash_budget"] = flash.budget;
  to["flash_budget_bytes_per_day"] = budget;
  to["flash_budget_share_used"] = nullptr;
  if (budget > 0 && flash.today) {
    to["flash_budget_share_used"] = rounded(static_cast<double>(*flash.today) / static_cast<double>(budget), 1'000);
  }
}

}  // namespace

void add_pace(json::object& to, const core::api::status& status) {
  add_commits(to, status.commits);
  add_flash(to, status.flash);
}

}  // namespace tidegate::native
