// Errors that a caller handles: a code for programs, a sentence for people.
#pragma once

#include <boost/system/result.hpp>
#include <stdexcept>
#include <string>
#include <string_view>

namespace tidegate {

enum class errc {
  invalid,       // malformed, or outside the stated range
  not_found,     // no such exchange, queue, topic, partition, group
  precondition,  // exists with other attributes; in use; not empty
  too_large,     // over a size limit
  store_full,    // the store is at its bound; may be tried again later
  not_allowed,   // credentials, or not in this state
  out_of_range,  // an offset outside of what is retained
  fenced,        // a newer epoch of this producer exists; a lease was taken over
  limit,         // a limit on a number of things
  unsupported,   // a protocol version, codec or code that this version does not know
  locked,        // belongs to another connection alone
  target_full,   // a queue or topic that rejects is at its bound; may be tried again later
  memory_full,   // what lives in memory is at its bound; may be tried again later
};
// Returns whether the refusal is for want of room: the same request may succeed later.
constexpr bool is_full(errc code) {
  return code == errc::store_full || code == errc::memory_full || code == errc::target_full;
}

std::string_view name(errc code);

// `text` names the thing, the limit and what to do; `field` the wrong field or attribute, if there is one. For an
// attribute of an existing object: the value that was asked for, and the object's own.
struct error {
  errc code;
  std::string text;
  std::string field = {};
  std::string received = {}, current = {};
};

struct error_exception : std::runtime_error {
  explicit error_exception(error what) : std::runtime_error(what.text), cause(std::move(what)) {}
  error cause;
};

// Called by result<T>::value() if there is no value.
[[noreturn]] void throw_exception_from_error(const error& cause, const boost::source_location&);

template <class T>
using result = boost::system::result<T, error>;

// The store cannot continue: a failed commit, a damaged or foreign file. The process ends with exit_storage_failure.
struct storage_failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A storage_failure after which the file cannot be used, now or later. It can be set aside.
struct store_damaged : storage_failure {
  using storage_failure::storage_failure;
};

constexpr int exit_ok = 0;
constexpr int exit_failure = 1;
constexpr int exit_usage = 2;
constexpr int exit_storage_failure = 74;  // EX_IOERR of sysexits.h

// A bug of ours: prints the place and aborts, in release builds too. Never for anything that a peer controls.
[[noreturn]] void expectation_failed(const char* condition, const char* file, int line);
#define TIDEGATE_EXPECT(condition) \
  ((condition) ? static_cast<void>(0) : ::tidegate::expectation_failed(#condition, __FILE__, __LINE__))

}  // namespace tidegate
