#include "broker/base/settings/document.hpp"

#include <fmt/format.h>

namespace tidegate::settings {

error refusal(std::string_view file, std::uint32_t line, std::string key, std::string_view what) {
  return {errc::invalid, fmt::format("{}: line {}: {}{}{}", file, line, key, key.empty() ? "" : ": ", what), key};
}

const value* section::find(std::string_view key) const {
  TIDEGATE_EXPECT(settings::find(*declared_, key) != nullptr);
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

void section::misread(std::string_view key) const {
  expectation_failed(fmt::format("{}.{} is read by its kind", declared_->name, key).c_str(), __FILE__, __LINE__);
}

void section::refuse(std::string_view key, std::string_view what) const {
  const value* const found = find(key);
  throw error_exception(
      refusal(file_, found == nullptr ? line_ : found->line, fmt::format("{}.{}", declared_->name, key), what));
}

void section::refuse(std::string_view what) const {
  throw error_exception(refusal(file_, line_, std::string(declared_->name), what));
}

section& document::add(const table& declared, std::uint32_t line) {
  return sections_[std::string(declared.name)].emplace_back(declared, file_, line);
}

section document::one(std::string_view name) const {
  const auto& written = all(name);
  return written.empty() ? section(*find(known_, name), file_, 1) : written.front();
}

const std::vector<section>& document::all(std::string_view name) const {
  static const std::vector<section> none;
  TIDEGATE_EXPECT(find(known_, name) != nullptr);
  const auto written = sections_.find(name);
  return written == sections_.end() ? none : written->second;
}

void document::refuse(std::string_view what) const { throw error_exception(refusal(file_, 1, "", what)); }

}  // namespace tidegate::settings
