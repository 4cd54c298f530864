#include "broker/base/error.hpp"

#include <fmt/format.h>

#include <cstdlib>

#include "broker/base/log.hpp"

namespace tidegate {

std::string_view name(errc code) {
  switch (code) {
    case errc::invalid: return "invalid";
    case errc::not_found: return "not found";
    case errc::precondition: return "precondition failed";
    case errc::too_large: return "too large";
    case errc::store_full: return "store full";
    case errc::memory_full: return "memory full";
    case errc::target_full: return "queue or topic full";
    case errc::not_allowed: return "not allowed";
    case errc::out_of_range: return "out of range";
    case errc::fenced: return "fenced";
    case errc::limit: return "limit reached";
    case errc::unsupported: return "unsupported";
    case errc::locked: return "locked";
  }
  return "unknown";
}

void throw_exception_from_error(const error& cause, const boost::source_location&) { throw error_exception(cause); }

void expectation_failed(const char* condition, const char* file, int line) {
  log::say(fmt::format("tidegate: broken expectation: {} ({}:{})", condition, file, line));
  log::flush();
  std::abort();
}

}  // namespace tidegate
