// Exports or salvages a store into an archive, and imports an archive into a new store.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "broker/store/offline/importing.hpp"
#include "broker/store/offline/salvage.hpp"
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

// A function that writes the archive and returns a report of what it has written.
using archive_filler = std::function<json::object(std::ostream&, store::offline::isolated_end&)>;

// Writes the archive under another name until it is complete and on the disk.
json::object fill_file(const std::string& file, const archive_filler& fill, store::offline::isolated_end& end) {
  const std::string partial = partial_name(file);
  std::ofstream out(partial, std::ios::binary | std::ios::trunc);
  if (!out) throw storage_failure(fmt::format("cannot write {}: {}", partial, std::strerror(errno)));
  json::object told = fill(out, end);
  finish(out);
  out.close();
  sync(partial);
  std::filesystem::rename(partial, file);
  return told;
}

json::object export_into(std::ostream& out, store::offline::isolated_end& end, const std::string& directory) {
  end.at("its opening", 0, 0);
  store::offline::offline_store store(directory);
  const auto pages = store.pages();
  return to_json(store::offline::export_archive(store, out, steps_of(end, pages.used_pages * pages.page_bytes)));
}

json::object salvage_into(std::ostream& out, store::offline::isolated_end& end, const std::string& directory) {
  const auto report = store::offline::salvage_store(directory, out, steps_of(end, 0));
  json::object told = to_json(report.counts);
  told["records_missing"] = report.records_missing;
  told["pages"] = report.pages;
  told["pages_passed_over"] = report.pages_passed_over;
  told["pages_out_of_tree"] = report.pages_out_of_tree;
  told["blobs"] = report.blobs;
  told["blobs_damaged"] = report.blobs_damaged;
  json::array missing;
  for (const std::string& line : report.missing) missing.emplace_back(line);
  if (report.more > 0) missing.emplace_back(fmt::format("and {} more", report.more));
  told["missing"] = std::move(missing);
  return told;
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

namespace {

// Returns the filler's report, or none if it failed; then the reason has been printed.
std::optional<json::object> write_archive(std::string_view what, const store_arguments& arguments,
                                          const archive_filler& fill) {
  const bool is_file = arguments.file != standard_stream;
  if (is_file && std::filesystem::exists(arguments.file)) {
    remark(fmt::format("{} exists: name a file that is not there yet", arguments.file));
    return std::nullopt;
  }
  if (!is_file && ::isatty(STDOUT_FILENO) == 1) {
    remark("an archive is not for a terminal: name a file, or lead standard output into a pipe");
    return std::nullopt;
  }
  json::object told;
  const auto outcome = watch(
      what,
      [&](store::offline::isolated_end& end) {
        json::object done = is_file ? fill_file(arguments.file, fill, end) : fill(std::cout, end);
        if (!is_file) finish(std::cout);
        end.send(json::serialize(done));
      },
      [&](std::string_view line) { told = json::parse(line).as_object(); });
  if (const std::string failure = failure_of(outcome); !failure.empty()) {
    if (is_file) std::filesystem::remove(partial_name(arguments.file));
    remark(failure);
    return std::nullopt;
  }
  if (is_file) told["bytes"] = std::filesystem::file_size(arguments.file);
  told["archive"] = arguments.file;
  return told;
}

// If the archive goes to standard output, the report goes to standard error.
void tell(const store_arguments& arguments, const json::object& told, bool as_json, std::string_view done) {
  if (arguments.file == standard_stream) return remark(fmt::format("{} {}", done, counted(told)));
  if (as_json) return print_json(told);
  print_line(
      fmt::format("{}: {}, {} bytes", arguments.file, counted(told), told.at("bytes").to_number<std::uint64_t>()));
}

}  // namespace

int export_store(const store_arguments& arguments, bool as_json) {
  const auto told = write_archive("exporting", arguments, [&](std::ostream& out, store::offline::isolated_end& end) {
    return export_into(out, end, arguments.directory);
  });
  if (!told) return exit_failure;
  tell(arguments, *told, as_json, "exported");
  return exit_ok;
}

int salvage_store(const store_arguments& arguments, bool as_json) {
  const auto told = write_archive("salvaging", arguments, [&](std::ostream& out, store::offline::isolated_end& end) {
    return salvage_into(out, end, arguments.directory);
  });
  if (!told) return exit_failure;
  const json::array& missing = told->at("missing").as_array();
  if (!as_json) {
    for (const json::value& line : missing) remark(fmt::format("missing: {}", std::string_view(line.as_string())));
  }
  tell(arguments, *told, as_json, "salvaged");
  return missing.empty() ? exit_ok : exit_incomplete;
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
