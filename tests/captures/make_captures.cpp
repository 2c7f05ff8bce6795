// Writes the capture files that are kept in the tree, and what the binary makes of them:
//
//   make_captures                          the goldens, with their *.expected.ndjson
//   make_captures TRANSCRIPT LINK FILE     a transcript as a capture (pcapng if FILE ends so);
//                                          LINK: eth, vlan, qinq, sll, sll2, raw12, raw101, null, loop
//
// Look at the difference before you commit it.
#include <cstdio>
#include <exception>
#include <filesystem>
#include <stdexcept>

#include "binary.h"
#include "goldens.h"

namespace wiretally::test {
namespace {

void write_goldens() {
  const std::string folder = tests_folder() + "/captures/";
  for (const Golden& golden : goldens()) {
    if (!save_file(folder + golden.file, golden.bytes)) throw std::runtime_error("cannot write");
    const Outcome run = replay_bytes(golden.bytes, "ndjson");
    if (run.exit_status != 0) throw std::runtime_error(golden.file + ": " + run.err);
    const std::string expected =
        std::filesystem::path(golden.file).replace_extension(".expected.ndjson").string();
    if (!save_file(folder + expected, run.out)) throw std::runtime_error("cannot write");
    std::printf("%s: %zu bytes, %zu records\n", golden.file.c_str(), golden.bytes.size(),
                lines_of(run.out).size());
  }
}

void write_transcript(const std::string& name, const std::string& link_word,
                      const std::string& file) {
  CaptureShape shape;
  if (file.ends_with(".pcapng")) shape.format = CaptureFormat::kPcapng;
  bool known = false;
  for (const Link link : kAllLinks) {
    if (link_name(link) != link_word) continue;
    shape.link = link;
    known = true;
  }
  if (!known) throw std::runtime_error("unknown link " + link_word);
  if (!save_file(file, make_capture(shape, packets_of(transcript(name), {})))) {
    throw std::runtime_error("cannot write " + file);
  }
}

}  // namespace
}  // namespace wiretally::test

int main(int argc, char** argv) {
  try {
    if (argc == 1) {
      wiretally::test::write_goldens();
    } else if (argc == 4) {
      wiretally::test::write_transcript(argv[1], argv[2], argv[3]);
    } else {
      throw std::runtime_error("usage: make_captures [TRANSCRIPT LINK FILE]");
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "make_captures: %s\n", error.what());
    return 1;
  }
}
