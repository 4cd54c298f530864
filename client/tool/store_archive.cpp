// A store into an archive, and back.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "broker/store/offline/importing.hpp"
#include "broker/store/store.hpp"
#include "client/tool/output.hpp"
#include "client/tool/store_command.hpp"

namespace tidegate::tool {

namespace json = boost::json;

namespace {

constexpr std::string_view standard_stream = "-";

std::string partial_name(const std::string& file) { return file + ".partial"; }

store::offline::transfer_step steps_of(store::offline::isolated_end& end, std::uint64_t total) {
  return [&end, total](std::string_view place, std::uint64_t bytes) { end.at(place, bytes, total); };
}

json::object to_json(const store::offline::archive_counts& counts) {
  return {{"streams", counts.streams}, {"batches", counts.batches}, {"rows", counts.rows}};
}

void sync(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = file >= 0 && ::fsync(file) == 0;
  const int cause = errno;
  if (file >= 0) ::close(file);
  if (!synced) throw storage_failure(fmt::format("cannot sync {}: {}", path, std::strerror(cause)));
}

void finish(std::ostream& out) {
  out.flush();
  if (!out) throw storage_failure("cannot write the archive to its end: is the disk full, or its reader gone?");
}

// Under another name until it is whole and on the disk.
store::offline::archive_counts export_to_file(store::offline::offline_store& store, const std::string& file,
                                              const store::offline::transfer_step& step) {
  const std::string partial = partial_name(file);
  std::ofstream out(partial, std::ios::binary | std::ios::trunc);
  if (!out) throw storage_failure(fmt::format("cannot write {}: {}", partial, std::strerror(errno)));
  const auto counts = store::offline::export_archive(store, out, step);
  finish(out);
  out.close();
  sync(partial);
  std::filesystem::rename(partial, file);
  return counts;
}

void export_into(store::offline::isolated_end& end, const store_arguments& arguments) {
  end.at("its opening", 0, 0);
  store::offline::offline_store store(arguments.directory);
  const auto pages = store.pages();
  const auto step = steps_of(end, pages.used_pages * pages.page_bytes);
  store::offline::archive_counts counts;
  if (arguments.file == standard_stream) {
    counts = store::offline::export_archive(store, std::cout, step);
    finish(std::cout);
  } else {
    counts = export_to_file(store, arguments.file, step);
  }
  end.send(json::serialize(to_json(counts)));
}

void import_into(store::offline::isolated_end& end, const store_arguments& arguments,
                 const store::offline::new_store_place& place) {
  std::ifstream file;
  std::uint64_t total = 0;
  const bool is_file = arguments.file != standard_stream;
  if (is_file) {
    file.open(arguments.file, std::ios::binary);
    if (!file) throw storage_failure(fmt::format("cannot read {}: {}", arguments.file, std::strerror(errno)));
    std::error_code ignored;  // a pipe has no size
    total = std::filesystem::file_size(arguments.file, ignored);
    if (ignored) total = 0;
  }
  const auto outcome = store::offline::import_archive(
      is_file ? file : std::cin, place, {arguments.bytes_max, arguments.keeps_incarnation}, steps_of(end, total));
  json::object done = to_json(outcome.counts);
  done["bytes_max"] = outcome.found.pages.map_pages * outcome.found.pages.page_bytes;
  done["used_share"] = outcome.found.pages.used_share();
  done["notes"] = outcome.found.notes;
  done["inconsistencies"] = outcome.found.inconsistencies;
  end.send(json::serialize(done));
}

void warn(const std::string& directory, const json::object& done) {
  const double used = done.at("used_share").as_double();
  if (used > store::refuse_above) {
    remark(
        fmt::format("the new store is {:.0f} % full and will refuse publishes above {:.0f} %: import it again with a "
                    "larger --bytes-max",
                    used * 100, store::refuse_above * 100));
  }
  if (done.at("inconsistencies").to_number<std::uint64_t>() > 0) {
    remark(
        fmt::format("the new store has the old one's inconsistencies: tidegate store check {} lists them", directory));
  }
}

std::string counted(const json::object& done) {
  return fmt::format("{} streams, {} batches, {} rows", done.at("streams").to_number<std::uint64_t>(),
                     done.at("batches").to_number<std::uint64_t>(), done.at("rows").to_number<std::uint64_t>());
}

}  // namespace

int export_store(const store_arguments& arguments, bool as_json) {
  const bool is_file = arguments.file != standard_stream;
  if (is_file && std::filesystem::exists(arguments.file)) {
    remark(fmt::format("{} exists: name a file that is not there yet", arguments.file));
    return exit_failure;
  }
  if (!is_file && ::isatty(STDOUT_FILENO) == 1) {
    remark("an archive is not for a terminal: name a file, or lead standard output into a pipe");
    return exit_failure;
  }
  json::object done;
  const auto outcome = watch(
      "exporting", [&](store::offline::isolated_end& end) { export_into(end, arguments); },
      [&](std::string_view line) { done = json::parse(line).as_object(); });
  if (const std::string failure = failure_of(outcome); !failure.empty()) {
    if (is_file) std::filesystem::remove(partial_name(arguments.file));
    remark(failure);
    return exit_failure;
  }
  if (!is_file) {
    remark(fmt::format("exported {}", counted(done)));
    return exit_ok;
  }
  done["archive"] = arguments.file;
  done["bytes"] = std::filesystem::file_size(arguments.file);
  if (as_json) {
    print_json(done);
  } else {
    print_line(
        fmt::format("{}: {}, {} bytes", arguments.file, counted(done), done.at("bytes").to_number<std::uint64_t>()));
  }
  return exit_ok;
}

int import_store(const store_arguments& arguments, bool as_json) {
  store::offline::new_store_place place(arguments.directory);
  json::object done;
  const auto outcome = watch(
      "importing", [&](store::offline::isolated_end& end) { import_into(end, arguments, place); },
      [&](std::string_view line) { done = json::parse(line).as_object(); });
  if (!outcome.failure.empty()) {
    remark(outcome.crashed ? fmt::format("crashed behind {}: {}", outcome.place, outcome.failure) : outcome.failure);
    return exit_failure;
  }
  place.keep();
  warn(arguments.directory, done);
  done["store"] = arguments.directory;
  if (as_json) {
    print_json(done);
  } else {
    print_line(fmt::format("{}: {}, checked and sound; set store.bytes_max to {} or more", arguments.directory,
                           counted(done), done.at("bytes_max").to_number<std::uint64_t>()));
  }
  if (!arguments.keeps_incarnation) {
    remark(
        "it is a new incarnation, since the old store may be used as well: a bridge forwards what it holds as another "
        "log. If the old one is gone for good, import with --keep-incarnation and nothing is forwarded again");
  }
  return exit_ok;
}

}  // namespace tidegate::tool
