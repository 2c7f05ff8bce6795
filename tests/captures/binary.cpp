#include "binary.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace wiretally::test {
namespace {

// Both pipes are read while the input is written, so that neither side can wait for the other.
void exchange(int input_fd, const std::string& input, int out_fd, std::string& out, int err_fd,
              std::string& err) {
  size_t written = 0;
  pollfd files[] = {{input_fd, POLLOUT, 0}, {out_fd, POLLIN, 0}, {err_fd, POLLIN, 0}};
  fcntl(input_fd, F_SETFL, O_NONBLOCK);
  const auto shut = [](pollfd& file) {
    ::close(file.fd);
    file.fd = -1;
  };
  if (input.empty()) shut(files[0]);
  while (files[1].fd >= 0 || files[2].fd >= 0) {
    poll(files, 3, -1);
    if (files[0].fd >= 0 && files[0].revents != 0) {
      const ssize_t sent = ::write(input_fd, input.data() + written, input.size() - written);
      if (sent > 0) written += static_cast<size_t>(sent);
      if (sent < 0 || written == input.size()) shut(files[0]);
    }
    for (const auto& [file, text] : {std::pair{&files[1], &out}, std::pair{&files[2], &err}}) {
      if (file->fd < 0 || file->revents == 0) continue;
      char buffer[65536];
      const ssize_t got = ::read(file->fd, buffer, sizeof buffer);
      if (got > 0) text->append(buffer, static_cast<size_t>(got));
      if (got <= 0) shut(*file);
    }
  }
  if (files[0].fd >= 0) ::close(files[0].fd);
}

}  // namespace

std::vector<std::string> Outcome::errors() const {
  std::vector<std::string> errors;
  for (const std::string& line : lines_of(err)) {
    if (line.find("public replay key") == line.npos) errors.push_back(line);
  }
  return errors;
}

Outcome wiretally(const std::vector<std::string>& arguments, const std::string& input) {
  std::signal(SIGPIPE, SIG_IGN);
  // A process inherits the peak of the one that forks it; `time` is small and forks it anew.
  const TemporaryFolder folder;
  const std::string peak = folder.path("peak");
  std::vector<std::string> words = {"/usr/bin/time", "-q", "-f", "%M", "-o", peak,
                                    WIRETALLY_BINARY};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  int in[2], out[2], err[2];
  if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) {
    throw std::runtime_error("no pipe");
  }
  const pid_t child = fork();
  if (child == 0) {
    dup2(in[0], 0);
    dup2(out[1], 1);
    dup2(err[1], 2);
    execv(argv[0], argv.data());
    _exit(127);
  }
  ::close(in[0]);
  ::close(out[1]);
  ::close(err[1]);
  Outcome run;
  exchange(in[1], input, out[0], run.out, err[0], run.err);
  int status = 0;
  waitpid(child, &status, 0);
  run.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  std::ifstream(peak) >> run.peak_kib;
  return run;
}

Outcome replay_bytes(const std::string& capture, const std::string& format,
                 const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {"replay", "-", "--format", format};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return wiretally(arguments, capture);
}

Outcome replay_packets(const std::vector<TcpPacket>& packets, const std::string& format,
                   const std::vector<std::string>& more) {
  return replay_bytes(make_capture({}, packets), format, more);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::vector<Json> records_of(const std::string& ndjson) {
  std::vector<Json> records;
  for (const std::string& line : lines_of(ndjson)) records.push_back(Json::parse(line));
  return records;
}

std::vector<Json> records_of(const std::vector<TcpPacket>& packets) {
  const Outcome run = replay_packets(packets, "ndjson");
  if (run.exit_status != 0) throw std::runtime_error("replay failed: " + run.err);
  return records_of(run.out);
}

uint64_t metric(const std::string& exposition, std::string_view name, std::string_view labels) {
  double sum = 0;
  for (const std::string& line : lines_of(exposition)) {
    if (!line.starts_with(name)) continue;
    const char next = line.size() > name.size() ? line[name.size()] : ' ';
    if (next != '{' && next != ' ') continue;
    const size_t value = line.rfind(' ');
    if (line.substr(0, value).find(labels) == line.npos) continue;
    sum += std::stod(line.substr(value + 1));
  }
  return static_cast<uint64_t>(sum);
}

Accounts accounts_of(const std::string& exposition) {
  return {.captured = metric(exposition, "wiretally_capture_bytes_total"),
          .parsed = metric(exposition, "wiretally_parsed_bytes_total"),
          .skipped = metric(exposition, "wiretally_skipped_bytes_total"),
          .dropped = metric(exposition, "wiretally_dropped_bytes_total"),
          .missing = metric(exposition, "wiretally_missing_bytes_total")};
}

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "wiretally-test-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TemporaryFolder::save(const std::string& name, std::string_view bytes) const {
  const std::string file = path(name);
  if (!save_file(file, bytes)) throw std::runtime_error("cannot write " + file);
  return file;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string tests_folder() { return WIRETALLY_TESTS_FOLDER; }

Dialogue transcript(const std::string& name) {
  return read_dialogue(tests_folder() + "/transcripts/" + name + ".dialogue");
}

}  // namespace wiretally::test
