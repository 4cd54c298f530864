// fault_load: runs a workload over a small store while other programs make faults. Writes a mark for everything that is
// tried and everything that is settled: to the recording if the recorder is preloaded, and to a file if one is named.
// The file has all marks even if the process is killed.
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "broker/base/log.hpp"
#include "tests/faults/workload.hpp"

namespace {

using namespace tidegate;
using namespace tidegate::faults;

struct settings {
  small_store store;
  std::string workload = "mixed";
  std::string marks;
  std::uint64_t seed = 1;
  std::uint64_t rounds = 250;
  bool close = false;
};

// Writes marks to the recorder, if it is preloaded, and to the file, if one is named.
class marks {
 public:
  explicit marks(const std::string& path)
      : recorder_(reinterpret_cast<void (*)(const char*, std::size_t)>(::dlsym(RTLD_DEFAULT, "fault_mark"))) {
    if (!path.empty()) file_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  }
  marks(const marks&) = delete;
  marks& operator=(const marks&) = delete;
  ~marks() {
    if (file_ >= 0) ::close(file_);
  }

  void put(std::string_view line) {
    if (recorder_ != nullptr) recorder_(line.data(), line.size());
    if (file_ < 0) return;
    const std::string whole = std::string(line) + "\n";
    if (::write(file_, whole.data(), whole.size()) < 0) throw std::runtime_error("cannot write the marks");
  }

 private:
  void (*recorder_)(const char*, std::size_t);
  int file_ = -1;
};

// Publishes to a broker that has failed. None of these messages may be confirmed: if one is, the marks have it and the
// check finds it missing.
void go_on_regardless(marking_broker& broker) {
  for (int i = 0; i < 5; ++i) {
    try {
      broker.publish({1, "", "work", "", {"q/work"}, 50, false});
      broker.flush();
      broker.finish();
    } catch (const std::exception&) {
    }
  }
}

void work(marking_broker& broker, const settings& settings) {
  const auto workload = make_workload(settings.workload, broker, settings.seed);
  workload->begin();
  for (std::uint64_t round = 0; round < settings.rounds; ++round) workload->round();
  broker.commit();
  if (settings.close) broker.close();
}

int run(const settings& settings) {
  marks marks(settings.marks);
  std::unique_ptr<marking_broker> broker;
  int code = exit_ok;
  std::string stopped;
  try {
    broker = std::make_unique<marking_broker>(settings.store, [&](std::string_view line) { marks.put(line); });
    work(*broker, settings);
  } catch (const storage_failure& cause) {
    stopped = cause.what();
    code = exit_storage_failure;
    if (broker) go_on_regardless(*broker);
  }
  if (!stopped.empty()) std::fprintf(stderr, "fault_load: %s\n", stopped.c_str());
  std::printf("{\"attempted\": %llu, \"confirmed\": %llu, \"refused\": %llu, \"commits\": %llu}\n",
              broker ? static_cast<unsigned long long>(broker->attempted()) : 0,
              broker ? static_cast<unsigned long long>(broker->confirmed()) : 0,
              broker ? static_cast<unsigned long long>(broker->refused()) : 0,
              broker ? static_cast<unsigned long long>(broker->commits()) : 0);
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  settings settings;
  CLI::App app("A workload over a small store, for faults to be made in.", "fault_load");
  app.add_option("--store", settings.store.directory, "Directory of the store")->required();
  app.add_option("--workload", settings.workload, "churn, log, mixed or definitions")->capture_default_str();
  app.add_option("--seed", settings.seed, "Of its choices")->capture_default_str();
  app.add_option("--rounds", settings.rounds, "About as many commits")->capture_default_str();
  app.add_option("--marks", settings.marks, "File for what is tried and settled");
  app.add_option("--bytes-max", settings.store.bytes_max, "The store's size")->capture_default_str();
  app.add_flag("--close", settings.close, "Stop cleanly in the end");
  CLI11_PARSE(app, argc, argv);
  log::set_level(log::level::error);
  try {
    return run(settings);
  } catch (const std::exception& cause) {
    std::fprintf(stderr, "fault_load: %s\n", cause.what());
    return exit_failure;
  }
}
