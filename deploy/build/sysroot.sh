#!/usr/bin/env bash
# Makes the folder of foreign libraries and headers that a cross compilation links with, and prints it.
#
#   deploy/build/sysroot.sh [ARCH]            make it if needed; ARCH is Debian's name, default arm64
#   deploy/build/sysroot.sh --prefix [ARCH]   print the folder only, make nothing
#
# It holds Debian's own -dev packages of ARCH, of the release that this machine runs, fetched from the
# mirrors that its apt already uses and unpacked, not installed: the machine's packages stay as they
# are, and no root is needed. (Installed as foreign packages they would replace some of the machine's
# own, libcivetweb-dev among them, and force the others to the foreign version.) The cache is
# FOURFOLD_CACHE, or fourfold/ in the user's cache folder.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/progress.sh"

only_print=
if [[ ${1:-} == --prefix ]]; then
  only_print=1
  shift
fi
arch=${1:-arm64}
case $arch in
  arm64) triplet=aarch64-linux-gnu ;;
  *) fail "no sysroot for '$arch' is known, only for arm64" ;;
esac

packages=(
  libabsl-dev libc6-dev libcivetweb-dev libflatbuffers-dev libgrpc++-dev libonnx-dev libprotobuf-dev
  libspdlog-dev libssl-dev libstb-dev libstdc++6 libzip-dev nlohmann-json3-dev prometheus-cpp-dev zlib1g-dev
)

cache=${FOURFOLD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fourfold}
release=$(. /etc/os-release && echo "$ID-${VERSION_CODENAME:-unknown}")
key=$(printf '%s\n' "${packages[@]}" | sha256sum | cut -c1-16)
sysroot=$cache/sysroot-$release-$arch-$key

if [[ -n $only_print || -e $sysroot/complete ]]; then
  echo "$sysroot"
  exit 0
fi
command -v apt-get >/dev/null ||
  fail "no apt-get here: set FOURFOLD_SYSROOT to a root folder of $arch with ${packages[*]}"

mkdir -p "$cache/log"
exec 9>"$cache/sysroot.lock"
flock 9 # a second clone waits for the first one's instead of repeating it
if [[ -e $sysroot/complete ]]; then
  echo "$sysroot"
  exit 0
fi

note "fetching Debian's $arch libraries, once per machine"
rm -rf "$sysroot" "$sysroot.part"
apt=$sysroot.part/apt root=$sysroot.part/root
mkdir -p "$apt"/lists/partial "$apt"/archives/partial "$root"/usr/{lib,bin,sbin}
trap 'rm -rf "$sysroot.part"' EXIT
: >"$apt/status" # nothing is installed, so that everything needed is fetched

# Sources, keys and proxies are the machine's; what apt writes is ours.
cat >"$apt/apt.conf" <<TEXT
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Sandbox::User "";
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::State::extended_states "$apt/extended_states";
Dir::Cache "$apt";
Dir::Cache::archives "$apt/archives";
Debug::NoLocking "true";
TEXT
export APT_CONFIG=$apt/apt.conf
quietly "$cache/log/sysroot-index.log" apt-get update
quietly "$cache/log/sysroot-fetch.log" apt-get install --yes --download-only \
  --no-install-recommends "${packages[@]}"

# A merged /usr, then each package's headers, libraries, CMake files and licences.
for folder in lib bin sbin; do ln -s "usr/$folder" "$root/$folder"; done
for package in "$apt"/archives/*.deb; do
  dpkg-deb --fsys-tarfile "$package" |
    tar -x -C "$root" --keep-directory-symlink --no-same-owner --wildcards --wildcards-match-slash \
      --exclude='./usr/share/doc/*/[!c]*' --exclude='*/changelog*' --exclude='./usr/share/locale' \
      --exclude='./usr/share/man' --exclude='./var' --exclude='./etc' --exclude='./run' \
      --exclude='./usr/lib/systemd' --exclude='*/perl*' --exclude='*/gconv'
done
# Absolute links would lead out of the folder.
find "$root" -type l -lname '/*' -print0 | while IFS= read -r -d '' link; do
  ln -sfrn "$root$(readlink "$link")" "$link"
done
# gRPC's CMake file wants the plugins of protoc to exist: they are the machine's, which can run here.
for plugin in cpp php python ruby; do
  ln -s "/usr/bin/grpc_${plugin}_plugin" "$root/usr/bin/"
done
[[ -e $root/usr/lib/$triplet/libc.so ]] || fail "the fetched packages hold no libc for $triplet"

rm -rf "$apt"
touch "$root/complete"
mv "$root" "$sysroot"
note "$arch libraries are in $sysroot"
echo "$sysroot"
