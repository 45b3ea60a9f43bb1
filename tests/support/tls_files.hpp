// Certificates for tests of TLS, made by the openssl command line in a temporary directory: ca.crt has issued
// localhost.crt, client.crt and expired.crt (with localhost.key); other-ca.crt has issued foreign.crt (with
// client.key).
#pragma once

#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace fieldwork::support {

inline std::filesystem::path certificates() {
  std::string name = (std::filesystem::temp_directory_path() / "fieldwork-certificates-XXXXXX").string();
  const std::filesystem::path directory = mkdtemp(name.data());
  // `openssl ca` because only it takes dates in the past.
  const std::string script = R"sh(set -e; cd "$1"
key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }
for one in ca.key other-ca.key localhost.key client.key; do key $one; done
cat >conf <<'C'
[ca]
default_ca = d
[d]
database = index
new_certs_dir = .
serial = serial
default_md = sha256
policy = p
x509_extensions = x
unique_subject = no
copy_extensions = copy
[p]
commonName = supplied
[x]
basicConstraints = CA:FALSE
C
: >index; echo 1000 >serial
for one in ca other-ca; do openssl req -x509 -key $one.key -subj "/CN=$one" -days 2 -out $one.crt; done
issue() { # NAME KEY CA FROM TO [EXTENSION]
  openssl req -new -key "$2.key" -subj "/CN=$1" ${6:+-addext "$6"} -out request
  openssl ca -batch -notext -config conf -cert "$3.crt" -keyfile "$3.key" -startdate "$4" -enddate "$5" -in request -out "$1.crt"
}
now=$(date -u -d yesterday +%y%m%d%H%M%SZ) later=$(date -u -d '+2 days' +%y%m%d%H%M%SZ)
issue localhost localhost ca "$now" "$later" subjectAltName=DNS:localhost
issue client client ca "$now" "$later"
issue expired localhost ca 200101000000Z 210101000000Z subjectAltName=DNS:localhost
issue foreign client other-ca "$now" "$later"
)sh";
  std::ofstream(directory / "make.sh") << script;
  const auto quoted = "'" + directory.string();
  const auto run = "bash " + quoted + "/make.sh' " + quoted + "' >" + quoted + "/log' 2>&1";
  if (std::system(run.c_str()) != 0) {
    throw std::runtime_error("openssl makes no certificates; see " + (directory / "log").string());
  }
  return directory;
}

}  // namespace fieldwork::support
